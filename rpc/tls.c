#include "rpc/tls_internal.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* RFC 9113 appendix A forbids all of TLS 1.2 but ephemeral AEAD suites. */
static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

static const unsigned char h2[] = {2, 'h', '2'};

static int select_h2(SSL *ssl, const unsigned char **chosen,
                     unsigned char *chosen_length, const unsigned char *offered,
                     unsigned offered_length, void *argument)
{
    (void)ssl;
    (void)argument;
    unsigned char *match;
    if (SSL_select_next_proto(&match, chosen_length, h2, sizeof h2, offered,
                              offered_length) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *chosen = match;
    return SSL_TLSEXT_ERR_OK;
}

/* A key with a passphrase must fail, not ask the terminal. */
static int no_passphrase(char *buffer, int size, int writing, void *argument)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)argument;
    return -1;
}

static bool harden(SSL_CTX *context)
{
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(context, select_h2, NULL);
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(context, ciphers) == 1 &&
           SSL_CTX_set_num_tickets(context, 0) == 1;
}

/* RELEASE_BUFFERS saves 33 KB of each idle connection.  Read-ahead takes many
 * records with one system call. */
static void tune(SSL_CTX *context)
{
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS |
                                  SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
}

const char *tls_openssl_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason != NULL ? reason : "unknown reason";
}

/* OpenSSL says "system lib" for a file that is not there. */
static const char *file_problem(const char *path)
{
    return access(path, R_OK) != 0 ? strerror(errno) : tls_openssl_reason();
}

static bool load_files(SSL_CTX *context, const char *certificate_path,
                       const char *key_path, char *error, size_t error_size)
{
    if (SSL_CTX_use_certificate_chain_file(context, certificate_path) != 1) {
        snprintf(error, error_size, "cannot read the certificate %s: %s",
                 certificate_path, file_problem(certificate_path));
        return false;
    }
    if (SSL_CTX_use_PrivateKey_file(context, key_path, SSL_FILETYPE_PEM) != 1) {
        snprintf(error, error_size, "cannot use the private key %s: %s",
                 key_path, file_problem(key_path));
        return false;
    }
    return true;
}

struct tls_identity *tls_identity_load(const char *certificate_path,
                                       const char *key_path, char *error,
                                       size_t error_size)
{
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL || !harden(context)) {
        snprintf(error, error_size, "OpenSSL refuses our settings: %s",
                 tls_openssl_reason());
        SSL_CTX_free(context);
        return NULL;
    }
    tune(context);
    if (!load_files(context, certificate_path, key_path, error, error_size)) {
        SSL_CTX_free(context);
        return NULL;
    }
    return (struct tls_identity *)context;
}

struct tls_identity *tls_identity_hold(struct tls_identity *identity)
{
    if (identity != NULL)
        SSL_CTX_up_ref(tls_context(identity));
    return identity;
}

void tls_identity_release(struct tls_identity *identity)
{
    SSL_CTX_free(tls_context(identity));
}

struct tls *tls_create(struct tls_identity *identity, int fd)
{
    struct tls *tls = malloc(sizeof *tls);
    if (tls == NULL)
        return NULL;
    *tls = (struct tls){.ssl = SSL_new(tls_context(identity)), .failure = ""};
    if (tls->ssl == NULL || SSL_set_fd(tls->ssl, fd) != 1) {
        tls_destroy(tls);
        return NULL;
    }
    SSL_set_accept_state(tls->ssl);
    return tls;
}

void tls_destroy(struct tls *tls)
{
    if (tls == NULL)
        return;
    SSL_free(tls->ssl);
    free(tls);
}

/* A peer that vanishes without close_notify is an end like any other: HTTP/2
 * has its own framing, so nothing can be cut unnoticed. */
static bool is_end_of_file(void)
{
    unsigned long code = ERR_peek_error();
    return code == 0 ||
           ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

/* "certificate verify failed" hides which of twenty reasons it was. */
static const char *reason(const struct tls *tls)
{
    long verdict = SSL_get_verify_result(tls->ssl);
    return verdict != X509_V_OK ? X509_verify_cert_error_string(verdict)
                                : tls_openssl_reason();
}

static tls_result explain(struct tls *tls, int outcome)
{
    switch (SSL_get_error(tls->ssl, outcome)) {
    case SSL_ERROR_WANT_READ:
        return TLS_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_CLOSED;
    case SSL_ERROR_SYSCALL:
        tls->failure = errno != 0 ? strerror(errno) : "closed";
        return TLS_CLOSED;
    default:
        tls->failure = reason(tls);
        return is_end_of_file() ? TLS_CLOSED : TLS_FAILED;
    }
}

static bool agreed_on_h2(const struct tls *tls)
{
    const unsigned char *protocol;
    unsigned length;
    SSL_get0_alpn_selected(tls->ssl, &protocol, &length);
    return length == 2 && memcmp(protocol, "h2", 2) == 0;
}

/* Stale entries of OpenSSL's per-thread error queue would be taken for this
 * call's, hence the ERR_clear_error() before each. */
tls_result tls_handshake(struct tls *tls)
{
    ERR_clear_error();
    int outcome = SSL_do_handshake(tls->ssl);
    if (outcome != 1)
        return explain(tls, outcome);
    if (!agreed_on_h2(tls)) {
        tls->failure = SSL_is_server(tls->ssl)
                           ? "the client does not offer h2 by ALPN"
                           : "the server does not agree to h2 by ALPN";
        return TLS_FAILED;
    }
    return TLS_DONE;
}

tls_result tls_read(struct tls *tls, void *bytes, size_t size, size_t *count)
{
    *count = 0;
    ERR_clear_error();
    int outcome = SSL_read_ex(tls->ssl, bytes, size, count);
    return outcome == 1 ? TLS_DONE : explain(tls, outcome);
}

tls_result tls_write(struct tls *tls, const void *bytes, size_t size,
                     size_t *count)
{
    *count = 0;
    ERR_clear_error();
    int outcome = SSL_write_ex(tls->ssl, bytes, size, count);
    return outcome == 1 ? TLS_DONE : explain(tls, outcome);
}

bool tls_has_pending(const struct tls *tls)
{
    return SSL_has_pending(tls->ssl) == 1;
}

void tls_say_goodbye(struct tls *tls)
{
    ERR_clear_error();
    SSL_shutdown(tls->ssl);
}

const char *tls_failure(const struct tls *tls)
{
    return tls->failure;
}

static struct tls_certificate_bytes encode_certificate(const X509 *certificate)
{
    struct tls_certificate_bytes b = {NULL, 0};
    int size = certificate == NULL ? 0 : i2d_X509(certificate, &b.bytes);
    b.size = size > 0 ? (size_t)size : 0;
    return b;
}

bool tls_describe(const struct tls *tls, struct tls_description *description)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(tls->ssl);
    if (cipher == NULL || !SSL_is_init_finished(tls->ssl))
        return false;
    *description = (struct tls_description){
        .version = SSL_get_version(tls->ssl),
        .cipher = SSL_CIPHER_standard_name(cipher),
        .local = encode_certificate(SSL_get_certificate(tls->ssl)),
        .remote = encode_certificate(SSL_get0_peer_certificate(tls->ssl)),
    };
    return true;
}

void tls_description_free(struct tls_description *description)
{
    OPENSSL_free(description->local.bytes);
    OPENSSL_free(description->remote.bytes);
}
