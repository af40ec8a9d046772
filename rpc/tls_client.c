#include "rpc/tls_client.h"

#include "rpc/tls_context.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <stdio.h>

static const unsigned char h2[] = {2, 'h', '2'};

/* SSL_CTX_set_alpn_protos() is the one that answers 0 when it went well. */
static bool choose(SSL_CTX *context)
{
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_verify_depth(context, TLS_CHAIN_MAX);
    return SSL_CTX_set_alpn_protos(context, h2, sizeof h2) == 0;
}

static bool believe(SSL_CTX *context, const char *ca_path,
                    const struct tls_problem *problem)
{
    if (ca_path == NULL)
        return SSL_CTX_set_default_verify_paths(context) == 1 ||
               tls_blame(problem, "the system's authorities cannot be read");
    return SSL_CTX_load_verify_locations(context, ca_path, NULL) == 1 ||
           tls_blame_file(problem, "cannot read the authorities", ca_path);
}

static bool show(SSL_CTX *context, const char *certificate_path,
                 const char *key_path, const struct tls_problem *problem)
{
    if (certificate_path == NULL)
        return true;
    if (key_path != NULL)
        return tls_context_show(context, certificate_path, key_path, problem);
    snprintf(problem->text, problem->size,
             "the certificate %s comes without a key", certificate_path);
    return false;
}

struct tls_identity *tls_client_load(const char *ca_path,
                                     const char *certificate_path,
                                     const char *key_path, char *error,
                                     size_t error_size)
{
    const struct tls_problem problem = {error, error_size};
    SSL_CTX *context = tls_context_create(TLS_client_method(), &problem);
    if (context == NULL)
        return NULL;
    if (!choose(context))
        tls_blame(&problem, TLS_REFUSES_SETTINGS);
    else if (believe(context, ca_path, &problem) &&
             show(context, certificate_path, key_path, &problem))
        return (struct tls_identity *)context;
    SSL_CTX_free(context);
    return NULL;
}

static bool is_address(const char *name)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, name, bytes) == 1 ||
           inet_pton(AF_INET6, name, bytes) == 1;
}

/* RFC 6066 3 keeps addresses out of SNI. */
static bool expect(SSL *ssl, const char *server_name)
{
    X509_VERIFY_PARAM *rules = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(rules,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (is_address(server_name))
        return X509_VERIFY_PARAM_set1_ip_asc(rules, server_name) == 1;
    return X509_VERIFY_PARAM_set1_host(rules, server_name, 0) == 1 &&
           SSL_set_tlsext_host_name(ssl, server_name) == 1;
}

struct tls *tls_client_create(struct tls_identity *identity, int fd,
                              const char *server_name)
{
    struct tls *tls = tls_create(identity, fd);
    if (tls == NULL)
        return NULL;
    SSL_set_connect_state(tls->ssl);
    if (expect(tls->ssl, server_name))
        return tls;
    tls_destroy(tls);
    return NULL;
}
