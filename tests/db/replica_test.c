/* Reads by a real streaming standby: what carries a token never sees less than
 * the token says, whatever happens to the standby. */
#include "db/embedded.h"
#include "db/position.h"
#include "rpc/call_state.h"
#include "rpc/clock.h"
#include "tests/db/rows.rpc.h"
#include "tests/db/rows.sql.h"
#include "tests/testkit/dbkit.h"
#include "tests/testkit/standby.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

enum { PATIENCE_US = 20 * 1000000, LOOK_MS = 5 };

static char folder[64];
static struct embedded *primary;
static struct standby *standby;
static PGconn *standby_pg; /* looks at the standby from outside */
static char token[DB_READ_AFTER_BYTES + 1];

static const struct rpc_method reading = {.has_no_side_effects = true};
static const struct rpc_method fresh = {.has_no_side_effects = true,
                                        .is_fresh = true};
static const struct rpc_method writing = {.path = "/test/Write"};

/* ------------------------------------------------------- calls of the test */

/* A read by a method, with metadata; what it found. */
struct reading {
    const struct rpc_method *method;
    const char *token; /* NULL = none */
    int item_id;
    bool in_transaction;
    bool by_standby;
    int64_t amount;
};

static void set_token(struct rpc_call *call, const char *text)
{
    static const char name[] = "prbal-read-after";
    struct rpc_field *field = ARENA_NEW(call->arena, struct rpc_field);
    *field = (struct rpc_field){.name = name,
                                .name_size = sizeof name - 1,
                                .value = text,
                                .value_size = (uint32_t)strlen(text)};
    call_state_of(call)->head.metadata = field;
}

static rpc_status read_both(struct db *db, struct reading *r)
{
    Part *answerer, *item;
    TRY(db_one(db, &test_is_standby, &answerer, DB_NONE));
    TRY(db_find(db, &test_item_by_id, &item, db_int(r->item_id)));
    r->by_standby = answerer->yes;
    r->amount = item == NULL ? -1 : item->amount;
    return RPC_SUCCESS;
}

static rpc_status read_it(struct rpc_call *call, void *argument)
{
    struct reading *r = argument;
    struct db *db = call->db;
    call->method = r->method;
    if (r->token != NULL)
        set_token(call, r->token);
    if (r->in_transaction)
        TRY(db_begin(call->db, &db));
    return read_both(db, r);
}

static struct reading read_by(struct dbkit *t, const struct rpc_method *method,
                              const char *with)
{
    struct reading r = {.method = method, .token = with, .item_id = 1};
    assert_ok(dbkit_run(t, read_it, &r));
    return r;
}

static struct reading read_with(struct dbkit *t, const char *with)
{
    return read_by(t, &reading, with);
}

/* The same until the standby answers: on a machine that stalls it is passed
 * over now and then. */
static struct reading read_by_standby(struct dbkit *t, const char *with)
{
    int64_t end_us = clock_monotonic_us() + PATIENCE_US;
    struct reading r = read_with(t, with);
    while (!r.by_standby && clock_monotonic_us() < end_us) {
        dbkit_idle(t, LOOK_MS);
        r = read_with(t, with);
    }
    assert_true(r.by_standby);
    return r;
}

static rpc_status add_one(struct rpc_call *call, void *argument)
{
    Part *part;
    (void)argument;
    call->method = &writing;
    TRY(db_one(call->db, &test_item_add, &part, db_int(1), db_int(1)));
    token[0] = '\0';
    if (db_read_after(call, token))
        token[DB_READ_AFTER_BYTES] = '\0';
    return RPC_SUCCESS;
}

static rpc_status add_one_in_a_transaction(struct rpc_call *call,
                                           void *argument)
{
    Part *part;
    struct db *tx;
    (void)argument;
    call->method = &writing;
    TRY(db_begin(call->db, &tx));
    TRY(db_one(tx, &test_item_add, &part, db_int(1), db_int(1)));
    TRY(db_commit(tx));
    token[0] = '\0';
    if (db_read_after(call, token))
        token[DB_READ_AFTER_BYTES] = '\0';
    return RPC_SUCCESS;
}

/* One more; `token` is what the call would have told its client. */
static void write_one(struct dbkit *t)
{
    assert_ok(dbkit_run(t, add_one, NULL));
    assert_int_equal(strlen(token), DB_READ_AFTER_BYTES);
}

static int64_t amount(struct dbkit *t)
{
    return dbkit_number(t, "select amount from test_item where item_id = 1");
}

/* ------------------------------------------------------------- the standby */

static void on_standby(const char *sql)
{
    PGresult *r = PQexec(standby_pg, sql);
    if (PQresultStatus(r) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQresultErrorMessage(r));
    PQclear(r);
}

static void look_at_standby(void)
{
    PQfinish(standby_pg);
    standby_pg = PQconnectdb(standby_url(standby));
    assert_int_equal(PQstatus(standby_pg), CONNECTION_OK);
}

/* Runs the loop until so many of the pool's standbys can serve. */
static bool serving_becomes(struct dbkit *t, int count)
{
    int64_t end_us = clock_monotonic_us() + PATIENCE_US;
    while (db_pool_stats(t->pool).replicas_serving != count) {
        if (clock_monotonic_us() > end_us)
            return false;
        dbkit_idle(t, LOOK_MS);
    }
    return true;
}

/* Until the standby has all, and is seen to. */
static void await_standby(struct dbkit *t)
{
    write_one(t);
    read_by_standby(t, token);
}

static int setup(void **state)
{
    char error[512];
    snprintf(folder, sizeof folder, "/tmp/prbal-replica.XXXXXX");
    if (mkdtemp(folder) == NULL || chmod(folder, 0711) != 0)
        return 1;
    primary = embedded_start(
        &(struct embedded_options){.folder = folder, .throw_away = true}, error,
        sizeof error);
    if (primary == NULL) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    standby = standby_create(embedded_url(primary));
    PGconn *pg = PQconnectdb(embedded_url(primary));
    /* Commits are waited for, as in a server that is not thrown away. */
    PQclear(PQexec(pg, "alter database prbal set synchronous_commit = on"));
    PQfinish(pg);
    struct dbkit *t = dbkit_create(&(struct db_pool_options){
        .url = embedded_url(primary),
        .prepare = true,
        .replica_urls = standby_url(standby),
        .replica_lag_ms = 60000, /* on a machine that stalls */
    });
    *state = t;
    dbkit_sql(t, "create table test_item (item_id integer primary key,"
                 "  name text not null, amount bigint not null);"
                 "insert into test_item values (1, 'item', 0)");
    return 0;
}

static int teardown(void **state)
{
    char command[128];
    PQfinish(standby_pg);
    dbkit_destroy(*state);
    standby_destroy(standby);
    embedded_stop(primary);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static int before_each(void **state)
{
    look_at_standby();
    await_standby(*state);
    return 0;
}

/* -------------------------------------------------------------------------- */

static void tokens_are_ordered_as_positions_are(void **state)
{
    static const struct position rising[] = {
        {1, 1, 1},
        {1, 1, 2},
        {1, 1, 0x100000000},
        {1, 2, 1},
        {1, 0xffffffff, 1},
        {2, 1, 1},
        {0x10000000000, 1, 1},
        {UINT64_MAX, 1, 1},
        {UINT64_MAX, UINT32_MAX, UINT64_MAX}};
    char last[DB_READ_AFTER_BYTES] = {0}, text[DB_READ_AFTER_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof rising / sizeof *rising; i++) {
        struct position back;
        position_write(&rising[i], text);
        assert_true(memcmp(text, last, sizeof text) > 0);
        assert_true(position_parse(&back, text, sizeof text));
        assert_int_equal(position_compare(&back, &rising[i]), 0);
        memcpy(last, text, sizeof last);
    }
}

static void a_position_covers_what_came_before_it_in_its_cluster(void **state)
{
    static const struct {
        struct position have, want;
        bool covers;
    } cases[] = {
        {{1, 1, 5}, {1, 1, 5}, true},
        {{1, 1, 5}, {1, 1, 6}, false},
        {{1, 2, 5}, {1, 1, 5}, true},  /* after a failover */
        {{1, 1, 9}, {1, 2, 5}, false}, /* has not followed it */
        {{2, 1, 9}, {1, 1, 5}, false}, /* another database */
        {{1, 1, 9}, {2, 1, 5}, false},
        {{1, 1, 0}, {1, 1, 0}, false}, /* not known */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(position_covers(&cases[i].have, &cases[i].want),
                         cases[i].covers);
}

static void what_is_no_token_is_not_read(void **state)
{
    static const char *const texts[] = {
        "",
        "0",
        "000000000000000100000001000000000000000",   /* one too few */
        "00000000000000010000000100000000000000001", /* one too many */
        "0000000000000001000000010000000000000000",  /* nowhere */
        "000000000000000100000001000000000000000G",
        "000000000000000100000001000000000000000A", /* not as text it compares
                                                     */
        "0000000000000001 0000001000000000000000a",
    };
    struct position p;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_false(position_parse(&p, texts[i], strlen(texts[i])));
}

static void a_write_tells_its_position(void **state)
{
    struct dbkit *t = *state;
    char earlier[sizeof token];
    write_one(t);
    memcpy(earlier, token, sizeof token);
    assert_ok(dbkit_run(t, add_one_in_a_transaction, NULL));
    assert_int_equal(strlen(token), DB_READ_AFTER_BYTES);
    assert_true(strcmp(earlier, token) < 0);
}

/* As through a proxy that pools by transaction. */
static void a_write_tells_it_without_prepared_statements(void **state)
{
    struct dbkit *t =
        dbkit_create(&(struct db_pool_options){.url = embedded_url(primary)});
    char earlier[sizeof token];
    (void)state;
    write_one(t);
    memcpy(earlier, token, sizeof token);
    assert_ok(dbkit_run(t, add_one_in_a_transaction, NULL));
    assert_true(strcmp(earlier, token) < 0);
    dbkit_destroy(t);
}

/* It may not be asked: writes go on, and tell nothing. */
static void a_server_that_does_not_tell_is_written_to_all_the_same(void **state)
{
    struct dbkit *admin = *state;
    char url[512];
    dbkit_sql(admin,
              "create role test_quiet login;"
              "grant all on all tables in schema public to test_quiet;"
              "revoke execute on function pg_control_system() from public");
    snprintf(url, sizeof url, "%s user=test_quiet", embedded_url(primary));
    struct dbkit *t =
        dbkit_create(&(struct db_pool_options){.url = url, .prepare = true});
    int64_t before = amount(admin);
    for (int i = 0; i < 3; i++) {
        assert_ok(dbkit_run(t, add_one, NULL));
        assert_string_equal(token, "");
        assert_ok(dbkit_run(t, add_one_in_a_transaction, NULL));
        assert_string_equal(token, "");
    }
    assert_int_equal(amount(admin), before + 6);
    dbkit_destroy(t);
    dbkit_sql(admin, "grant execute on function pg_control_system() to public");
}

static rpc_status read_and_tell(struct rpc_call *call, void *argument)
{
    Part *part;
    call->method = &writing;
    TRY(db_one(call->db, &test_item_by_id, &part, db_int(1)));
    *(bool *)argument = db_read_after(call, token);
    return RPC_SUCCESS;
}

static rpc_status write_in_vain(struct rpc_call *call, void *argument)
{
    struct db *tx;
    call->method = &writing;
    TRY(db_begin(call->db, &tx));
    TRY(db_exec(tx, &test_item_insert, NULL, db_int(2), db_text("item"),
                db_int(1)));
    db_rollback(tx);
    *(bool *)argument = db_read_after(call, token);
    return RPC_SUCCESS;
}

static void what_has_not_written_tells_nothing(void **state)
{
    bool tells = true;
    assert_ok(dbkit_run(*state, read_and_tell, &tells));
    assert_false(tells);
    assert_ok(dbkit_run(*state, write_in_vain, &tells));
    assert_false(tells);
}

static void a_standby_that_has_the_write_answers(void **state)
{
    struct reading r = read_by_standby(*state, token);
    assert_int_equal(r.amount, amount(*state));
}

static void one_that_has_it_not_is_not_asked(void **state)
{
    struct dbkit *t = *state;
    on_standby("select pg_wal_replay_pause()");
    for (int i = 0; i < 10; i++) {
        write_one(t);
        struct reading r = read_with(t, token);
        assert_false(r.by_standby);
        assert_int_equal(r.amount, amount(t));
    }
    on_standby("select pg_wal_replay_resume()");
    await_standby(t);
}

/* What an older token asks for it still has. */
static void an_older_token_is_served_while_the_standby_stands_still(
    void **state)
{
    struct dbkit *t = *state;
    char old[sizeof token];
    memcpy(old, token, sizeof token);
    int64_t before = amount(t);
    on_standby("select pg_wal_replay_pause()");
    write_one(t);
    struct reading r = read_by_standby(t, old);
    assert_int_equal(r.amount, before); /* stale, as it may be */
    on_standby("select pg_wal_replay_resume()");
    await_standby(t);
}

static void many_pairs_are_never_stale(void **state)
{
    struct dbkit *t = *state;
    int by_standby = 0, stale = 0;
    for (int i = 0; i < 200; i++) {
        write_one(t);
        struct reading r = read_with(t, token);
        by_standby += r.by_standby;
        stale += r.amount != amount(t);
    }
    print_message("%d of 200 reads by the standby\n", by_standby);
    assert_int_equal(stale, 0);
}

static void calls_without_a_token_stay_with_the_primary(void **state)
{
    assert_false(read_with(*state, NULL).by_standby);
}

static void what_cannot_be_compared_is_the_primarys(void **state)
{
    struct dbkit *t = *state;
    char other[sizeof token];
    memcpy(other, token, sizeof token);
    other[0] = other[0] == '0' ? '1' : '0'; /* another cluster's */
    assert_false(read_with(t, other).by_standby);
    assert_false(read_with(t, "not a token").by_standby);
    assert_false(read_with(t, "").by_standby);
    memcpy(other, token, sizeof token);
    other[16] = 'f'; /* a timeline that is still to come */
    assert_false(read_with(t, other).by_standby);
}

static rpc_status write_and_read(struct rpc_call *call, void *argument)
{
    struct reading *r = argument;
    Part *part;
    call->method = &reading;
    set_token(call, r->token);
    TRY(db_one(call->db, &test_item_add, &part, db_int(1), db_int(1)));
    return read_both(call->db, r);
}

static void what_decides_is_read_from_the_primary(void **state)
{
    struct dbkit *t = *state;
    assert_false(read_by(t, &writing, token).by_standby);
    assert_false(read_by(t, &fresh, token).by_standby);
    assert_false(read_by(t, NULL, token).by_standby); /* a task */
    struct reading r = {.method = &reading,
                        .token = token,
                        .item_id = 1,
                        .in_transaction = true};
    assert_ok(dbkit_run(t, read_it, &r));
    assert_false(r.by_standby);
    assert_ok(dbkit_run(t, write_and_read, &r));
    assert_false(r.by_standby);
    assert_int_equal(r.amount, amount(t));
}

static rpc_status fail_on_standby(struct rpc_call *call, void *argument)
{
    struct reading *r = argument;
    Part *part;
    call->method = &reading;
    set_token(call, token);
    TRY(db_one(call->db, &test_fails_on_standby, &part, DB_NONE));
    return read_both(call->db, r);
}

static void what_fails_there_is_done_by_the_primary(void **state)
{
    struct reading r = {.item_id = 1};
    assert_ok(dbkit_run(*state, fail_on_standby, &r));
    assert_false(r.by_standby);
}

static void a_standby_that_dies_is_missed_by_nobody(void **state)
{
    struct dbkit *t = *state;
    PQfinish(standby_pg);
    standby_pg = NULL;
    standby_kill(standby);
    for (int i = 0; i < 20; i++) {
        write_one(t);
        struct reading r = read_with(t, token);
        assert_false(r.by_standby);
        assert_int_equal(r.amount, amount(t));
    }
    standby_start(standby);
    await_standby(t);
}

static void one_that_is_late_answers_nobody(void **state)
{
    struct dbkit *t = dbkit_create(&(struct db_pool_options){
        .url = embedded_url(primary),
        .prepare = true,
        .replica_urls = standby_url(standby),
        .replica_lag_ms = 300,
        .replica_without_token = true,
    });
    (void)state;
    assert_true(serving_becomes(t, 1));
    on_standby("select pg_wal_replay_pause()");
    write_one(t);
    assert_true(serving_becomes(t, 0));
    assert_false(read_with(t, NULL).by_standby);
    assert_false(read_with(t, token).by_standby);
    on_standby("select pg_wal_replay_resume()");
    assert_true(serving_becomes(t, 1));
    dbkit_destroy(t);
}

/* Without the token the same pairs are stale: the tests above can fail. */
static void without_tokens_pairs_are_stale(void **state)
{
    struct dbkit *t = dbkit_create(&(struct db_pool_options){
        .url = embedded_url(primary),
        .prepare = true,
        .replica_urls = standby_url(standby),
        .replica_lag_ms = 60000,
        .replica_without_token = true,
    });
    (void)state;
    assert_true(serving_becomes(t, 1));
    on_standby("select pg_wal_replay_pause()");
    write_one(t);
    struct reading r = read_by_standby(t, NULL);
    assert_int_equal(r.amount, amount(t) - 1);
    on_standby("select pg_wal_replay_resume()");
    dbkit_destroy(t);
}

/* The last: there is no way back. */
static void one_that_was_promoted_answers_nobody(void **state)
{
    struct dbkit *t = *state;
    on_standby("select pg_promote()");
    assert_true(serving_becomes(t, 0));
    write_one(t);
    struct reading r = read_with(t, token);
    assert_false(r.by_standby);
    assert_int_equal(r.amount, amount(t));
}

#define ON_STANDBY(f) cmocka_unit_test_setup(f, before_each)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_ordered_as_positions_are),
        cmocka_unit_test(a_position_covers_what_came_before_it_in_its_cluster),
        cmocka_unit_test(what_is_no_token_is_not_read),
        cmocka_unit_test(a_write_tells_its_position),
        cmocka_unit_test(a_write_tells_it_without_prepared_statements),
        cmocka_unit_test(
            a_server_that_does_not_tell_is_written_to_all_the_same),
        cmocka_unit_test(what_has_not_written_tells_nothing),
        ON_STANDBY(a_standby_that_has_the_write_answers),
        ON_STANDBY(one_that_has_it_not_is_not_asked),
        ON_STANDBY(an_older_token_is_served_while_the_standby_stands_still),
        ON_STANDBY(many_pairs_are_never_stale),
        ON_STANDBY(calls_without_a_token_stay_with_the_primary),
        ON_STANDBY(what_cannot_be_compared_is_the_primarys),
        ON_STANDBY(what_decides_is_read_from_the_primary),
        ON_STANDBY(what_fails_there_is_done_by_the_primary),
        ON_STANDBY(a_standby_that_dies_is_missed_by_nobody),
        ON_STANDBY(one_that_is_late_answers_nobody),
        ON_STANDBY(without_tokens_pairs_are_stale),
        ON_STANDBY(one_that_was_promoted_answers_nobody),
    };
    return cmocka_run_group_tests_name("replica", tests, setup, teardown);
}
