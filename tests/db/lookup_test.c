#include "db/lookup.h"

#include "rpc/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct answer {
    bool done;
    char address[64];
};

static void found(const char *address, void *owner)
{
    struct answer *answer = owner;
    snprintf(answer->address, sizeof answer->address, "%s",
             address == NULL ? "none" : address);
    answer->done = true;
}

static const char *look_up(struct loop *loop, const char *url,
                           struct answer *answer)
{
    *answer = (struct answer){.done = false};
    assert_non_null(lookup_start(loop, url, found, answer));
    assert_false(answer->done);
    loop_run_until(loop, &answer->done);
    return answer->address;
}

static void a_host_name_becomes_an_address(void **state)
{
    struct answer answer;
    const char *address =
        look_up(*state, "postgresql://me@localhost:1/x", &answer);
    assert_true(strcmp(address, "127.0.0.1") == 0 ||
                strcmp(address, "::1") == 0);
}

static void a_name_that_cannot_be_is_told(void **state)
{
    struct answer answer;
    assert_string_equal(look_up(*state, "host=a..b", &answer), "none");
}

static void what_is_no_name_is_not_looked_up(void **state)
{
    static const char *const urls[] = {"",
                                       "dbname=x",
                                       "host=/run/postgresql",
                                       "host=127.0.0.1",
                                       "postgresql://[::1]:5432/x",
                                       "host=one,two",
                                       "host=x hostaddr=10.0.0.1",
                                       "not a connection string"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
        assert_null(lookup_start(*state, urls[i], found, NULL));
}

static void a_cancelled_one_calls_nobody(void **state)
{
    struct answer cancelled = {.done = false}, answer;
    lookup_cancel(lookup_start(*state, "host=localhost", found, &cancelled));
    look_up(*state, "host=localhost", &answer);
    assert_false(cancelled.done);
    lookup_cancel(NULL);
}

static void our_settings_follow_those_of_the_url(void **state)
{
    (void)state;
    PGconn *pg = lookup_connect("host=/nonexistent options='-c a.b=1'", NULL,
                                "me", "-c c.d=2");
    assert_string_equal(PQoptions(pg), "-c a.b=1 -c c.d=2");
    PQfinish(pg);
}

static int setup(void **state)
{
    *state = loop_create();
    return 0;
}

static int teardown(void **state)
{
    loop_destroy(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_name_becomes_an_address),
        cmocka_unit_test(a_name_that_cannot_be_is_told),
        cmocka_unit_test(what_is_no_name_is_not_looked_up),
        cmocka_unit_test(a_cancelled_one_calls_nobody),
        cmocka_unit_test(our_settings_follow_those_of_the_url),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
