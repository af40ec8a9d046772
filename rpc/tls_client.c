#include "rpc/tls_client.h"

#include "rpc/tls_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* RFC 9113 appendix A forbids all of TLS 1.2 but ephemeral AEAD suites. */
static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

static const unsigned char h2[] = {2, 'h', '2'};

/* Certificates between the server's and its root. */
enum { CHAIN_MAX = 8 };

/* A key with a passphrase must fail, not ask the terminal. */
static int no_passphrase(char *buffer, int size, int writing, void *argument)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)argument;
    return -1;
}

/* SSL_CTX_set_alpn_protos() is the one that answers 0 when it went well. */
static bool harden(SSL_CTX *context)
{
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_verify_depth(context, CHAIN_MAX);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS |
                                  SSL_MODE_NO_AUTO_CHAIN |
                                  SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(context, ciphers) == 1 &&
           SSL_CTX_set_alpn_protos(context, h2, sizeof h2) == 0;
}

struct problem {
    char *text;
    size_t size;
};

/* OpenSSL says "system lib" for a file that is not there. */
static bool blame(const struct problem *problem, const char *what,
                  const char *path)
{
    const char *why =
        access(path, R_OK) != 0 ? strerror(errno) : tls_openssl_reason();
    snprintf(problem->text, problem->size, "%s %s: %s", what, path, why);
    return false;
}

static bool believe(SSL_CTX *context, const char *ca_path,
                    const struct problem *problem)
{
    if (ca_path == NULL) {
        if (SSL_CTX_set_default_verify_paths(context) == 1)
            return true;
        snprintf(problem->text, problem->size,
                 "the system's authorities cannot be read: %s",
                 tls_openssl_reason());
        return false;
    }
    return SSL_CTX_load_verify_locations(context, ca_path, NULL) == 1 ||
           blame(problem, "cannot read the authorities", ca_path);
}

static bool show(SSL_CTX *context, const char *certificate_path,
                 const char *key_path, const struct problem *problem)
{
    if (certificate_path == NULL)
        return true;
    if (key_path == NULL) {
        snprintf(problem->text, problem->size,
                 "the certificate %s comes without a key", certificate_path);
        return false;
    }
    if (SSL_CTX_use_certificate_chain_file(context, certificate_path) != 1)
        return blame(problem, "cannot read the certificate", certificate_path);
    return SSL_CTX_use_PrivateKey_file(context, key_path, SSL_FILETYPE_PEM) ==
               1 ||
           blame(problem, "cannot use the private key", key_path);
}

struct tls_identity *tls_client_load(const char *ca_path,
                                     const char *certificate_path,
                                     const char *key_path, char *error,
                                     size_t error_size)
{
    const struct problem problem = {error, error_size};
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL || !harden(context)) {
        snprintf(error, error_size, "OpenSSL refuses our settings: %s",
                 tls_openssl_reason());
    } else if (believe(context, ca_path, &problem) &&
               show(context, certificate_path, key_path, &problem)) {
        return (struct tls_identity *)context;
    }
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
