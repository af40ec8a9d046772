/* Event streams that cannot go on where they were: the log was trimmed, or it
 * is another log under the same numbers. */
#include "tests/services/hub_kit.h"

#include <stdio.h>

/* ---- What cannot be resumed. */

static void assert_resync(fixture *t, const struct person *who, int64_t after,
                          int64_t position)
{
    struct rpc_local *stream = resume(t, who, after);
    assert_next(t, stream, CONNECTED);
    assert_int_equal(
        assert_next(t, stream, RESYNC_REQUIRED)->resync_required->position,
        position);
    assert_int_equal(assert_next(t, stream, CAUGHT_UP)->caught_up->position,
                     position);
    write_events(t, who->user_id, 1);
    assert_numbers(t, stream, position + 1, position + 1);
    rpc_local_free(stream);
}

static void a_position_ahead_of_the_log_needs_a_resync(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    write_events(t, who.user_id, 3);
    assert_resync(t, &who, 4, 3);
}

static void a_position_that_was_trimmed_needs_a_resync(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    write_events(t, who.user_id, 9);
    sql(t, "delete from user_event where user_id = '%s' and seq <= 5",
        who.user_id);
    sql(t, "update user_event_cursor set trimmed_seq = 5 where user_id = '%s'",
        who.user_id);
    assert_resync(t, &who, 4, 9);

    struct rpc_local *stream = resume(t, &who, 5);
    assert_next(t, stream, CONNECTED);
    assert_numbers(t, stream, 6, 10);
    assert_next(t, stream, CAUGHT_UP);
    rpc_local_free(stream);
}

static void a_client_that_is_too_far_behind_needs_a_resync(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    sql(t, "insert into user_event_cursor values ('%s', 10001, 0)",
        who.user_id);
    assert_resync(t, &who, 0, 10001);
}

/* ---- Another log under the same numbers. */

struct log_position {
    int64_t seq;
    int32_t mark;
};

static struct rpc_local *resume_at(fixture *t, const struct person *who,
                                   struct log_position at)
{
    SubscribeRequest req = SUBSCRIBE_REQUEST_INIT;
    req._resume_after_case = SUBSCRIBE_REQUEST_RESUME_AFTER_CASE;
    req.resume_after = at.seq;
    req.resume_mark = at.mark;
    return stream_as(t, who, SUBSCRIBE, &req);
}

/* What a client keeps that has read all. */
static struct log_position read_all(fixture *t, const struct person *who)
{
    struct rpc_local *stream = resume(t, who, 0);
    struct log_position at = {0, 0};
    const Event *event = assert_next(t, stream, CONNECTED);
    while ((event = next(t, stream))->event_id != 0)
        at = (struct log_position){event->event_id, event->mark};
    assert_int_equal(event->payload_case, EVENT_CAUGHT_UP_CASE);
    assert_int_equal(event->caught_up->mark, at.mark);
    rpc_local_free(stream);
    return at;
}

/* As after a restore of an older backup, or a failover that lost the latest. */
static void lose_events(fixture *t, const char *user_id, int last)
{
    sql(t,
        "begin; delete from user_event where user_id = '%s' and seq > %d; "
        "update user_event_cursor set last_seq = %d, last_mark = (select mark "
        "from user_event where user_id = '%s' and seq = %d) where user_id = "
        "'%s'; commit",
        user_id, last, last, user_id, last, user_id);
}

static void assert_resync_at(fixture *t, const struct person *who,
                             struct log_position at, int64_t position)
{
    struct rpc_local *stream = resume_at(t, who, at);
    assert_next(t, stream, CONNECTED);
    const Event *event = assert_next(t, stream, RESYNC_REQUIRED);
    assert_int_equal(event->resync_required->position, position);
    assert_int_not_equal(event->resync_required->mark, at.mark);
    assert_next(t, stream, CAUGHT_UP);
    rpc_local_free(stream);
}

static void the_same_log_is_resumed_at_each_mark(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    write_events(t, who.user_id, 3);
    struct log_position at = read_all(t, &who);
    write_events(t, who.user_id, 2);
    struct rpc_local *stream = resume_at(t, &who, at);
    assert_next(t, stream, CONNECTED);
    assert_numbers(t, stream, 4, 5);
    assert_next(t, stream, CAUGHT_UP);
    rpc_local_free(stream);
    at = read_all(t, &who);
    stream = resume_at(t, &who, at);
    assert_next(t, stream, CONNECTED);
    assert_next(t, stream, CAUGHT_UP);
    rpc_local_free(stream);
}

/* The client has seen 5; the log lost 4 and 5, and is as long again, then
 * longer: by its numbers alone it would go on, without the new 4 and 5. */
static void a_log_that_grew_again_after_a_loss_needs_a_resync(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    write_events(t, who.user_id, 5);
    struct log_position at = read_all(t, &who);
    lose_events(t, who.user_id, 3);
    assert_resync_at(t, &who, at, 3);
    write_events(t, who.user_id, 2);
    assert_resync_at(t, &who, at, 5);
    write_events(t, who.user_id, 2);
    assert_resync_at(t, &who, at, 7);
}

/* All of it within a moment, so that only the marks can tell. */
static void a_live_stream_notices_another_log(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    write_events(t, who.user_id, 5);
    struct rpc_local *stream = live_stream(t, &who);
    run_for(t, 10);
    sql(t,
        "begin; delete from user_event where user_id = '%s' and seq > 3; "
        "update user_event_cursor set last_seq = 6, last_mark = 66 where "
        "user_id = '%s'; insert into user_event (user_id, seq, topic, payload, "
        "mark, after_mark) select '%s', n, 'BID', '\\x', 11 * n, 11 * (n - 1) "
        "from generate_series(4, 6) n; commit",
        who.user_id, who.user_id, who.user_id);
    const Event *event = assert_next(t, stream, RESYNC_REQUIRED);
    assert_int_equal(event->resync_required->position, 5);
    assert_int_equal(event->resync_required->mark, 55);
    assert_numbers(t, stream, 6, 6);
    write_events(t, who.user_id, 1);
    assert_numbers(t, stream, 7, 7);
    rpc_local_free(stream);
}

/* As after a restore of an older backup: the log is behind the stream. */
static void a_live_stream_ahead_of_its_log_is_told(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    write_events(t, who.user_id, 5);
    struct rpc_local *stream = live_stream(t, &who);
    run_for(t, 1100); /* a poll has seen the stream */
    sql(t, "delete from user_event where user_id = '%s' and seq > 2",
        who.user_id);
    sql(t, "update user_event_cursor set last_seq = 2 where user_id = '%s'",
        who.user_id);
    assert_int_equal(
        assert_next(t, stream, RESYNC_REQUIRED)->resync_required->position, 2);
    write_events(t, who.user_id, 1);
    assert_numbers(t, stream, 3, 3);
    rpc_local_free(stream);
}

/* As above, when nothing had happened to the user before the backup. */
static void a_live_stream_whose_log_is_gone_is_told(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    write_events(t, who.user_id, 5);
    struct rpc_local *stream = live_stream(t, &who);
    run_for(t, 10);
    sql(t, "delete from user_event_cursor where user_id = '%s'", who.user_id);
    assert_int_equal(
        assert_next(t, stream, RESYNC_REQUIRED)->resync_required->position, 0);
    write_events(t, who.user_id, 2);
    assert_numbers(t, stream, 1, 2);
    rpc_local_free(stream);
}

TEST_MAIN("hub_resync", TEST(a_position_ahead_of_the_log_needs_a_resync),
          TEST(a_position_that_was_trimmed_needs_a_resync),
          TEST(a_client_that_is_too_far_behind_needs_a_resync),
          TEST(the_same_log_is_resumed_at_each_mark),
          TEST(a_log_that_grew_again_after_a_loss_needs_a_resync),
          TEST(a_live_stream_notices_another_log),
          TEST(a_live_stream_ahead_of_its_log_is_told),
          TEST(a_live_stream_whose_log_is_gone_is_told))
