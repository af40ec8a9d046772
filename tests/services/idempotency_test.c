/* A call that is repeated with its idempotency-key: one effect, one answer. */
#include "db/pool.h"
#include "prbal/v1/auth.rpc.h"
#include "rpc/codec.h"
#include "rpc/loop.h"
#include "services/idempotency/key.h"
#include "tests/testkit/deals.h"
#include "tests/testkit/listings.h"
#include "tests/testkit/market.h"
#include "tests/testkit/rooms.h"

#include <stdio.h>

#define BIDS "/prbal.v1.BidService/"
#define BOOKINGS "/prbal.v1.BookingService/"
#define LISTINGS "/prbal.v1.ListingService/"
#define CHAT "/prbal.v1.ChatService/"
#define REPLAYED "idempotency-replayed"

enum { TWINS = 24 }; /* within the burst of CreateBid */

static const struct rpc_header *headers_with(fixture *t,
                                             const struct person *who,
                                             const char *key)
{
    struct rpc_header *headers = arena_array(t->arena, 3, sizeof *headers);
    headers[0].name = "authorization";
    headers[0].value = arena_printf(t->arena, "Bearer %s", who->token);
    headers[1].name = "idempotency-key";
    headers[1].value = key;
    return headers;
}

static struct rpc_reply call_keyed(fixture *t, const struct person *who,
                                   const char *key, const char *path,
                                   const void *request)
{
    return call_with(t, headers_with(t, who, key), path, request);
}

static bool is_replay(struct rpc_reply reply)
{
    for (const struct rpc_header *h = reply.headers; h->name != NULL; h++)
        if (strcmp(h->name, REPLAYED) == 0)
            return strcmp(h->value, "true") == 0;
    return false;
}

static void assert_same_bytes(fixture *t, struct rpc_reply one,
                              struct rpc_reply other)
{
    size_t one_size, other_size;
    assert_ok(one);
    assert_ok(other);
    const uint8_t *a = codec_pack(t->arena, one.message, &one_size);
    const uint8_t *b = codec_pack(t->arena, other.message, &other_size);
    assert_int_equal(one_size, other_size);
    assert_memory_equal(a, b, one_size);
}

static int64_t keys_of(fixture *t, const struct person *who)
{
    return number(t,
                  "select count(*) from idempotent_reply where user_id = '%s'",
                  who->user_id);
}

static int64_t services_of(fixture *t, const struct person *who)
{
    return number(t, "select count(*) from service where owner_id = '%s'",
                  who->user_id);
}

/* ---- the same again ---- */

static void a_retry_gets_the_first_answer_and_does_nothing(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    CreateServiceRequest req = leaking_tap(t);
    struct rpc_reply first =
        call_keyed(t, &who, "k", LISTINGS "CreateService", &req);
    assert_ok(first);
    assert_false(is_replay(first));
    sql(t, "update service set title = 'Changed since' where owner_id = '%s'",
        who.user_id);
    struct rpc_reply second =
        call_keyed(t, &who, "k", LISTINGS "CreateService", &req);
    assert_same_bytes(t, first, second);
    assert_true(is_replay(second));
    assert_int_equal(services_of(t, &who), 1);
    assert_int_equal(keys_of(t, &who), 1);
}

static void without_a_key_nothing_is_kept(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    CreateServiceRequest req = leaking_tap(t);
    assert_ok(call_as(t, &who, LISTINGS "CreateService", &req));
    assert_ok(call_as(t, &who, LISTINGS "CreateService", &req));
    assert_int_equal(services_of(t, &who), 2);
    assert_int_equal(keys_of(t, &who), 0);
}

static void another_request_under_the_key_is_refused(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    CreateServiceRequest req = leaking_tap(t);
    struct rpc_reply first =
        call_keyed(t, &who, "k", LISTINGS "CreateService", &req);
    req.title = "Another tap is leaking";
    assert_reason(call_keyed(t, &who, "k", LISTINGS "CreateService", &req),
                  RPC_INVALID_ARGUMENT, "IDEMPOTENCY_KEY_REUSED");
    assert_int_equal(services_of(t, &who), 1);
    req = leaking_tap(t);
    assert_same_bytes(t, first,
                      call_keyed(t, &who, "k", LISTINGS "CreateService", &req));
}

static void keys_are_each_callers_and_each_methods_own(void **state)
{
    fixture *t = *state;
    struct person one = person(t, USER_TYPE_SEEKER);
    struct person other = person(t, USER_TYPE_SEEKER);
    CreateServiceRequest req = leaking_tap(t);
    struct rpc_reply first =
        call_keyed(t, &one, "k", LISTINGS "CreateService", &req);
    struct rpc_reply second =
        call_keyed(t, &other, "k", LISTINGS "CreateService", &req);
    assert_false(is_replay(second));
    assert_string_not_equal(
        ANSWER(CreateServiceResponse, first)->service->service_id,
        ANSWER(CreateServiceResponse, second)->service->service_id);

    DeleteServiceRequest gone = DELETE_SERVICE_REQUEST_INIT;
    gone.service_id = ANSWER(CreateServiceResponse, first)->service->service_id;
    struct rpc_reply third =
        call_keyed(t, &one, "k", LISTINGS "DeleteService", &gone);
    assert_ok(third);
    assert_false(is_replay(third));
}

/* A decision that is repeated under a new key changes nothing, and its answer
 * is kept as it was then. */
static void an_answer_without_a_change_is_kept_too(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const Bid *bid =
        bid_on(t, &provider, needed_service(t, &seeker, "Mend a fence"), 5000);
    AcceptBidRequest req = ACCEPT_BID_REQUEST_INIT;
    req.bid_id = bid->bid_id;
    struct rpc_reply first =
        call_keyed(t, &seeker, "a", BIDS "AcceptBid", &req);
    struct rpc_reply again =
        call_keyed(t, &seeker, "b", BIDS "AcceptBid", &req);
    assert_false(is_replay(again));
    const char *booking = ANSWER(AcceptBidResponse, first)->booking->booking_id;
    assert_ok(try_move_booking(t, &provider, "StartBooking", booking));

    assert_same_bytes(t, first,
                      call_keyed(t, &seeker, "a", BIDS "AcceptBid", &req));
    assert_same_bytes(t, again,
                      call_keyed(t, &seeker, "b", BIDS "AcceptBid", &req));
    assert_int_equal(keys_of(t, &seeker), 2);
}

static void a_failure_keeps_nothing(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const Booking *booking =
        book(t, &seeker, offered_service(t, &provider, "Gardening"), 600, 60);
    StartBookingRequest req = START_BOOKING_REQUEST_INIT;
    req.booking_id = booking->booking_id;
    assert_reason(call_keyed(t, &provider, "k", BOOKINGS "StartBooking", &req),
                  RPC_FAILED_PRECONDITION, "WRONG_STATE");
    assert_int_equal(keys_of(t, &provider), 0);
    assert_ok(
        try_move_booking(t, &provider, "AcceptBooking", booking->booking_id));
    struct rpc_reply reply =
        call_keyed(t, &provider, "k", BOOKINGS "StartBooking", &req);
    assert_ok(reply);
    assert_false(is_replay(reply));
}

static void what_is_not_there_is_no_success_of_a_retry(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    RevokeSessionRequest req = REVOKE_SESSION_REQUEST_INIT;
    req.session_id = NOBODY;
    for (int i = 0; i < 2; i++)
        assert_code(call_keyed(t, &who, "k",
                               "/prbal.v1.AuthService/RevokeSession", &req),
                    RPC_NOT_FOUND);
    assert_int_equal(keys_of(t, &who), 0);
}

/* ---- what a key is ---- */

static void a_key_is_visible_ascii(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    char long_key[IDEMPOTENCY_KEY_MAX + 2];
    memset(long_key, 'x', sizeof long_key);
    long_key[IDEMPOTENCY_KEY_MAX + 1] = '\0';
    CreateServiceRequest req = leaking_tap(t);
    const char *const bad[] = {"",          long_key,      "two words",
                               "tab\there", "caf\xc3\xa9", "del\x7f"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_reason(
            call_keyed(t, &who, bad[i], LISTINGS "CreateService", &req),
            RPC_INVALID_ARGUMENT, "IDEMPOTENCY_KEY_INVALID");
    assert_int_equal(services_of(t, &who), 0);

    long_key[IDEMPOTENCY_KEY_MAX] = '\0';
    const char *const good[] = {"1", long_key, "!\"#$~{}|'\\", "a,b"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_ok(call_keyed(t, &who, good[i], LISTINGS "CreateService", &req));
    assert_int_equal(services_of(t, &who), 4);
}

static void two_keys_are_none(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    CreateServiceRequest req = leaking_tap(t);
    const struct rpc_header headers[] = {
        {"authorization", arena_printf(t->arena, "Bearer %s", who.token)},
        {"idempotency-key", "a"},
        {"idempotency-key", "a"},
        {NULL, NULL}};
    assert_reason(call_with(t, headers, LISTINGS "CreateService", &req),
                  RPC_INVALID_ARGUMENT, "IDEMPOTENCY_KEY_INVALID");
}

static void methods_that_are_not_marked_ignore_it(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    ListSessionsRequest req = LIST_SESSIONS_REQUEST_INIT;
    for (int i = 0; i < 2; i++) {
        struct rpc_reply reply = call_keyed(
            t, &who, "not a key", "/prbal.v1.AuthService/ListSessions", &req);
        assert_ok(reply);
        assert_false(is_replay(reply));
    }
    assert_int_equal(keys_of(t, &who), 0);
}

/* ---- twins ---- */

static struct rpc_local *start_keyed(fixture *t, const struct person *who,
                                     const char *key, const char *path,
                                     const void *request)
{
    struct rpc_local *local =
        rpc_local_open(t->server, path, headers_with(t, who, key));
    rpc_local_send(local, request);
    rpc_local_close_send(local);
    return local;
}

static struct rpc_reply end_of(fixture *t, struct rpc_local *local)
{
    ProtobufCMessage *message = rpc_local_next(local, t->arena, 60000);
    struct rpc_reply reply = rpc_local_reply(local);
    reply.message = message;
    return reply;
}

static struct db_pool_stats links(fixture *t)
{
    return db_pool_stats(db_pool_of(rpc_server_loop(t->server, 0)));
}

/* The view is taken once in a transaction, such as the test's own. */
static bool one_waits_for_a_lock(fixture *t)
{
    sql(t, "select pg_stat_clear_snapshot()");
    return number(t, "select count(*) from pg_stat_activity where"
                     " wait_event_type = 'Lock'"
                     " and datname = current_database()") == 1;
}

static void until_one_waits(fixture *t)
{
    for (int i = 0; i < 2000 && !one_waits_for_a_lock(t); i++)
        run_for(t, 5);
    assert_true(one_waits_for_a_lock(t));
}

static void twins_have_one_effect_and_one_answer(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const char *service = needed_service(t, &seeker, "Carry the sofa");
    Money amount = usd(4000);
    CreateBidRequest req = bid_request(service, &amount);
    sql(t, "begin; select from service where service_id = '%s' for update",
        service);
    struct rpc_local *calls[TWINS];
    for (int i = 0; i < TWINS; i++)
        calls[i] = start_keyed(t, &provider, "k", BIDS "CreateBid", &req);
    until_one_waits(t);
    assert_int_equal(links(t).leases_used, 1); /* the others have none */
    assert_int_equal(links(t).leases_waiting, 0);
    sql(t, "commit");

    struct rpc_reply first = end_of(t, calls[0]);
    assert_false(is_replay(first));
    for (int i = 1; i < TWINS; i++) {
        struct rpc_reply reply = end_of(t, calls[i]);
        assert_same_bytes(t, first, reply);
        assert_true(is_replay(reply));
    }
    for (int i = 0; i < TWINS; i++)
        rpc_local_free(calls[i]);
    assert_int_equal(
        number(t, "select count(*) from bid where service_id = '%s'", service),
        1);
}

static void a_twin_with_another_request_is_refused(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    CreateServiceRequest one = leaking_tap(t), other = leaking_tap(t);
    other.title = "Another tap is leaking";
    struct rpc_local *calls[] = {
        start_keyed(t, &who, "k", LISTINGS "CreateService", &one),
        start_keyed(t, &who, "k", LISTINGS "CreateService", &other)};
    assert_ok(end_of(t, calls[0]));
    assert_reason(end_of(t, calls[1]), RPC_INVALID_ARGUMENT,
                  "IDEMPOTENCY_KEY_REUSED");
    rpc_local_free(calls[0]);
    rpc_local_free(calls[1]);
    assert_int_equal(services_of(t, &who), 1);
}

static void when_the_first_is_lost_the_next_one_runs(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const char *service = needed_service(t, &seeker, "Carry the piano");
    Money amount = usd(4000);
    CreateBidRequest req = bid_request(service, &amount);
    sql(t, "begin; select from service where service_id = '%s' for update",
        service);
    struct rpc_local *calls[3];
    for (int i = 0; i < 3; i++)
        calls[i] = start_keyed(t, &provider, "k", BIDS "CreateBid", &req);
    until_one_waits(t);
    rpc_local_free(calls[1]); /* one that waits */
    rpc_local_free(calls[0]);
    sql(t, "commit");
    struct rpc_reply reply = end_of(t, calls[2]);
    assert_ok(reply);
    assert_false(is_replay(reply));
    rpc_local_free(calls[2]);
    assert_int_equal(
        number(t, "select count(*) from bid where service_id = '%s'", service),
        1);
}

/* What another process does: claims the key on a connection of its own, which
 * is the test's. */
static void claim_elsewhere(fixture *t, const struct person *who,
                            const char *path)
{
    const char *name = arena_printf(t->arena, "%s %s k", who->user_id, path);
    sql(t,
        "begin; select pg_try_advisory_xact_lock(%lld);"
        " insert into idempotent_reply (user_id, method, key, request_hash)"
        " values ('%s', '%s', 'k', sha256(''))",
        (long long)idempotency_name_number(name), who->user_id, path);
}

static void a_twin_in_another_process_is_waited_for(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    CreateServiceRequest req = leaking_tap(t);
    claim_elsewhere(t, &who, LISTINGS "CreateService");
    struct rpc_local *call =
        start_keyed(t, &who, "k", LISTINGS "CreateService", &req);
    run_for(t, 100);
    assert_true(rpc_local_is_open(call));
    assert_int_equal(links(t).leases_used, 0); /* it waits without a link */
    sql(t, "rollback");                        /* that process was killed */
    struct rpc_reply reply = end_of(t, call);
    assert_ok(reply);
    assert_false(is_replay(reply));
    rpc_local_free(call);
    assert_int_equal(services_of(t, &who), 1);
}

static void what_it_committed_is_answered(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    CreateServiceRequest req = leaking_tap(t);
    claim_elsewhere(t, &who, LISTINGS "CreateService");
    struct rpc_local *call =
        start_keyed(t, &who, "k", LISTINGS "CreateService", &req);
    run_for(t, 50);
    sql(t,
        "update idempotent_reply set reply = '' where user_id = '%s'; commit",
        who.user_id);
    assert_reason(end_of(t, call), RPC_INVALID_ARGUMENT,
                  "IDEMPOTENCY_KEY_REUSED"); /* it was for another request */
    rpc_local_free(call);
    assert_int_equal(services_of(t, &who), 0);
}

static void one_that_never_ends_is_told_of(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    CreateServiceRequest req = leaking_tap(t);
    claim_elsewhere(t, &who, LISTINGS "CreateService");
    struct rpc_local *calls[3];
    for (int i = 0; i < 3; i++)
        calls[i] = start_keyed(t, &who, "k", LISTINGS "CreateService", &req);
    for (int i = 0; i < 3; i++) {
        assert_reason(end_of(t, calls[i]), RPC_ABORTED, "REQUEST_IN_FLIGHT");
        rpc_local_free(calls[i]);
    }
    sql(t, "rollback");
    assert_ok(call_keyed(t, &who, "k", LISTINGS "CreateService", &req));
    assert_int_equal(services_of(t, &who), 1);
}

TEST_MAIN("idempotency", TEST(a_retry_gets_the_first_answer_and_does_nothing),
          TEST(without_a_key_nothing_is_kept),
          TEST(another_request_under_the_key_is_refused),
          TEST(keys_are_each_callers_and_each_methods_own),
          TEST(an_answer_without_a_change_is_kept_too),
          TEST(a_failure_keeps_nothing),
          TEST(what_is_not_there_is_no_success_of_a_retry),
          TEST(a_key_is_visible_ascii), TEST(two_keys_are_none),
          TEST(methods_that_are_not_marked_ignore_it),
          TEST(twins_have_one_effect_and_one_answer),
          TEST(a_twin_with_another_request_is_refused),
          TEST(when_the_first_is_lost_the_next_one_runs),
          TEST(a_twin_in_another_process_is_waited_for),
          TEST(what_it_committed_is_answered),
          TEST(one_that_never_ends_is_told_of))
