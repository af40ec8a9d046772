#include "rpc/tls_context.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* RFC 9113 appendix A forbids all of TLS 1.2 but ephemeral AEAD suites. */
static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

const char *tls_openssl_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason != NULL ? reason : "unknown reason";
}

/* --- what is wrong --- */

bool tls_complain(const struct tls_problem *problem, const char *sentence)
{
    snprintf(problem->text, problem->size, "%s", sentence);
    return false;
}

bool tls_blame(const struct tls_problem *problem, const char *what)
{
    snprintf(problem->text, problem->size, "%s: %s", what,
             tls_openssl_reason());
    return false;
}

/* OpenSSL says "system lib" for a file that is not there. */
bool tls_blame_file(const struct tls_problem *problem, const char *what,
                    const char *path)
{
    const char *why =
        access(path, R_OK) != 0 ? strerror(errno) : tls_openssl_reason();
    snprintf(problem->text, problem->size, "%s %s: %s", what, path, why);
    return false;
}

/* --- a context --- */

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
    SSL_CTX_set_options(context,
                        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(context, ciphers) == 1;
}

/* RELEASE_BUFFERS saves 33 KB of each idle connection.  NO_AUTO_CHAIN: what we
 * show is in the certificate's file, and never comes of the authorities that
 * peers are believed by.  Read-ahead takes many records with one system call.
 */
static void tune(SSL_CTX *context)
{
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS |
                                  SSL_MODE_NO_AUTO_CHAIN |
                                  SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
}

SSL_CTX *tls_context_create(const SSL_METHOD *method,
                            const struct tls_problem *problem)
{
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(method);
    if (context == NULL || !harden(context)) {
        tls_blame(problem, TLS_REFUSES_SETTINGS);
        SSL_CTX_free(context);
        return NULL;
    }
    tune(context);
    return context;
}

bool tls_context_show(SSL_CTX *context, const char *certificate_path,
                      const char *key_path, const struct tls_problem *problem)
{
    if (SSL_CTX_use_certificate_chain_file(context, certificate_path) != 1)
        return tls_blame_file(problem, "cannot read the certificate",
                              certificate_path);
    return SSL_CTX_use_PrivateKey_file(context, key_path, SSL_FILETYPE_PEM) ==
               1 ||
           tls_blame_file(problem, "cannot use the private key", key_path);
}
