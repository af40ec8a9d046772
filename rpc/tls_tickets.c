#include "rpc/tls_tickets.h"

#include "rpc/clock.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 16, SECRET_BYTES = 32 };

/* A ticket is the key's name, an initial vector, the session by AES-256-CBC,
 * and an HMAC-SHA256 of all of it: what OpenSSL makes by itself, too. */
struct ticket_key {
    uint8_t name[NAME_BYTES];
    uint8_t cipher[SECRET_BYTES];
    uint8_t mac[SECRET_BYTES];
    int64_t made_us;
};

struct tls_tickets {
    pthread_mutex_t lock;
    int64_t (*now_us)(void);
    struct ticket_key keys[TLS_TICKET_KEYS]; /* newest first */
    int count;
};

struct tls_tickets *tls_tickets_create(int64_t (*now_us)(void))
{
    struct tls_tickets *tickets = calloc(1, sizeof *tickets);
    if (tickets == NULL)
        abort();
    pthread_mutex_init(&tickets->lock, NULL);
    tickets->now_us = now_us != NULL ? now_us : clock_monotonic_us;
    return tickets;
}

void tls_tickets_destroy(struct tls_tickets *tickets)
{
    if (tickets == NULL)
        return;
    pthread_mutex_destroy(&tickets->lock);
    OPENSSL_cleanse(tickets, sizeof *tickets);
    free(tickets);
}

static bool is_older(const struct ticket_key *key, int64_t now_us, int hours)
{
    return now_us - key->made_us >= (int64_t)hours * TLS_TICKET_KEY_S * 1000000;
}

/* Also after a quiet day no old key is left to be found in memory. */
static void forget_old(struct tls_tickets *tickets, int64_t now_us)
{
    while (tickets->count > 0 && is_older(&tickets->keys[tickets->count - 1],
                                          now_us, TLS_TICKET_KEYS))
        OPENSSL_cleanse(&tickets->keys[--tickets->count],
                        sizeof tickets->keys[0]);
}

static bool add_key(struct tls_tickets *tickets, int64_t now_us)
{
    struct ticket_key key = {.made_us = now_us};
    if (RAND_bytes(key.name, sizeof key.name) != 1 ||
        RAND_priv_bytes(key.cipher, sizeof key.cipher) != 1 ||
        RAND_priv_bytes(key.mac, sizeof key.mac) != 1)
        return false;
    int kept =
        tickets->count < TLS_TICKET_KEYS ? tickets->count : TLS_TICKET_KEYS - 1;
    memmove(tickets->keys + 1, tickets->keys,
            (size_t)kept * sizeof tickets->keys[0]);
    tickets->keys[0] = key;
    tickets->count = kept + 1;
    OPENSSL_cleanse(&key, sizeof key);
    return true;
}

static bool newest(struct tls_tickets *tickets, struct ticket_key *key)
{
    pthread_mutex_lock(&tickets->lock);
    int64_t now_us = tickets->now_us();
    forget_old(tickets, now_us);
    bool is_fresh =
        tickets->count > 0 && !is_older(&tickets->keys[0], now_us, 1);
    bool good = is_fresh || add_key(tickets, now_us);
    *key = tickets->keys[0];
    pthread_mutex_unlock(&tickets->lock);
    return good;
}

/* Its place among the keys, -1 when it is none of ours or too old. */
static int find(struct tls_tickets *tickets, const uint8_t name[NAME_BYTES],
                struct ticket_key *key)
{
    int place = -1;
    pthread_mutex_lock(&tickets->lock);
    forget_old(tickets, tickets->now_us());
    for (int i = 0; i < tickets->count && place < 0; i++)
        if (memcmp(tickets->keys[i].name, name, NAME_BYTES) == 0) {
            *key = tickets->keys[i];
            place = i;
        }
    pthread_mutex_unlock(&tickets->lock);
    return place;
}

static bool set_mac(EVP_MAC_CTX *mac, const struct ticket_key *key)
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_init(mac, key->mac, sizeof key->mac, params) == 1;
}

/* What OpenSSL wants to hear of a ticket. */
enum { TICKET_FAILED = -1, TICKET_UNKNOWN = 0, TICKET_GOOD = 1, TICKET_RENEW };

static int seal(struct tls_tickets *tickets, uint8_t *name, uint8_t *vector,
                EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    struct ticket_key key;
    bool good =
        newest(tickets, &key) &&
        RAND_bytes(vector, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1 &&
        EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher,
                           vector) == 1 &&
        set_mac(mac, &key);
    memcpy(name, key.name, sizeof key.name);
    OPENSSL_cleanse(&key, sizeof key);
    return good ? TICKET_GOOD : TICKET_FAILED;
}

static int unseal(struct tls_tickets *tickets, const uint8_t *name,
                  const uint8_t *vector, EVP_CIPHER_CTX *cipher,
                  EVP_MAC_CTX *mac)
{
    struct ticket_key key;
    int place = find(tickets, name, &key);
    if (place < 0)
        return TICKET_UNKNOWN; /* a full handshake follows */
    bool good = EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher,
                                   vector) == 1 &&
                set_mac(mac, &key);
    OPENSSL_cleanse(&key, sizeof key);
    if (!good)
        return TICKET_FAILED;
    return place == 0 ? TICKET_GOOD : TICKET_RENEW;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *vector,
                     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int is_new)
{
    struct tls_tickets *tickets = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    return is_new ? seal(tickets, name, vector, cipher, mac)
                  : unseal(tickets, name, vector, cipher, mac);
}

void tls_tickets_use(struct tls_tickets *tickets, SSL_CTX *context)
{
    SSL_CTX_set_app_data(context, tickets);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
}
