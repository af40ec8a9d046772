/* Event streams: catching up, going live, and how they end. */
#include "rpc/clock.h"
#include "tests/services/hub_kit.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- Catching up. */

static void a_stream_begins_now(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    write_events(t, who.user_id, 3);
    struct rpc_local *stream = subscribe(t, &who);
    const Event *connected = assert_next(t, stream, CONNECTED);
    assert_int_equal(connected->event_id, 0);
    assert_int_equal(connected->connected->position, 3);
    assert_int_equal(strlen(connected->connected->stream_id), 36);
    assert_int_equal(connected->connected->heartbeat_seconds, 25);
    assert_int_equal(assert_next(t, stream, CAUGHT_UP)->caught_up->position, 3);

    write_events(t, who.user_id, 2);
    assert_numbers(t, stream, 4, 5);
    rpc_local_free(stream);
}

static void a_stream_resumes_at_every_position(void **state)
{
    fixture *t = *state;
    enum { EVENTS = 12 };
    struct person who = person(t, USER_TYPE_SEEKER);
    write_events(t, who.user_id, EVENTS);
    for (int64_t after = 0; after <= EVENTS; after++) {
        struct rpc_local *stream = resume(t, &who, after);
        assert_next(t, stream, CONNECTED);
        assert_numbers(t, stream, after + 1, EVENTS);
        assert_int_equal(assert_next(t, stream, CAUGHT_UP)->caught_up->position,
                         EVENTS);
        rpc_local_free(stream);
        run_for(t, 1); /* the seat is given back in the next pass */
        assert_int_equal(
            hub_stats(hub_of(rpc_server_loop(t->server, 0))).streams, 0);
    }
}

static const SubscribeResponse *next_of(fixture *t, struct rpc_local *stream,
                                        int64_t event_id)
{
    for (;;) {
        const SubscribeResponse *response =
            (const SubscribeResponse *)rpc_local_next(stream, t->arena,
                                                      WAIT_MS);
        assert_non_null(response);
        if (response->event->event_id == event_id)
            return response;
        assert_string_equal(response->read_after, "");
    }
}

/* From the log and live alike; what is later has a greater one. */
static void each_event_says_what_to_read_after(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    write_events(t, who.user_id, 1);
    struct rpc_local *stream = resume(t, &who, 0);
    const SubscribeResponse *first = next_of(t, stream, 1);
    assert_int_equal(strlen(first->read_after), DB_READ_AFTER_BYTES);
    write_events(t, who.user_id, 1);
    const SubscribeResponse *second = next_of(t, stream, 2);
    assert_int_equal(strlen(second->read_after), DB_READ_AFTER_BYTES);
    assert_true(strcmp(first->read_after, second->read_after) < 0);
    rpc_local_free(stream);
}

static void a_backlog_of_many_pages_is_whole(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    sql(t, "insert into user_event_cursor values ('%s', 777, 0)", who.user_id);
    sql(t,
        "insert into user_event (user_id, seq, topic, payload) select '%s', n, "
        "'BID', '\\x' from generate_series(1, 777) n",
        who.user_id);
    struct rpc_local *stream = resume(t, &who, 0);
    assert_next(t, stream, CONNECTED);
    assert_numbers(t, stream, 1, 777);
    assert_next(t, stream, CAUGHT_UP);
    rpc_local_free(stream);
}

/* Five streams begin at different moments of a writer's work, in the middle of
 * its transactions; each must see the numbers that follow without a gap. */
static void subscribing_while_events_come_loses_and_doubles_nothing(
    void **state)
{
    fixture *t = *state;
    enum { EVENTS = 300, STREAMS = 5 };
    struct person who = person(t, USER_TYPE_SEEKER);
    struct writer w = {.user_id = who.user_id, .count = EVENTS};
    struct rpc_local *streams[STREAMS];
    start_writing(t, &w);
    for (int i = 0; i < STREAMS; i++) {
        streams[i] = i % 2 == 0 ? resume(t, &who, 0) : subscribe(t, &who);
        run_for(t, 15 + 7 * i);
    }
    finish_writing(t, &w);

    for (int i = 0; i < STREAMS; i++) {
        int64_t position =
            assert_next(t, streams[i], CONNECTED)->connected->position;
        if (i % 2 == 0)
            position = 0;
        while (position < EVENTS) {
            const Event *event = next(t, streams[i]);
            assert_non_null(event);
            if (event->event_id == 0)
                continue; /* caught_up */
            assert_int_equal(event->event_id, position + 1);
            position = event->event_id;
        }
        rpc_local_free(streams[i]);
    }
}

/* ---- Live. */

static void every_stream_of_a_user_gets_every_event(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    struct person other = person(t, USER_TYPE_PROVIDER);
    struct rpc_local *first = live_stream(t, &who);
    struct rpc_local *second = live_stream(t, &who);
    struct rpc_local *foreign = live_stream(t, &other);
    write_events(t, who.user_id, 3);
    write_events(t, other.user_id, 1);
    assert_numbers(t, first, 1, 3);
    assert_numbers(t, second, 1, 3);
    assert_numbers(t, foreign, 1, 1);
    write_events(t, other.user_id, 1);
    assert_numbers(t, foreign, 2, 2);
    rpc_local_free(first);
    rpc_local_free(second);
    rpc_local_free(foreign);
}

static void only_the_topics_that_are_wanted_come(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    write_events(t, who.user_id, 1);
    write_booking(t, who.user_id);

    EventTopic topics[] = {EVENT_TOPIC_BOOKING};
    SubscribeRequest req = SUBSCRIBE_REQUEST_INIT;
    req.n_topics = 1;
    req.topics = topics;
    req._resume_after_case = SUBSCRIBE_REQUEST_RESUME_AFTER_CASE;
    struct rpc_local *stream = stream_as(t, &who, SUBSCRIBE, &req);
    assert_next(t, stream, CONNECTED);
    assert_int_equal(assert_next(t, stream, BOOKING_UPDATED)->event_id, 2);
    assert_int_equal(assert_next(t, stream, CAUGHT_UP)->caught_up->position, 2);

    write_events(t, who.user_id, 3);
    write_booking(t, who.user_id);
    assert_int_equal(assert_next(t, stream, BOOKING_UPDATED)->event_id, 6);
    rpc_local_free(stream);
}

static void a_heartbeat_tells_how_far_the_stream_has_come(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    set("heartbeat", "1s");
    struct rpc_local *stream = live_stream(t, &who);
    const Event *event = assert_next(t, stream, HEARTBEAT);
    assert_int_equal(event->event_id, 0);
    assert_int_equal(event->heartbeat->position, 0);
    write_events(t, who.user_id, 2);
    assert_numbers(t, stream, 1, 2);
    assert_int_equal(assert_next(t, stream, HEARTBEAT)->heartbeat->position, 2);
    rpc_local_free(stream);
    set("heartbeat", "25s");
}

/* ---- Limits and ends. */

static void a_sixth_stream_is_refused(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    struct rpc_local *streams[5];
    for (int i = 0; i < 5; i++)
        streams[i] = live_stream(t, &who);
    struct rpc_local *sixth = subscribe(t, &who);
    struct rpc_reply reply = rpc_local_reply(sixth);
    assert_reason(reply, RPC_RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS");
    rpc_local_free(sixth);

    rpc_local_free(streams[2]);
    run_for(t, 1);
    streams[2] = live_stream(t, &who);
    for (int i = 0; i < 5; i++)
        rpc_local_free(streams[i]);
}

/* 40 events of 4 KB do not fit into a stream that nobody reads. */
static void a_slow_reader_is_ended_and_can_resume(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    set("slow_reader", "1s");
    struct rpc_local *stream = live_stream(t, &who);
    struct writer w = {.user_id = who.user_id, .count = 40, .padding = 4096};
    start_writing(t, &w);
    finish_writing(t, &w);
    await_end(t, stream, 10000);
    set("slow_reader", "10s");

    int64_t position = 0;
    const Event *event;
    while ((event = next(t, stream)) != NULL)
        if (event->event_id != 0) {
            assert_int_equal(event->event_id, position + 1);
            position = event->event_id;
        }
    assert_in_range(position, 1, 39);
    assert_reason(rpc_local_reply(stream), RPC_ABORTED, "SLOW_READER");
    rpc_local_free(stream);

    stream = resume(t, &who, position);
    assert_next(t, stream, CONNECTED);
    assert_numbers(t, stream, position + 1, 40);
    rpc_local_free(stream);
}

/* A reader that is behind by more than the queue holds, but reads, is served to
 * the end; another stream of the same user does not wait for it. */
static void a_full_stream_goes_on_when_it_is_read(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    struct rpc_local *slow = live_stream(t, &who);
    struct rpc_local *quick = live_stream(t, &who);
    struct writer w = {.user_id = who.user_id, .count = 60, .padding = 4096};
    start_writing(t, &w);
    assert_numbers(t, quick, 1, 60);
    finish_writing(t, &w);
    assert_numbers(t, slow, 1, 60);
    rpc_local_free(slow);
    rpc_local_free(quick);
}

static void a_stream_ends_with_its_token(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    /* A token ends on a whole second, so some 1.5 to 2.5 seconds are left. */
    clock_shift_wall((int64_t)(15 * 60 * 1000 - 2500) * 1000);
    struct rpc_local *stream = live_stream(t, &who);
    struct rpc_reply reply = last_words(t, stream);
    clock_shift_wall(0);
    assert_reason(reply, RPC_UNAUTHENTICATED, "TOKEN_EXPIRED");
    rpc_local_free(stream);
}

static void a_session_that_ends_takes_its_streams_along(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    struct person other = person(t, USER_TYPE_SEEKER);
    struct rpc_local *stream = live_stream(t, &who);
    struct rpc_local *foreign = live_stream(t, &other);
    sql(t,
        "update session set revoked_at = now(), revoke_reason = 'LOGOUT' "
        "where session_id = '%s'",
        who.session_id);
    const Event *event = assert_next(t, stream, SESSION_ENDED);
    assert_string_equal(event->session_ended->session_id, who.session_id);
    assert_reason(last_words(t, stream), RPC_UNAUTHENTICATED, "SESSION_ENDED");
    assert_true(rpc_local_is_open(foreign));
    rpc_local_free(stream);
    rpc_local_free(foreign);
}

/* 400 events of 4 KB, which nobody reads: the handler waits in the middle of
 * the backlog when the session ends. */
static void a_session_that_ends_stops_the_backlog(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    sql(t, "insert into user_event_cursor values ('%s', 400, 0)", who.user_id);
    sql(t,
        "insert into user_event (user_id, seq, topic, payload) select '%s', n, "
        "'BID', '\\xc2028320'::bytea || '\\x0a8020'::bytea || "
        "convert_to(repeat('x', 4096), 'UTF8') from generate_series(1, 400) n",
        who.user_id);
    struct rpc_local *stream = resume(t, &who, 0);
    while (rpc_local_queued(stream) < 200 * 1024)
        run_for(t, 10);
    sql(t,
        "update session set revoked_at = now(), revoke_reason = 'LOGOUT' "
        "where session_id = '%s'",
        who.session_id);
    await_end(t, stream, 5000);
    assert_reason(last_words(t, stream), RPC_UNAUTHENTICATED, "SESSION_ENDED");
    rpc_local_free(stream);
}

static void nobody_subscribes_without_a_token(void **state)
{
    fixture *t = *state;
    struct rpc_local *stream = subscribe(t, NULL);
    assert_code(rpc_local_reply(stream), RPC_UNAUTHENTICATED);
    rpc_local_free(stream);
}

TEST_MAIN("hub", TEST(a_stream_begins_now),
          TEST(a_stream_resumes_at_every_position),
          TEST(each_event_says_what_to_read_after),
          TEST(a_backlog_of_many_pages_is_whole),
          TEST(subscribing_while_events_come_loses_and_doubles_nothing),
          TEST(every_stream_of_a_user_gets_every_event),
          TEST(only_the_topics_that_are_wanted_come),
          TEST(a_heartbeat_tells_how_far_the_stream_has_come),
          TEST(a_sixth_stream_is_refused),
          TEST(a_slow_reader_is_ended_and_can_resume),
          TEST(a_full_stream_goes_on_when_it_is_read),
          TEST(a_stream_ends_with_its_token),
          TEST(a_session_that_ends_takes_its_streams_along),
          TEST(a_session_that_ends_stops_the_backlog),
          TEST(nobody_subscribes_without_a_token))
