/* The connection for hints: what it hears, and that it comes back. */
#include "db/listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/testkit/dbkit.h"

enum { HEARD_MAX = 16 };

struct ears {
    struct db_listener *listener;
    int beginnings; /* heard(NULL): the connection is there */
    int count;
    char payloads[HEARD_MAX][32];
};

static void heard(const char *payload, void *owner)
{
    struct ears *ears = owner;
    if (payload == NULL) {
        ears->beginnings++;
        return;
    }
    snprintf(ears->payloads[ears->count % HEARD_MAX], sizeof ears->payloads[0],
             "%s", payload);
    ears->count++;
}

/* Runs the loop until a counter has reached a number, at most 10 seconds. */
static void await(struct dbkit *kit, const int *counter, int number)
{
    for (int i = 0; i < 1000 && *counter < number; i++)
        dbkit_idle(kit, 10);
    assert_int_equal(*counter, number);
}

static void begin(struct dbkit *kit, struct ears *ears, const char *channel)
{
    *ears = (struct ears){0};
    ears->listener = db_listener_create(kit->loop, scratch_url(kit->scratch),
                                        channel, heard, ears);
    await(kit, &ears->beginnings, 1);
}

static void notifications_of_the_channel_are_heard_in_order(void **state)
{
    struct dbkit *kit = *state;
    struct ears ears;
    begin(kit, &ears, "one_channel");
    dbkit_sql(kit, "notify one_channel, 'first'");
    dbkit_sql(kit, "notify other_channel, 'nothing for us'");
    dbkit_sql(kit, "notify one_channel, 'second'");
    await(kit, &ears.count, 2);
    assert_string_equal(ears.payloads[0], "first");
    assert_string_equal(ears.payloads[1], "second");
    db_listener_destroy(ears.listener);
}

static void what_one_sends_all_hear(void **state)
{
    struct dbkit *kit = *state;
    struct ears sender, other;
    begin(kit, &sender, "one_channel");
    begin(kit, &other, "one_channel");
    assert_true(db_listener_notify(sender.listener, "it's here"));
    assert_false(db_listener_notify(sender.listener, "too early"));
    await(kit, &other.count, 1);
    await(kit, &sender.count, 1);
    assert_string_equal(other.payloads[0], "it's here");
    assert_string_equal(sender.payloads[0], "it's here");
    assert_true(db_listener_notify(sender.listener, "again"));
    await(kit, &other.count, 2);
    db_listener_destroy(sender.listener);
    db_listener_destroy(other.listener);
}

static void a_connection_that_was_cut_comes_back_and_says_so(void **state)
{
    struct dbkit *kit = *state;
    struct ears ears;
    begin(kit, &ears, "one_channel");
    dbkit_sql(kit, "select pg_terminate_backend(pid) from pg_stat_activity "
                   "where application_name = 'prbal listener' and datname = "
                   "current_database()");
    await(kit, &ears.beginnings, 2);
    dbkit_sql(kit, "notify one_channel, 'after'");
    await(kit, &ears.count, 1);
    assert_string_equal(ears.payloads[0], "after");
    db_listener_destroy(ears.listener);
}

/* Nothing listens there: it goes on trying, and neither hears nor sends. */
static void a_server_that_is_away_blocks_nothing(void **state)
{
    struct dbkit *kit = *state;
    struct ears ears = {0};
    ears.listener = db_listener_create(
        kit->loop, "host=/nonexistent user=nobody dbname=nothing",
        "one_channel", heard, &ears);
    assert_false(db_listener_notify(ears.listener, "lost"));
    dbkit_idle(kit, 250); /* some attempts */
    assert_int_equal(ears.beginnings, 0);
    assert_false(db_listener_notify(ears.listener, "lost"));
    db_listener_destroy(ears.listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notifications_of_the_channel_are_heard_in_order),
        cmocka_unit_test(what_one_sends_all_hear),
        cmocka_unit_test(a_connection_that_was_cut_comes_back_and_says_so),
        cmocka_unit_test(a_server_that_is_away_blocks_nothing),
    };
    return cmocka_run_group_tests_name("listener", tests, dbkit_setup,
                                       dbkit_teardown);
}
