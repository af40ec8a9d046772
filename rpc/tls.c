#include "rpc/tls_internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

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

static bool agreed_on(const struct tls *tls, const char *name)
{
    const unsigned char *protocol;
    unsigned length;
    SSL_get0_alpn_selected(tls->ssl, &protocol, &length);
    return length == strlen(name) && memcmp(protocol, name, length) == 0;
}

/* A ticket repeats what was true when it was given.  What the authorities say
 * now is part of the session's context (rpc/tls_identity.c); the end of the
 * certificate is looked at here. */
static bool is_out_of_date(const struct tls *tls)
{
    const X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
    return certificate != NULL &&
           X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0;
}

/* Stale entries of OpenSSL's per-thread error queue would be taken for this
 * call's, hence the ERR_clear_error() before each. */
tls_result tls_handshake(struct tls *tls)
{
    ERR_clear_error();
    int outcome = SSL_do_handshake(tls->ssl);
    if (outcome != 1)
        return explain(tls, outcome);
    if (!SSL_is_server(tls->ssl) && !agreed_on(tls, "h2")) {
        tls->failure = "the server does not agree to h2 by ALPN";
        return TLS_FAILED;
    }
    if (SSL_session_reused(tls->ssl) && is_out_of_date(tls)) {
        tls->failure = "certificate has expired";
        return TLS_FAILED;
    }
    return TLS_DONE;
}

/* Never by the first bytes, which those who attack across protocols choose
 * (ALPACA): HTTP/2 is agreed or not spoken (RFC 9113 3.2).  Who offers nothing,
 * as Node's https and Python's http.client do, speaks HTTP/1.1; who offers only
 * something else has been refused by rpc/tls_identity.c. */
bool tls_is_http_1(const struct tls *tls)
{
    return !agreed_on(tls, "h2");
}

bool tls_is_resumed(const struct tls *tls)
{
    return SSL_session_reused(tls->ssl) == 1;
}

const char *tls_version(const struct tls *tls)
{
    return SSL_get_version(tls->ssl);
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
