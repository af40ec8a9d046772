/* Who is online: told to those who share a room, by leases alone. */
#include "prbal/v1/event.rpc.h"
#include "rpc/loop.h"
#include "services/app.h"
#include "services/events/hub.h"
#include "tests/testkit/rooms.h"

#include <stdio.h>

#define SUBSCRIBE "/prbal.v1.EventService/Subscribe"
#define PRESENCE "/prbal.v1.ChatService/GetPresence"

enum { WAIT_MS = 20000, TRIES = 1000 };

static struct rpc_local *subscribe(fixture *t, const struct person *who,
                                   EventTopic topic)
{
    SubscribeRequest req = SUBSCRIBE_REQUEST_INIT;
    req.n_topics = topic != EVENT_TOPIC_UNSPECIFIED;
    req.topics = &topic;
    return stream_as(t, who, SUBSCRIBE, &req);
}

static const Event *next(fixture *t, struct rpc_local *stream)
{
    const SubscribeResponse *response =
        (const SubscribeResponse *)rpc_local_next(stream, t->arena, WAIT_MS);
    assert_non_null(response);
    return response->event;
}

static const Event *next_of(fixture *t, struct rpc_local *stream, int kind)
{
    const Event *event = next(t, stream);
    while ((int)event->payload_case != kind)
        event = next(t, stream);
    return event;
}

/* Hears of presence alone. */
static struct rpc_local *watch(fixture *t, const struct person *who)
{
    struct rpc_local *stream = subscribe(t, who, EVENT_TOPIC_PRESENCE);
    next_of(t, stream, EVENT_CAUGHT_UP_CASE);
    return stream;
}

static struct rpc_local *come(fixture *t, const struct person *who)
{
    struct rpc_local *stream = subscribe(t, who, EVENT_TOPIC_BOOKING);
    next_of(t, stream, EVENT_CAUGHT_UP_CASE);
    return stream;
}

/* Waits until the stream has said this of `who`; what it says of others, who
 * came before or after the stream did, is passed over. */
static const UserStatusChanged *assert_told(fixture *t,
                                            struct rpc_local *stream,
                                            const struct person *who,
                                            PresenceStatus status)
{
    const Event *event;
    do {
        event = next_of(t, stream, EVENT_USER_STATUS_CHANGED_CASE);
        assert_int_equal(event->event_id, 0);
    } while (strcmp(event->user_status_changed->user_id, who->user_id) != 0);
    assert_string_equal(event->user_status_changed->full_name, who->full_name);
    assert_int_equal(event->user_status_changed->status, status);
    return event->user_status_changed;
}

/* The very next thing that it says. */
static void assert_told_next(fixture *t, struct rpc_local *stream,
                             const struct person *who, PresenceStatus status)
{
    const Event *event = next_of(t, stream, EVENT_USER_STATUS_CHANGED_CASE);
    assert_string_equal(event->user_status_changed->user_id, who->user_id);
    assert_int_equal(event->user_status_changed->status, status);
}

static const UserPresence *presence_of(fixture *t, const struct person *asker,
                                       const struct person *who)
{
    const char *user_ids[] = {who->user_id};
    GetPresenceRequest req = GET_PRESENCE_REQUEST_INIT;
    req.n_user_ids = 1;
    req.user_ids = user_ids;
    const GetPresenceResponse *res =
        ANSWER(GetPresenceResponse, call_as(t, asker, PRESENCE, &req));
    return res->n_presences == 0 ? NULL : res->presences[0];
}

static void set(const char *name, const char *value)
{
    char error[256];
    assert_true(app_config_set(name, value, error, sizeof error));
}

/* A user with a stream at a process that is gone: it does not renew. */
static void hold_elsewhere(fixture *t, const struct person *who,
                           const char *expires_at)
{
    sql(t,
        "begin; with o as (insert into presence_holder values (uuid7(), %s) "
        "returning holder_id) insert into presence_hold select '%s', holder_id "
        "from o; update presence_clock set version = version + 1; insert into "
        "user_presence select '%s', true, now(), version from presence_clock "
        "on conflict (user_id) do update set is_online = true, version = "
        "excluded.version; commit",
        expires_at, who->user_id, who->user_id);
}

static void who_shares_a_room_hears_who_comes_and_goes(void **state)
{
    fixture *t = *state;
    struct person a = person(t, USER_TYPE_SEEKER);
    struct person b = person(t, USER_TYPE_PROVIDER);
    struct person c = person(t, USER_TYPE_PROVIDER);
    open_room(t, &a, &b);
    open_room(t, &a, &c);
    struct rpc_local *to_b = watch(t, &b);
    struct rpc_local *to_a = watch(t, &a);
    assert_told_next(t, to_b, &a, PRESENCE_STATUS_ONLINE);

    struct rpc_local *of_c = come(t, &c);
    assert_null(
        assert_told(t, to_a, &c, PRESENCE_STATUS_ONLINE)->last_seen_time);
    rpc_local_free(of_c);
    assert_non_null(
        assert_told(t, to_a, &c, PRESENCE_STATUS_OFFLINE)->last_seen_time);

    /* b and c share no room. */
    rpc_local_free(to_a);
    assert_told_next(t, to_b, &a, PRESENCE_STATUS_OFFLINE);
    rpc_local_free(to_b);
}

static void only_the_last_stream_takes_its_user_along(void **state)
{
    fixture *t = *state;
    struct person a = person(t, USER_TYPE_SEEKER);
    struct person b = person(t, USER_TYPE_PROVIDER);
    open_room(t, &a, &b);
    struct rpc_local *to_a = watch(t, &a);
    struct rpc_local *phone = come(t, &b), *desk = come(t, &b);
    assert_told(t, to_a, &b, PRESENCE_STATUS_ONLINE);
    rpc_local_free(phone);
    hold_elsewhere(t, &b, "now() + interval '1 hour'");
    assert_told(t, to_a, &b, PRESENCE_STATUS_ONLINE); /* the test's own row */
    rpc_local_free(desk);
    run_for(t, 1500);
    assert_int_equal(presence_of(t, &a, &b)->status, PRESENCE_STATUS_ONLINE);
    sql(t, "delete from presence_holder where expires_at > now() + interval "
           "'30 minutes'");
    assert_int_equal(presence_of(t, &a, &b)->status, PRESENCE_STATUS_OFFLINE);
    rpc_local_free(to_a);
}

static void presence_is_for_those_who_share_a_room(void **state)
{
    fixture *t = *state;
    struct person a = person(t, USER_TYPE_SEEKER);
    struct person b = person(t, USER_TYPE_PROVIDER);
    struct person stranger = person(t, USER_TYPE_PROVIDER);
    open_room(t, &a, &b);
    const UserPresence *presence = presence_of(t, &a, &b);
    assert_int_equal(presence->status, PRESENCE_STATUS_OFFLINE);
    assert_null(presence->last_seen_time);

    struct rpc_local *to_a = watch(t, &a);
    struct rpc_local *of_b = come(t, &b);
    assert_told(t, to_a, &b, PRESENCE_STATUS_ONLINE);
    assert_int_equal(presence_of(t, &a, &b)->status, PRESENCE_STATUS_ONLINE);
    assert_null(presence_of(t, &stranger, &b));
    sql(t, "update room_member set left_at = now() where user_id = '%s'",
        a.user_id);
    assert_null(presence_of(t, &a, &b));
    rpc_local_free(of_b);
    rpc_local_free(to_a);
}

static void who_was_at_a_server_that_is_gone_goes_with_its_lease(void **state)
{
    fixture *t = *state;
    struct person a = person(t, USER_TYPE_SEEKER);
    struct person b = person(t, USER_TYPE_PROVIDER);
    open_room(t, &a, &b);
    set("presence_lease", "2s");
    struct rpc_local *to_a = watch(t, &a);
    hold_elsewhere(t, &b, "now() + interval '4 seconds'");
    assert_told(t, to_a, &b, PRESENCE_STATUS_ONLINE);
    assert_non_null(
        assert_told(t, to_a, &b, PRESENCE_STATUS_OFFLINE)->last_seen_time);
    assert_int_equal(presence_of(t, &a, &b)->status, PRESENCE_STATUS_OFFLINE);
    assert_int_equal(number(t,
                            "select count(*) from presence_hold where "
                            "user_id = '%s'",
                            b.user_id),
                     0);
    set("presence_lease", "20s");
    rpc_local_free(to_a);
}

/* As after an outage of the database, or a long sleep of the machine. */
static void a_lease_that_ran_out_is_taken_anew(void **state)
{
    fixture *t = *state;
    struct person a = person(t, USER_TYPE_SEEKER);
    struct person b = person(t, USER_TYPE_PROVIDER);
    open_room(t, &a, &b);
    set("presence_lease", "2s");
    struct rpc_local *to_a = watch(t, &a), *of_b = come(t, &b);
    assert_told(t, to_a, &b, PRESENCE_STATUS_ONLINE);
    sql(t, "update presence_holder set expires_at = now() - interval '1 s'");
    int tries = 0;
    while (presence_of(t, &a, &b)->status != PRESENCE_STATUS_ONLINE &&
           tries++ < TRIES)
        run_for(t, 20);
    assert_in_range(tries, 0, TRIES - 1);

    /* The old holder's end changes nothing. */
    while (number(t, "select count(*) from presence_holder where expires_at < "
                     "now()") > 0 &&
           tries++ < TRIES)
        run_for(t, 20);
    assert_int_equal(presence_of(t, &a, &b)->status, PRESENCE_STATUS_ONLINE);
    assert_int_equal(number(t,
                            "select is_online::int from user_presence where "
                            "user_id = '%s'",
                            b.user_id),
                     1);
    set("presence_lease", "20s");
    rpc_local_free(of_b);
    rpc_local_free(to_a);
}

/* Nobody reads the stream of a: it is full when b comes, of which c is told in
 * the same pass. */
static void a_stream_that_was_full_is_told_to_ask_again(void **state)
{
    fixture *t = *state;
    struct person a = person(t, USER_TYPE_SEEKER);
    struct person b = person(t, USER_TYPE_PROVIDER);
    struct person c = person(t, USER_TYPE_PROVIDER);
    const char *room_id = open_room(t, &a, &b);
    open_room(t, &b, &c);
    set("slow_reader", "10m");
    struct rpc_local *to_c = watch(t, &c);
    struct rpc_local *to_a = subscribe(t, &a, EVENT_TOPIC_UNSPECIFIED);
    next_of(t, to_a, EVENT_CAUGHT_UP_CASE);
    char line[4001];
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    const struct hub *hub = hub_of(rpc_server_loop(t->server, 0));
    while (hub_stats(hub).full == 0)
        say(t, &b, room_id, line);

    struct rpc_local *of_b = come(t, &b);
    assert_told(t, to_c, &b, PRESENCE_STATUS_ONLINE);
    next_of(t, to_a, EVENT_PRESENCE_STALE_CASE);
    set("slow_reader", "10s");
    rpc_local_free(of_b);
    rpc_local_free(to_a);
    rpc_local_free(to_c);
}

/* A restored backup: the versions begin anew. */
static void versions_that_go_back_make_clients_ask_again(void **state)
{
    fixture *t = *state;
    struct person a = person(t, USER_TYPE_SEEKER);
    struct person b = person(t, USER_TYPE_PROVIDER);
    open_room(t, &a, &b);
    struct rpc_local *to_a = watch(t, &a), *of_b = come(t, &b);
    assert_told(t, to_a, &b, PRESENCE_STATUS_ONLINE);
    sql(t, "begin; update presence_clock set version = 0; "
           "update user_presence set version = 0; commit");
    next_of(t, to_a, EVENT_PRESENCE_STALE_CASE);
    rpc_local_free(of_b);
    assert_told(t, to_a, &b, PRESENCE_STATUS_OFFLINE);
    rpc_local_free(to_a);
}

TEST_MAIN("presence", TEST(who_shares_a_room_hears_who_comes_and_goes),
          TEST(only_the_last_stream_takes_its_user_along),
          TEST(presence_is_for_those_who_share_a_room),
          TEST(who_was_at_a_server_that_is_gone_goes_with_its_lease),
          TEST(a_lease_that_ran_out_is_taken_anew),
          TEST(a_stream_that_was_full_is_told_to_ask_again),
          TEST(versions_that_go_back_make_clients_ask_again))
