#include "services/certificate.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct {
    char folder[64], tls[80], certificate[96], key[96];
    char error[256];
} fixture;

static int setup(void **state)
{
    fixture *t = test_calloc(1, sizeof *t);
    strcpy(t->folder, "/tmp/prbal-certificate-XXXXXX");
    if (mkdtemp(t->folder) == NULL)
        return -1;
    snprintf(t->tls, sizeof t->tls, "%s/tls", t->folder);
    snprintf(t->certificate, sizeof t->certificate, "%s/cert.pem", t->tls);
    snprintf(t->key, sizeof t->key, "%s/key.pem", t->tls);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    fixture *t = *state;
    unlink(t->certificate);
    unlink(t->key);
    rmdir(t->tls);
    rmdir(t->folder);
    test_free(t);
    return 0;
}

static void ensure(fixture *t)
{
    if (!certificate_ensure(t->tls, t->error, sizeof t->error))
        fail_msg("%s", t->error);
}

static X509 *read_certificate(const fixture *t)
{
    FILE *file = fopen(t->certificate, "r");
    assert_non_null(file);
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    assert_non_null(certificate);
    return certificate;
}

static void it_is_for_this_machine_and_for_a_year(void **state)
{
    fixture *t = *state;
    ensure(t);
    X509 *certificate = read_certificate(t);
    assert_int_equal(X509_check_host(certificate, "localhost", 0, 0, NULL), 1);
    assert_int_equal(X509_check_ip_asc(certificate, "127.0.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(certificate, "::1", 0), 1);
    assert_int_equal(X509_check_host(certificate, "example.com", 0, 0, NULL),
                     0);
    assert_int_equal(X509_verify(certificate, X509_get0_pubkey(certificate)),
                     1);

    time_t soon = time(NULL) + 364 * 86400, late = time(NULL) + 366 * 86400;
    const ASN1_TIME *end = X509_get0_notAfter(certificate);
    assert_int_equal(X509_cmp_time(end, &soon), 1);
    assert_int_equal(X509_cmp_time(end, &late), -1);
    X509_free(certificate);
}

static void the_key_fits_and_only_its_user_reads_it(void **state)
{
    fixture *t = *state;
    ensure(t);
    struct stat info;
    assert_int_equal(stat(t->key, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);

    FILE *file = fopen(t->key, "r");
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    X509 *certificate = read_certificate(t);
    assert_int_equal(X509_check_private_key(certificate, key), 1);
    assert_true(EVP_PKEY_is_a(key, "EC"));
    EVP_PKEY_free(key);
    X509_free(certificate);
}

static void a_good_one_is_kept_and_a_broken_one_replaced(void **state)
{
    fixture *t = *state;
    ensure(t);
    X509 *first = read_certificate(t);
    ensure(t);
    X509 *second = read_certificate(t);
    assert_int_equal(X509_cmp(first, second), 0);

    assert_int_equal(truncate(t->certificate, 100), 0);
    ensure(t);
    X509 *third = read_certificate(t);
    assert_int_not_equal(X509_cmp(first, third), 0);
    X509_free(first);
    X509_free(second);
    X509_free(third);
}

static void a_folder_that_cannot_be_made_is_told(void **state)
{
    fixture *t = *state;
    assert_false(certificate_ensure("/proc/tls", t->error, sizeof t->error));
    assert_non_null(strstr(t->error, "The folder /proc/tls cannot be made: "));
}

int main(void)
{
#define PROMISE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        PROMISE(it_is_for_this_machine_and_for_a_year),
        PROMISE(the_key_fits_and_only_its_user_reads_it),
        PROMISE(a_good_one_is_kept_and_a_broken_one_replaced),
        PROMISE(a_folder_that_cannot_be_made_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
