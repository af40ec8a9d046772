/* The log of events: numbers, order, and what is deleted. */
#include "db/db.h"
#include "prbal/v1/event.rpc.h"
#include "rpc/codec.h"
#include "rpc/loop.h"
#include "services/events/events.h"
#include "services/events/trim.h"
#include "services/events/wire.h"
#include "tests/testkit/testkit.h"

#include <libpq-fe.h>
#include <stdio.h>

enum { WRITERS = 20, TRANSACTIONS = 10, PEOPLE = 4 };

/* ---- Work on the server's loop: asserts stay outside of it. */

struct work {
    rpc_status (*fn)(struct rpc_call *call, struct work *work);
    const char *user_ids[PEOPLE];
    int number;      /* of the writer */
    int64_t deleted; /* by trimming */
    rpc_code code;
    int *left;
    bool done;
};

static void on_work(struct rpc_call *call, void *argument)
{
    struct work *work = argument;
    work->code = work->fn(call, work).code;
    if (work->left == NULL || --*work->left == 0)
        work->done = true;
}

static void run_work(fixture *t, struct work *work)
{
    struct loop *loop = rpc_server_loop(t->server, 0);
    work->done = false;
    assert_non_null(rpc_task(t->server, loop, on_work, work));
    loop_run_until(loop, &work->done);
}

static void append_bid(struct db *tx, const char *user_id, const char *bid_id)
{
    event_bid_updated(tx, user_id, bid_id, "", BID_STATUS_PENDING);
}

static void make_people(fixture *t, const char **user_ids)
{
    for (int i = 0; i < PEOPLE; i++)
        user_ids[i] = person(t, USER_TYPE_SEEKER).user_id;
}

/* ---- Numbers. */

/* Every second writer names the people in the other order, which is what makes
 * a deadlock when counters are bumped as they come. */
static rpc_status write_some(struct rpc_call *call, struct work *work)
{
    for (int i = 0; i < TRANSACTIONS; i++) {
        struct db *tx;
        TRY(db_begin(call->db, &tx));
        for (int k = 0; k < PEOPLE; k++) {
            int who = work->number % 2 == 0 ? k : PEOPLE - 1 - k;
            append_bid(tx, work->user_ids[who], "a");
            if (k == i % PEOPLE)
                append_bid(tx, work->user_ids[who], "b");
        }
        TRY(db_commit(tx));
    }
    return RPC_SUCCESS;
}

static void twenty_writers_leave_no_gap(void **state)
{
    fixture *t = *state;
    int left = WRITERS;
    struct work work[WRITERS];
    memset(work, 0, sizeof work);
    make_people(t, work[0].user_ids);
    struct loop *loop = rpc_server_loop(t->server, 0);
    for (int i = 0; i < WRITERS; i++) {
        memcpy(work[i].user_ids, work[0].user_ids, sizeof work[0].user_ids);
        work[i].fn = write_some;
        work[i].number = i;
        work[i].left = &left;
        assert_non_null(rpc_task(t->server, loop, on_work, &work[i]));
    }
    while (left > 0)
        run_for(t, 5);

    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(work[i].code, RPC_OK);
    int64_t total = 0;
    for (int i = 0; i < PEOPLE; i++) {
        const char *who = work[0].user_ids[i];
        int64_t count = number(
            t, "select count(*) from user_event where user_id = '%s'", who);
        total += count;
        assert_int_equal(
            number(t, "select max(seq) from user_event where user_id = '%s'",
                   who),
            count);
        assert_int_equal(number(t,
                                "select last_seq from user_event_cursor where "
                                "user_id = '%s'",
                                who),
                         count);
    }
    assert_int_equal(total, WRITERS * TRANSACTIONS * (PEOPLE + 1));
}

static rpc_status write_and_roll_back(struct rpc_call *call, struct work *work)
{
    struct db *tx;
    TRY(db_begin(call->db, &tx));
    append_bid(tx, work->user_ids[0], "lost");
    db_rollback(tx);
    TRY(db_begin(call->db, &tx));
    append_bid(tx, work->user_ids[0], "kept");
    return db_commit(tx);
}

static void a_transaction_that_is_rolled_back_tells_nobody(void **state)
{
    fixture *t = *state;
    struct work work = {.fn = write_and_roll_back};
    make_people(t, work.user_ids);
    run_work(t, &work);
    assert_int_equal(work.code, RPC_OK);
    assert_int_equal(number(t,
                            "select count(*) from user_event where user_id = "
                            "'%s'",
                            work.user_ids[0]),
                     1);
    assert_int_equal(number(t,
                            "select seq from user_event where user_id = '%s'",
                            work.user_ids[0]),
                     1);
}

static rpc_status write_in_order(struct rpc_call *call, struct work *work)
{
    struct db *tx;
    TRY(db_begin(call->db, &tx));
    for (int i = 0; i < 25; i++) {
        const char *name = arena_printf(call->arena, "bid %d", i);
        append_bid(tx, work->user_ids[0], name);
        append_bid(tx, work->user_ids[1], name);
    }
    return db_commit(tx);
}

static rpc_status write_too_many(struct rpc_call *call, struct work *work)
{
    struct db *tx;
    TRY(db_begin(call->db, &tx));
    for (int i = 0; i < EVENTS_PER_TRANSACTION_MAX + work->number; i++)
        append_bid(tx, work->user_ids[0], "a");
    return db_commit(tx);
}

static void a_transaction_has_a_limit_of_events(void **state)
{
    fixture *t = *state;
    struct work work = {.fn = write_too_many, .number = 1};
    make_people(t, work.user_ids);
    run_work(t, &work);
    assert_int_equal(work.code, RPC_RESOURCE_EXHAUSTED);
    work.number = 0;
    run_work(t, &work);
    assert_int_equal(work.code, RPC_OK);
    assert_int_equal(number(t,
                            "select last_seq from user_event_cursor where "
                            "user_id = '%s'",
                            work.user_ids[0]),
                     EVENTS_PER_TRANSACTION_MAX);
}

/* The stored payload of an event, decoded. */
static const Event *stored_event(fixture *t, const char *user_id, int seq)
{
    const char *hex = text(t,
                           "select encode(payload, 'hex') from user_event "
                           "where user_id = '%s' and seq = %d",
                           user_id, seq);
    size_t size = strlen(hex) / 2;
    uint8_t *bytes = arena_alloc(t->arena, size);
    for (size_t i = 0; i < size; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        bytes[i] = (uint8_t)byte;
    }
    struct codec_error error;
    const Event *event = (const Event *)codec_decode(t->arena, EVENT_DESCRIPTOR,
                                                     bytes, size, &error);
    assert_non_null(event);
    return event;
}

static void events_of_a_transaction_keep_their_order(void **state)
{
    fixture *t = *state;
    struct work work = {.fn = write_in_order};
    make_people(t, work.user_ids);
    run_work(t, &work);
    assert_int_equal(work.code, RPC_OK);
    for (int i = 0; i < 25; i++) {
        const Event *event = stored_event(t, work.user_ids[1], i + 1);
        char name[16];
        snprintf(name, sizeof name, "bid %d", i);
        assert_int_equal(event->payload_case, EVENT_BID_UPDATED_CASE);
        assert_string_equal(event->bid_updated->bid_id, name);
        assert_int_equal(event->event_id, 0);
        assert_non_null(event->create_time);
    }
}

/* Over transactions of one event and of many. */
static void each_event_is_chained_to_the_one_before_it(void **state)
{
    fixture *t = *state;
    struct work work = {.fn = write_and_roll_back};
    make_people(t, work.user_ids);
    run_work(t, &work);
    work.fn = write_in_order;
    run_work(t, &work);
    work.fn = write_and_roll_back;
    run_work(t, &work);
    assert_int_equal(work.code, RPC_OK);

    const char *who = work.user_ids[0];
    assert_int_equal(
        number(t,
               "select count(*) from user_event e left join user_event b on "
               "b.user_id = e.user_id and b.seq = e.seq - 1 where e.user_id = "
               "'%s' and e.mark > 0 and e.after_mark = coalesce(b.mark, 0)",
               who),
        27);
    assert_int_equal(number(t,
                            "select count(distinct mark) from user_event "
                            "where user_id = '%s'",
                            who),
                     27);
    assert_int_equal(
        number(t,
               "select count(*) from user_event_cursor join user_event "
               "using (user_id) where user_id = '%s' and seq = last_seq "
               "and mark = last_mark",
               who),
        1);
}

/* ---- The wire. */

static void a_stored_event_gets_its_number_on_the_wire(void **state)
{
    fixture *t = *state;
    static const int64_t ids[] = {1, 127, 128, 1000000, INT64_MAX};
    BidUpdated updated = BID_UPDATED_INIT;
    updated.bid_id = "some bid";
    updated.status = BID_STATUS_ACCEPTED;
    Event event = EVENT_INIT;
    event.payload_case = EVENT_BID_UPDATED_CASE;
    event.bid_updated = &updated;
    size_t size;
    EventRow row = EVENT_ROW_INIT;
    row.payload.data = codec_pack(t->arena, &event.base, &row.payload.len);

    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        row.seq = ids[i];
        row.mark = (int32_t)(ids[i] & INT32_MAX);
        const uint8_t *bytes = event_wire(t->arena, &row, "token", &size);
        struct codec_error error;
        const SubscribeResponse *got = (const SubscribeResponse *)codec_decode(
            t->arena, SUBSCRIBE_RESPONSE_DESCRIPTOR, bytes, size, &error);
        assert_non_null(got);
        assert_int_equal(got->event->event_id, ids[i]);
        assert_int_equal(got->event->mark, row.mark);
        assert_string_equal(got->read_after, "token");
        assert_string_equal(got->event->bid_updated->bid_id, "some bid");
        assert_int_equal(got->event->bid_updated->status, BID_STATUS_ACCEPTED);
    }
}

/* ---- Trimming. */

static rpc_status trim_old(struct rpc_call *call, struct work *work)
{
    return trim_events(call, 3600 * 1000, &work->deleted);
}

static void make_old_events(fixture *t, struct work *work)
{
    make_people(t, work->user_ids);
    work->fn = write_in_order;
    run_work(t, work);
    assert_int_equal(work->code, RPC_OK);
    sql(t,
        "update user_event set created_at = now() - interval '2 hours' where "
        "user_id = '%s' and seq <= 10",
        work->user_ids[0]);
    work->fn = trim_old;
}

static int64_t trimmed_seq(fixture *t, const char *user_id)
{
    return number(t,
                  "select trimmed_seq from user_event_cursor where user_id = "
                  "'%s'",
                  user_id);
}

static void only_old_events_are_trimmed(void **state)
{
    fixture *t = *state;
    struct work work = {0};
    make_old_events(t, &work);
    run_work(t, &work);
    assert_int_equal(work.code, RPC_OK);
    assert_int_equal(work.deleted, 10);
    assert_int_equal(trimmed_seq(t, work.user_ids[0]), 10);
    assert_int_equal(trimmed_seq(t, work.user_ids[1]), 0);
    assert_int_equal(number(t,
                            "select min(seq) from user_event where user_id = "
                            "'%s'",
                            work.user_ids[0]),
                     11);
}

static void trimming_waits_for_no_writer(void **state)
{
    fixture *t = *state;
    struct work work = {0};
    make_old_events(t, &work);

    PGconn *writer = PQconnectdb(t->url);
    const char *lock =
        arena_printf(t->arena,
                     "begin; select 1 from user_event_cursor where user_id = "
                     "'%s' for update",
                     work.user_ids[0]);
    PQclear(PQexec(writer, lock));
    run_work(t, &work);
    PQclear(PQexec(writer, "rollback")); /* the server ends a session later */
    PQfinish(writer);
    assert_int_equal(work.code, RPC_OK);
    assert_int_equal(work.deleted, 0);
    assert_int_equal(trimmed_seq(t, work.user_ids[0]), 0);

    run_work(t, &work);
    assert_int_equal(work.deleted, 10);
}

TEST_MAIN("event", TEST(twenty_writers_leave_no_gap),
          TEST(a_transaction_that_is_rolled_back_tells_nobody),
          TEST(events_of_a_transaction_keep_their_order),
          TEST(a_transaction_has_a_limit_of_events),
          TEST(each_event_is_chained_to_the_one_before_it),
          TEST(a_stored_event_gets_its_number_on_the_wire),
          TEST(only_old_events_are_trimmed), TEST(trimming_waits_for_no_writer))
