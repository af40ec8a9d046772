#ifndef PRBAL_TESTS_SERVICES_HUB_KIT_H
#define PRBAL_TESTS_SERVICES_HUB_KIT_H

/* What tests of event streams share: somebody who writes, and streams that are
 * read. */
#include "db/db.h"
#include "prbal/v1/event.rpc.h"
#include "rpc/loop.h"
#include "services/app.h"
#include "services/events/events.h"
#include "services/events/hub.h"
#include "tests/testkit/testkit.h"

#define SUBSCRIBE "/prbal.v1.EventService/Subscribe"

enum { WAIT_MS = 5000 };

/* ---- Writing. */

struct writer {
    const char *user_id;
    int count;      /* transactions of one event */
    size_t padding; /* bytes in each */
    int64_t pause_ms;
    bool is_booking;
    rpc_code code;
    bool done;
};

static inline rpc_status write_one(struct rpc_call *call,
                                   const struct writer *w)
{
    char *filler = arena_alloc(call->arena, w->padding + 1);
    memset(filler, 'x', w->padding);
    struct db *tx;
    TRY(db_begin(call->db, &tx));
    if (w->is_booking)
        event_booking_updated(tx, w->user_id, "a booking", filler,
                              BOOKING_STATUS_CONFIRMED);
    else
        event_bid_updated(tx, w->user_id, "a bid", filler, BID_STATUS_PENDING);
    return db_commit(tx);
}

static inline rpc_status write_all(struct rpc_call *call,
                                   const struct writer *w)
{
    for (int i = 0; i < w->count; i++) {
        TRY(write_one(call, w));
        if (w->pause_ms > 0)
            TRY(rpc_sleep(call, w->pause_ms));
    }
    return RPC_SUCCESS;
}

static inline void writer_task(struct rpc_call *call, void *argument)
{
    struct writer *w = argument;
    w->code = write_all(call, w).code;
    w->done = true;
}

static inline void start_writing(fixture *t, struct writer *w)
{
    w->done = false;
    assert_non_null(
        rpc_task(t->server, rpc_server_loop(t->server, 0), writer_task, w));
}

static inline void finish_writing(fixture *t, struct writer *w)
{
    loop_run_until(rpc_server_loop(t->server, 0), &w->done);
    assert_int_equal(w->code, RPC_OK);
}

static inline void write_events(fixture *t, const char *user_id, int count)
{
    struct writer w = {.user_id = user_id, .count = count};
    start_writing(t, &w);
    finish_writing(t, &w);
}

static inline void write_booking(fixture *t, const char *user_id)
{
    struct writer w = {.user_id = user_id, .count = 1, .is_booking = true};
    start_writing(t, &w);
    finish_writing(t, &w);
}

/* ---- Reading. */

static inline struct rpc_local *subscribe(fixture *t, const struct person *who)
{
    SubscribeRequest req = SUBSCRIBE_REQUEST_INIT;
    return stream_as(t, who, SUBSCRIBE, &req);
}

static inline struct rpc_local *resume(fixture *t, const struct person *who,
                                       int64_t after)
{
    SubscribeRequest req = SUBSCRIBE_REQUEST_INIT;
    req._resume_after_case = SUBSCRIBE_REQUEST_RESUME_AFTER_CASE;
    req.resume_after = after;
    return stream_as(t, who, SUBSCRIBE, &req);
}

static inline const Event *next(fixture *t, struct rpc_local *stream)
{
    const SubscribeResponse *response =
        (const SubscribeResponse *)rpc_local_next(stream, t->arena, WAIT_MS);
    return response == NULL ? NULL : response->event;
}

#define assert_next(t, stream, kind) \
    assert_next_at((t), (stream), EVENT_##kind##_CASE, __LINE__)
static inline const Event *assert_next_at(fixture *t, struct rpc_local *stream,
                                          int kind, int line)
{
    const Event *event = next(t, stream);
    if (event == NULL || (int)event->payload_case != kind) {
        print_error("line %d: got event %d, want %d\n", line,
                    event == NULL ? 0 : (int)event->payload_case, kind);
        fail();
    }
    return event;
}

static inline void assert_numbers(fixture *t, struct rpc_local *stream,
                                  int64_t from, int64_t to)
{
    for (int64_t i = from; i <= to; i++) {
        const Event *event = next(t, stream);
        assert_non_null(event);
        assert_int_equal(event->event_id, i);
    }
}

/* The stream of a new client, up to the point where it waits. */
static inline struct rpc_local *live_stream(fixture *t,
                                            const struct person *who)
{
    struct rpc_local *stream = subscribe(t, who);
    assert_next(t, stream, CONNECTED);
    assert_next(t, stream, CAUGHT_UP);
    return stream;
}

static inline void set(const char *name, const char *value)
{
    char error[256];
    assert_true(app_config_set(name, value, error, sizeof error));
}

/* Lets the server work without taking anything from the stream. */
static inline void await_end(fixture *t, struct rpc_local *stream,
                             int64_t at_most_ms)
{
    const struct hub *hub = hub_of(rpc_server_loop(t->server, 0));
    for (int64_t ms = 0; ms < at_most_ms && hub_stats(hub).streams > 0;
         ms += 20)
        run_for(t, 20);
    assert_int_equal(hub_stats(hub).streams, 0);
    (void)stream;
}

static inline struct rpc_reply last_words(fixture *t, struct rpc_local *stream)
{
    while (next(t, stream) != NULL)
        continue;
    assert_false(rpc_local_is_open(stream));
    return rpc_local_reply(stream);
}

#endif
