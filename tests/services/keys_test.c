/* The folder of secrets: made once, by one of many, and guarded. */
#include "services/keys.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct {
    char folder[64];
    char path[128];
    char error[256];
} fixture;

static const char *in_folder(fixture *t, const char *name)
{
    snprintf(t->path, sizeof t->path, "%s/%s", t->folder, name);
    return t->path;
}

static bool load(fixture *t)
{
    t->error[0] = '\0';
    return keys_load(t->folder, t->error, sizeof t->error);
}

static void what_is_missing_is_made_and_kept(void **state)
{
    fixture *t = *state;
    uint8_t first[KEYS_SECRET_BYTES], second[KEYS_SECRET_BYTES];
    assert_true(load(t));
    char kid[44];
    memcpy(kid, keys_token(0)->kid, sizeof kid);
    keys_derive("page", first);
    assert_int_equal(strlen(kid), 43);
    assert_true(load(t));
    keys_derive("page", second);
    assert_string_equal(keys_token(0)->kid, kid);
    assert_memory_equal(first, second, sizeof first);
}

static void only_its_user_may_read_them(void **state)
{
    fixture *t = *state;
    struct stat status;
    assert_true(load(t));
    assert_int_equal(stat(in_folder(t, "token.pem"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(stat(in_folder(t, "secret"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void a_secret_that_others_can_read_is_refused(void **state)
{
    fixture *t = *state;
    static const char *const files[] = {"token.pem", "secret"};
    assert_true(load(t));
    for (int i = 0; i < 2; i++) {
        chmod(in_folder(t, files[i]), 0640);
        assert_false(load(t));
        assert_non_null(strstr(t->error, files[i]));
        chmod(in_folder(t, files[i]), 0600);
    }
    assert_true(load(t));
}

static void a_damaged_file_is_refused_and_left_alone(void **state)
{
    fixture *t = *state;
    assert_true(load(t));
    assert_int_equal(truncate(in_folder(t, "secret"), 31), 0);
    assert_false(load(t));
    assert_non_null(strstr(t->error, "32 bytes"));
    struct stat status;
    assert_int_equal(stat(in_folder(t, "secret"), &status), 0);
    assert_int_equal(status.st_size, 31);
}

static void write_key(fixture *t, const char *name, EVP_PKEY *key,
                      bool is_private)
{
    FILE *file = fopen(in_folder(t, name), "we");
    assert_non_null(file);
    assert_int_equal(
        is_private ? PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL)
                   : PEM_write_PUBKEY(file, key),
        1);
    fclose(file);
    chmod(t->path, 0600);
    EVP_PKEY_free(key);
}

static void another_curve_does_not_sign(void **state)
{
    fixture *t = *state;
    mkdir(t->folder, 0700);
    write_key(t, "token.pem", EVP_EC_gen("P-384"), true);
    assert_false(load(t));
    write_key(t, "token.pem", EVP_RSA_gen(2048), true);
    assert_false(load(t));
    assert_non_null(strstr(t->error, "P-256"));
}

static void a_public_key_verifies_and_cannot_be_the_first(void **state)
{
    fixture *t = *state;
    mkdir(t->folder, 0700);
    write_key(t, "token-other.pem", EVP_EC_gen("P-256"), false);
    assert_true(load(t));
    assert_int_equal(keys_token_count(), 2);
    assert_non_null(keys_token(0)->private_pem);
    assert_null(keys_token(1)->private_pem);
    write_key(t, "token.pem", EVP_EC_gen("P-256"), false);
    assert_false(load(t));
}

static void every_purpose_has_a_key_of_its_own(void **state)
{
    fixture *t = *state;
    uint8_t otp[KEYS_SECRET_BYTES], page[KEYS_SECRET_BYTES];
    assert_true(load(t));
    keys_derive("otp", otp);
    keys_derive("page", page);
    assert_memory_not_equal(otp, page, sizeof otp);
}

/* Tells its parent which key it ended with. */
static void race(fixture *t, int out)
{
    char kid[44] = "";
    if (load(t))
        memcpy(kid, keys_token(0)->kid, sizeof kid);
    ssize_t written = write(out, kid, sizeof kid);
    keys_forget();
    _exit(written == sizeof kid ? 0 : 1);
}

static void many_processes_that_start_together_agree(void **state)
{
    enum { PROCESSES = 8 };
    fixture *t = *state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    for (int i = 0; i < PROCESSES; i++)
        if (fork() == 0)
            race(t, ends[1]);
    char first[44], next[44];
    for (int i = 0; i < PROCESSES; i++) {
        assert_int_equal(read(ends[0], next, sizeof next), sizeof next);
        if (i == 0)
            memcpy(first, next, sizeof first);
        assert_int_equal(strlen(next), 43);
        assert_string_equal(next, first);
    }
    for (int i = 0; i < PROCESSES; i++)
        wait(NULL);
    close(ends[0]);
    close(ends[1]);
}

static int start(void **state)
{
    fixture *t = calloc(1, sizeof *t);
    snprintf(t->folder, sizeof t->folder, "/tmp/prbal-keys-test.XXXXXX");
    *state = t;
    return mkdtemp(t->folder) != NULL ? rmdir(t->folder) : -1;
}

static int finish(void **state)
{
    fixture *t = *state;
    static const char *const files[] = {"token.pem", "token-other.pem",
                                        "secret", ""};
    keys_forget();
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        remove(in_folder(t, files[i]));
    free(t);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_missing_is_made_and_kept),
        TEST(only_its_user_may_read_them),
        TEST(a_secret_that_others_can_read_is_refused),
        TEST(a_damaged_file_is_refused_and_left_alone),
        TEST(another_curve_does_not_sign),
        TEST(a_public_key_verifies_and_cannot_be_the_first),
        TEST(every_purpose_has_a_key_of_its_own),
        TEST(many_processes_that_start_together_agree),
    };
    return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
