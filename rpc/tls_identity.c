#include "rpc/tls_context.h"
#include "rpc/tls_tickets.h"

#include <openssl/evp.h>
#include <stdio.h>

/* Ours first: a client that can do both gets HTTP/2. */
static const unsigned char protocols[] = {2,   'h', '2', 8,   'h', 't',
                                          't', 'p', '/', '1', '.', '1'};

static int select_protocol(SSL *ssl, const unsigned char **chosen,
                           unsigned char *chosen_length,
                           const unsigned char *offered,
                           unsigned offered_length, void *argument)
{
    (void)ssl;
    (void)argument;
    unsigned char *match;
    if (SSL_select_next_proto(&match, chosen_length, protocols,
                              sizeof protocols, offered,
                              offered_length) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *chosen = match;
    return SSL_TLSEXT_ERR_OK;
}

static bool choose(SSL_CTX *context)
{
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_alpn_select_cb(context, select_protocol, NULL);
    return SSL_CTX_set_max_early_data(context, 0) == 1;
}

/* --- whom we believe --- */

static bool believe(SSL_CTX *context, const char *path,
                    const struct tls_problem *problem)
{
    if (path == NULL || *path == '\0')
        return tls_complain(problem, "clients are to show certificates, and no "
                                     "file says whose are believed");
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(path);
    if (names == NULL ||
        SSL_CTX_load_verify_locations(context, path, NULL) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return tls_blame_file(problem, "cannot read the clients' authorities",
                              path);
    }
    SSL_CTX_set_client_CA_list(context, names);
    return true;
}

/* Strict: a chain with an authority of which no list is known is not believed,
 * or losing a file would bring revoked certificates back. */
static bool heed_revocations(SSL_CTX *context, const char *path,
                             const struct tls_problem *problem)
{
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    if (lookup == NULL ||
        X509_load_crl_file(lookup, path, X509_FILETYPE_PEM) < 1)
        return tls_blame_file(problem, "cannot read the revocation lists",
                              path);
    X509_STORE_set_flags(store,
                         X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return true;
}

static bool add_file(EVP_MD_CTX *digest, const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    char bytes[1024];
    size_t count;
    bool good = true;
    while (good && (count = fread(bytes, 1, sizeof bytes, file)) > 0)
        good = EVP_DigestUpdate(digest, bytes, count) == 1;
    good = good && ferror(file) == 0;
    fclose(file);
    return good;
}

/* A session is resumed only by those who believe the same: the context of its
 * ticket is a digest of the rules and files, so that new ones end all old
 * tickets, here and on every server. */
static bool set_session_context(SSL_CTX *context, const struct tls_options *o)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    const unsigned char mode = (unsigned char)o->client_auth;
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    bool good =
        digest != NULL && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 &&
        EVP_DigestUpdate(digest, &mode, 1) == 1 &&
        (mode == TLS_CLIENTS_NOT_ASKED ||
         add_file(digest, o->client_ca_path)) &&
        (o->client_crl_path == NULL || add_file(digest, o->client_crl_path)) &&
        EVP_DigestFinal_ex(digest, sum, &size) == 1 &&
        SSL_CTX_set_session_id_context(context, sum, size) == 1;
    EVP_MD_CTX_free(digest);
    return good;
}

static bool ask_clients(SSL_CTX *context, const struct tls_options *o,
                        const struct tls_problem *problem)
{
    if (o->client_auth == TLS_CLIENTS_NOT_ASKED)
        return true;
    if (!believe(context, o->client_ca_path, problem))
        return false;
    if (o->client_crl_path != NULL &&
        !heed_revocations(context, o->client_crl_path, problem))
        return false;
    int mode = SSL_VERIFY_PEER;
    if (o->client_auth == TLS_CLIENTS_MUST)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(context, mode, NULL);
    SSL_CTX_set_verify_depth(context, TLS_CHAIN_MAX);
    return true;
}

/* --- resumption --- */

static bool give_tickets(SSL_CTX *context, const struct tls_options *o)
{
    if (o->ticket_count == 0)
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    else
        tls_tickets_use(o->tickets, context);
    SSL_CTX_set_timeout(context, TLS_TICKET_LIFETIME_S);
    return SSL_CTX_set_num_tickets(context, o->ticket_count) == 1;
}

static bool set_up(SSL_CTX *context, const struct tls_options *o,
                   const struct tls_problem *problem)
{
    if (!choose(context) || !give_tickets(context, o))
        return tls_blame(problem, TLS_REFUSES_SETTINGS);
    if (!tls_context_show(context, o->certificate_path, o->key_path, problem) ||
        !ask_clients(context, o, problem))
        return false;
    return set_session_context(context, o) ||
           tls_complain(problem, "the clients' authorities changed while they "
                                 "were read");
}

struct tls_identity *tls_identity_load(const struct tls_options *options,
                                       char *error, size_t error_size)
{
    const struct tls_problem problem = {error, error_size};
    SSL_CTX *context = tls_context_create(TLS_server_method(), &problem);
    if (context != NULL && set_up(context, options, &problem))
        return (struct tls_identity *)context;
    SSL_CTX_free(context);
    return NULL;
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
