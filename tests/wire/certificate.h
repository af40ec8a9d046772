#ifndef PRBAL_TESTS_WIRE_CERTIFICATE_H
#define PRBAL_TESTS_WIRE_CERTIFICATE_H

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* Certificates and what belongs to them, in files. */
struct certificate {
    char certificate_path[40];
    char key_path[40];
    X509 *x509;
    EVP_PKEY *key;
};

/* How one is to be; zeros are fine. */
struct certificate_wish {
    const char *common_name;      /* NULL = none */
    const char *alternative;      /* "DNS:a,URI:spiffe://b/c"; NULL = none */
    const struct certificate *by; /* NULL = signed by itself */
    bool is_authority;
    long ends_s; /* from now; 0 = in a day */
};

static inline FILE *certificate_file(char *path)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    return file;
}

static inline void certificate_extend(X509 *x509, int kind, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, kind, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(x509, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static inline void certificate_write(struct certificate *made)
{
    FILE *file = certificate_file(made->certificate_path);
    assert_int_equal(PEM_write_X509(file, made->x509), 1);
    fclose(file);
    file = certificate_file(made->key_path);
    assert_int_equal(
        PEM_write_PrivateKey(file, made->key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
}

static inline struct certificate certificate_issue(struct certificate_wish wish)
{
    static long serial;
    struct certificate made = {"/tmp/prbal-cert-XXXXXX",
                               "/tmp/prbal-key-XXXXXX", X509_new(),
                               EVP_EC_gen("P-256")};
    assert_non_null(made.x509);
    assert_non_null(made.key);
    const struct certificate *by = wish.by != NULL ? wish.by : &made;
    X509_set_version(made.x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.x509), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(made.x509), -3600);
    X509_gmtime_adj(X509_getm_notAfter(made.x509),
                    wish.ends_s != 0 ? wish.ends_s : 86400);
    X509_set_pubkey(made.x509, made.key);
    if (wish.common_name != NULL)
        X509_NAME_add_entry_by_txt(
            X509_get_subject_name(made.x509), "CN", MBSTRING_ASC,
            (const unsigned char *)wish.common_name, -1, -1, 0);
    X509_set_issuer_name(made.x509, X509_get_subject_name(by->x509));
    if (wish.is_authority)
        certificate_extend(made.x509, NID_basic_constraints,
                           "critical,CA:TRUE");
    if (wish.alternative != NULL)
        certificate_extend(made.x509, NID_subject_alt_name, wish.alternative);
    assert_true(X509_sign(made.x509, by->key, EVP_sha256()) > 0);
    certificate_write(&made);
    return made;
}

/* A fresh self-signed P-256 certificate for "localhost". */
static inline struct certificate certificate_make(void)
{
    return certificate_issue(
        (struct certificate_wish){.common_name = "localhost"});
}

/* Writes an authority's list of revoked certificates, of one or none, to
 * `path`, a template for mkstemp(). */
static inline void certificate_revoke(const struct certificate *authority,
                                      const struct certificate *revoked,
                                      char *path)
{
    X509_CRL *list = X509_CRL_new();
    ASN1_TIME *now = X509_gmtime_adj(NULL, -60);
    ASN1_TIME *later = X509_gmtime_adj(NULL, 86400);
    X509_CRL_set_version(list, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(list, X509_get_subject_name(authority->x509));
    X509_CRL_set1_lastUpdate(list, now);
    X509_CRL_set1_nextUpdate(list, later);
    if (revoked != NULL) {
        X509_REVOKED *row = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(row,
                                      X509_get_serialNumber(revoked->x509));
        X509_REVOKED_set_revocationDate(row, now);
        X509_CRL_add0_revoked(list, row);
    }
    assert_true(X509_CRL_sign(list, authority->key, EVP_sha256()) > 0);
    FILE *file = certificate_file(path);
    assert_int_equal(PEM_write_X509_CRL(file, list), 1);
    fclose(file);
    ASN1_TIME_free(now);
    ASN1_TIME_free(later);
    X509_CRL_free(list);
}

static inline void certificate_remove(const struct certificate *certificate)
{
    X509_free(certificate->x509);
    EVP_PKEY_free(certificate->key);
    unlink(certificate->certificate_path);
    unlink(certificate->key_path);
}

#endif
