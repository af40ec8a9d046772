#ifndef PRBAL_TESTS_WIRE_CERTIFICATE_H
#define PRBAL_TESTS_WIRE_CERTIFICATE_H

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* A fresh self-signed P-256 certificate for "localhost", in files. */
struct certificate {
    char certificate_path[40];
    char key_path[40];
};

static inline FILE *certificate_file(char *path)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    return file;
}

static inline struct certificate certificate_make(void)
{
    struct certificate made = {"/tmp/prbal-cert-XXXXXX",
                               "/tmp/prbal-key-XXXXXX"};
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x509 = X509_new();
    assert_non_null(key);
    assert_non_null(x509);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x509), 86400);
    X509_set_pubkey(x509, key);
    X509_NAME *name = X509_get_subject_name(x509);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               (const unsigned char *)"localhost", -1, -1, 0);
    X509_set_issuer_name(x509, name);
    assert_true(X509_sign(x509, key, EVP_sha256()) > 0);

    FILE *file = certificate_file(made.certificate_path);
    assert_int_equal(PEM_write_X509(file, x509), 1);
    fclose(file);
    file = certificate_file(made.key_path);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL),
                     1);
    fclose(file);
    X509_free(x509);
    EVP_PKEY_free(key);
    return made;
}

static inline void certificate_remove(const struct certificate *certificate)
{
    unlink(certificate->certificate_path);
    unlink(certificate->key_path);
}

#endif
