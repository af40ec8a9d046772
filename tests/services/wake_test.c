/* From the commit to the streams: on one loop, between the loops of a server,
 * and between servers on one database, as between two machines.
 *
 * That a wake-up arrived, and not just the safety poll, is told by counting:
 * each round takes its event before the next one begins, so rounds that waited
 * for the poll would have made a poll each. */
#include "db/db.h"
#include "prbal/v1/event.rpc.h"
#include "prbal/v1/registry.rpc.h"
#include "rpc/loop.h"
#include "services/app.h"
#include "services/events/events.h"
#include "services/events/hub.h"
#include "tests/testkit/rooms.h"

#include <semaphore.h>
#include <stdio.h>
#include <time.h>

#define SUBSCRIBE "/prbal.v1.EventService/Subscribe"

enum { ROUNDS = 20, WAIT_MS = 5000 };

/* ---- Writing an event on a loop of a server. */

struct writer {
    const char *user_id;
    int count;
    rpc_code code;
    bool done;
};

static rpc_status write_one(struct rpc_call *call, const char *user_id)
{
    struct db *tx;
    TRY(db_begin(call->db, &tx));
    event_bid_updated(tx, user_id, "a bid", "", BID_STATUS_PENDING);
    return db_commit(tx);
}

static void writer_task(struct rpc_call *call, void *argument)
{
    struct writer *w = argument;
    w->code = RPC_OK;
    for (int i = 0; i < w->count && w->code == RPC_OK; i++)
        w->code = write_one(call, w->user_id).code;
    w->done = true;
}

static void write_event(struct rpc_server *server, const char *user_id)
{
    struct writer w = {.user_id = user_id, .count = 1};
    struct loop *loop = rpc_server_loop(server, 0);
    assert_non_null(rpc_task(server, loop, writer_task, &w));
    loop_run_until(loop, &w.done);
    assert_int_equal(w.code, RPC_OK);
}

static const struct rpc_header *headers_of(fixture *t, const struct person *who)
{
    struct rpc_header *headers = arena_array(t->arena, 2, sizeof *headers);
    headers[0] = (struct rpc_header){
        "authorization", arena_printf(t->arena, "Bearer %s", who->token)};
    return headers;
}

static struct rpc_local *subscribe(fixture *t, struct rpc_server *server,
                                   const struct person *who)
{
    SubscribeRequest req = SUBSCRIBE_REQUEST_INIT;
    struct rpc_local *stream =
        rpc_local_open(server, SUBSCRIBE, headers_of(t, who));
    rpc_local_send(stream, &req);
    rpc_local_close_send(stream);
    return stream;
}

static const Event *next(fixture *t, struct rpc_local *stream)
{
    const SubscribeResponse *response =
        (const SubscribeResponse *)rpc_local_next(stream, t->arena, WAIT_MS);
    assert_non_null(response);
    return response->event;
}

static struct rpc_local *live_stream(fixture *t, struct rpc_server *server,
                                     const struct person *who)
{
    struct rpc_local *stream = subscribe(t, server, who);
    while (next(t, stream)->payload_case != EVENT_CAUGHT_UP_CASE)
        continue;
    return stream;
}

static uint64_t polls(struct rpc_server *server)
{
    return hub_stats(hub_of(rpc_server_loop(server, 0))).polls;
}

/* ---- One loop. */

static void a_commit_wakes_the_streams_of_its_loop(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    struct rpc_local *stream = live_stream(t, t->server, &who);
    uint64_t before = polls(t->server);
    for (int i = 1; i <= ROUNDS; i++) {
        write_event(t->server, who.user_id);
        assert_int_equal(next(t, stream)->event_id, i);
    }
    assert_in_range(polls(t->server) - before, 0, ROUNDS / 2);
    rpc_local_free(stream);
}

/* ---- Two servers on one database. */

static struct rpc_server *other_server(struct app *app, int loop_count)
{
    static const struct rpc_registry *const registries[] = {&prbal_registry,
                                                            NULL};
    return rpc_server_create(
        &(struct rpc_server_options){.registries = registries,
                                     .hooks = app_hooks(),
                                     .application = app,
                                     .error_domain = "prbal",
                                     .loop_count = loop_count});
}

static void run_server(struct rpc_server *server, const bool *done)
{
    loop_run_until(rpc_server_loop(server, 0), done);
}

struct pause {
    struct loop_timer timer;
    bool over;
};

static void pause_over(struct loop_timer *timer)
{
    ((struct pause *)timer)->over = true;
}

static void run_server_for(struct rpc_server *server, int64_t ms)
{
    struct pause pause = {.over = false};
    loop_timer_init(&pause.timer, pause_over);
    loop_timer_start(rpc_server_loop(server, 0), &pause.timer, ms);
    run_server(server, &pause.over);
}

static int64_t listeners(fixture *t)
{
    return number(t, "select count(*) from pg_stat_activity where "
                     "application_name = 'prbal listener' and datname = "
                     "current_database()");
}

/* Until both servers listen.  Sessions that are gone are still counted for a
 * moment: two have to be there at several looks in a row. */
static void await_listeners(fixture *t, struct rpc_server *other)
{
    enum { LOOKS = 2000, STEADY = 10 };
    int steady = 0;
    for (int i = 0; i < LOOKS && steady < STEADY; i++) {
        run_for(t, 10);
        run_server_for(other, 10);
        steady = listeners(t) == 2 ? steady + 1 : 0;
    }
    assert_int_equal(steady, STEADY);
    run_for(t, 20); /* the answers to LISTEN */
    run_server_for(other, 20);
}

/* The writing server's loop runs on between the rounds, so that it sends its
 * hint. */
static void assert_rounds(fixture *t, struct rpc_local *stream,
                          const char *user_id, int from, int to)
{
    for (int i = from; i <= to; i++) {
        write_event(t->server, user_id);
        run_for(t, 30);
        assert_int_equal(next(t, stream)->event_id, i);
    }
}

static void a_commit_wakes_the_streams_of_other_processes(void **state)
{
    fixture *t = *state;
    struct app app = {.database_url = t->url};
    struct rpc_server *other = other_server(&app, 1);
    assert_int_equal(rpc_server_start_here(other).code, RPC_OK);
    await_listeners(t, other);

    struct person who = person(t, USER_TYPE_SEEKER);
    struct rpc_local *stream = live_stream(t, other, &who);
    uint64_t before = polls(other);
    assert_rounds(t, stream, who.user_id, 1, ROUNDS);
    assert_in_range(polls(other) - before, 0, ROUNDS / 2);

    rpc_local_free(stream);
    rpc_server_stop_here(other);
    rpc_server_destroy(other);
}

static void a_lost_hint_is_made_good_by_the_poll(void **state)
{
    fixture *t = *state;
    struct app app = {.database_url = t->url};
    struct rpc_server *other = other_server(&app, 1);
    assert_int_equal(rpc_server_start_here(other).code, RPC_OK);
    await_listeners(t, other);

    struct person who = person(t, USER_TYPE_SEEKER);
    struct rpc_local *stream = live_stream(t, other, &who);
    sql(t,
        "select pg_terminate_backend(pid, 10000) from pg_stat_activity where "
        "application_name = 'prbal listener' and datname = "
        "current_database()");
    write_event(t->server, who.user_id);
    assert_int_equal(next(t, stream)->event_id, 1);

    await_listeners(t, other);
    uint64_t before = polls(other);
    assert_rounds(t, stream, who.user_id, 2, ROUNDS);
    assert_in_range(polls(other) - before, 0, ROUNDS / 2);

    rpc_local_free(stream);
    rpc_server_stop_here(other);
    rpc_server_destroy(other);
}

/* What is in no log is said again until the hint has found its way. */
static void who_types_is_told_to_streams_of_other_processes(void **state)
{
    fixture *t = *state;
    enum { TRIES = 50 };
    struct app app = {.database_url = t->url};
    struct rpc_server *other = other_server(&app, 1);
    assert_int_equal(rpc_server_start_here(other).code, RPC_OK);
    await_listeners(t, other);
    struct person a = person(t, USER_TYPE_SEEKER);
    struct person b = person(t, USER_TYPE_PROVIDER);
    SetTypingRequest req = SET_TYPING_REQUEST_INIT;
    req.room_id = open_room(t, &a, &b);
    req.is_typing = true;
    struct rpc_local *stream = live_stream(t, other, &b);

    const SubscribeResponse *got = NULL;
    for (int i = 0; i < TRIES && got == NULL; i++) {
        assert_ok(call_as(t, &a, "/prbal.v1.ChatService/SetTyping", &req));
        run_for(t, 30);
        got = (const SubscribeResponse *)rpc_local_next(stream, t->arena, 30);
    }
    assert_non_null(got);
    assert_int_equal(got->event->payload_case, EVENT_TYPING_INDICATOR_CASE);
    assert_string_equal(got->event->typing_indicator->user_id, a.user_id);

    rpc_local_free(stream);
    rpc_server_stop_here(other);
    rpc_server_destroy(other);
}

/* ---- Two loops of one server, each on its thread. */

struct remote {
    struct rpc_server *server;
    struct loop *loop;
    const struct rpc_header *headers;
    const char *user_id;
    struct rpc_local *stream;
    struct arena *arena;
    struct loop_timer timer;
    int64_t position; /* -1 until caught up */
    int64_t wanted;   /* the position that `arrived` tells of */
    uint64_t polls;   /* when it was reached */
    rpc_code ended;   /* when the stream is over */
    sem_t arrived;
    struct writer writers[ROUNDS]; /* one a round: it ends when it likes */
};

static bool is_there(struct remote *remote)
{
    const SubscribeResponse *got;
    while ((got = (const SubscribeResponse *)rpc_local_next(
                remote->stream, remote->arena, 0)) != NULL) {
        if (got->event->payload_case == EVENT_CAUGHT_UP_CASE)
            remote->position = got->event->caught_up->position;
        else if (got->event->event_id == remote->position + 1)
            remote->position++;
    }
    return !rpc_local_is_open(remote->stream) ||
           remote->position == remote->wanted;
}

static void look(struct loop_timer *timer)
{
    struct remote *remote =
        (struct remote *)((char *)timer - offsetof(struct remote, timer));
    if (!is_there(remote)) {
        loop_timer_start(remote->loop, timer, 2);
        return;
    }
    remote->polls = hub_stats(hub_of(remote->loop)).polls;
    if (!rpc_local_is_open(remote->stream))
        remote->ended = rpc_local_reply(remote->stream).status.code;
    sem_post(&remote->arrived);
}

static void open_remote(void *argument)
{
    struct remote *remote = argument;
    SubscribeRequest req = SUBSCRIBE_REQUEST_INIT;
    remote->stream = rpc_local_open(remote->server, SUBSCRIBE, remote->headers);
    rpc_local_send(remote->stream, &req);
    rpc_local_close_send(remote->stream);
    loop_timer_init(&remote->timer, look);
    loop_timer_start(remote->loop, &remote->timer, 0);
}

static void look_again(void *argument)
{
    look(&((struct remote *)argument)->timer);
}

static void write_remote(void *argument)
{
    struct remote *remote = argument;
    rpc_task(remote->server, rpc_server_loop(remote->server, 0), writer_task,
             &remote->writers[remote->wanted - 1]);
}

static void close_remote(void *argument)
{
    struct remote *remote = argument;
    loop_timer_stop(&remote->timer);
    rpc_local_free(remote->stream);
    sem_post(&remote->arrived);
}

static void await(struct remote *remote)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    assert_int_equal(sem_timedwait(&remote->arrived, &until), 0);
}

/* A stream of `who` on a loop of the server, live or refused. */
static void start_remote(fixture *t, struct remote *remote,
                         struct rpc_server *server, int loop,
                         const struct person *who)
{
    *remote = (struct remote){.server = server,
                              .loop = rpc_server_loop(server, loop),
                              .headers = headers_of(t, who),
                              .user_id = who->user_id,
                              .arena = arena_create(),
                              .position = -1,
                              .wanted = 0};
    sem_init(&remote->arrived, 0, 0);
    loop_post(remote->loop, open_remote, remote);
    await(remote);
}

static void stop_remote(struct remote *remote)
{
    loop_post(remote->loop, close_remote, remote);
    await(remote);
    arena_destroy(remote->arena);
    sem_destroy(&remote->arrived);
}

static void a_commit_wakes_the_streams_of_other_loops(void **state)
{
    fixture *t = *state;
    struct app app = {.database_url = t->url};
    struct rpc_server *server = other_server(&app, 2);
    assert_int_equal(rpc_server_start(server).code, RPC_OK);
    struct person who = person(t, USER_TYPE_SEEKER);
    struct remote remote;
    start_remote(t, &remote, server, 1, &who);
    assert_int_equal(remote.ended, RPC_OK);
    uint64_t before = remote.polls;

    for (int i = 1; i <= ROUNDS; i++) {
        remote.writers[i - 1] =
            (struct writer){.user_id = who.user_id, .count = 1};
        remote.wanted = i;
        loop_post(rpc_server_loop(server, 0), write_remote, &remote);
        loop_post(remote.loop, look_again, &remote);
        await(&remote);
    }
    assert_int_equal(remote.position, ROUNDS);
    assert_in_range(remote.polls - before, 0, ROUNDS / 2);
    stop_remote(&remote);
    rpc_server_stop(server);
    rpc_server_destroy(server);
}

static void seats_are_counted_over_all_loops(void **state)
{
    fixture *t = *state;
    enum { SEATS = 5 };
    struct app app = {.database_url = t->url};
    struct rpc_server *server = other_server(&app, 2);
    assert_int_equal(rpc_server_start(server).code, RPC_OK);
    struct person who = person(t, USER_TYPE_SEEKER);
    struct remote remotes[SEATS + 1];
    for (int i = 0; i <= SEATS; i++)
        start_remote(t, &remotes[i], server, i % 2, &who);
    for (int i = 0; i < SEATS; i++)
        assert_int_equal(remotes[i].ended, RPC_OK);
    assert_int_equal(remotes[SEATS].ended, RPC_RESOURCE_EXHAUSTED);
    for (int i = 0; i <= SEATS; i++)
        stop_remote(&remotes[i]);
    rpc_server_stop(server);
    rpc_server_destroy(server);
}

TEST_MAIN("wake", TEST(a_commit_wakes_the_streams_of_its_loop),
          TEST(a_commit_wakes_the_streams_of_other_processes),
          TEST(a_lost_hint_is_made_good_by_the_poll),
          TEST(who_types_is_told_to_streams_of_other_processes),
          TEST(a_commit_wakes_the_streams_of_other_loops),
          TEST(seats_are_counted_over_all_loops))
