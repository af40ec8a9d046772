#ifndef PRBAL_SERVICES_EVENTS_HUB_H
#define PRBAL_SERVICES_EVENTS_HUB_H

#include "rpc/server.h"
#include "rpc/stream.h"
#include "services/events/position.h"

#include <stdint.h>

/* The hub of a loop: all open event streams of its connections.
 *
 * A stream is a position in its user's log.  Nothing is handed from the writer
 * of an event to the stream: a wake-up only says that a log may have grown, and
 * the hub then reads all logs that did, many in one statement, on one
 * short-lived coroutine.  A wake-up may therefore be lost, doubled or late
 * without harm; once a second all logs are looked at anyway.
 *
 *   hub_add -----> catching up -----> hub_go_live -----> live ---> ended
 *           (its own coroutine reads                (no coroutine)
 *            the backlog)
 *
 * A stream that cannot take more keeps its position and is left out of the
 * reading until it has room again, or, after a while, is ended: it loses
 * nothing, because it resumes from the log. */
struct hub;
struct hub_stream;
struct hints;
struct seats;
struct presence;

/* Before the server starts: the hub hears of sessions that end.  Repeating it
 * changes nothing. */
void hub_register(void);

/* One hub a loop, between the server's loop_start and loop_stop hooks.
 * `database_url` is for the listener that the first loop runs, and outlives
 * the hub; NULL means that no other process shares the database. */
void hub_start(struct rpc_server *server, struct loop *loop,
               const char *database_url);
void hub_stop(struct loop *loop);
struct hub *hub_of(struct loop *loop); /* NULL before start, after stop */

/* Takes one of the caller's seats and puts the stream into the hub, tied to the
 * call until hub_go_live(): whatever ends the user's session or token meanwhile
 * ends the call.  `topics` has bit 1 << EventTopic for each that is wanted.
 * RESOURCE_EXHAUSTED (TOO_MANY_STREAMS).  Suspends. */
rpc_status hub_add(struct rpc_call *call, uint32_t topics,
                   struct hub_stream **stream);

/* Whether the stream asked for this topic. */
bool hub_wants(const struct hub_stream *stream, int topic);

/* Detaches the call's output and goes on from `position`, after which the
 * handler returns at once.  Does not suspend. */
void hub_go_live(struct hub_stream *stream, struct rpc_out *out,
                 event_position position);

/* From here on the hub's streams hear of who comes and goes.  Before a stream
 * says that it is connected.  Suspends. */
rpc_status hub_follow_presence(struct rpc_call *call);

/* The user's log may have grown, or for WAKE_PRESENCE somebody came or went. On
 * the hub's loop. */
void hub_wake(struct hub *hub, const char *user_id);
void hub_wake_all(struct hub *hub);

/* Ends the streams of a session, or of all of the user's when session_id is
 * NULL, with a SessionEnded event.  On the hub's loop. */
void hub_end_sessions(struct hub *hub, const char *user_id,
                      const char *session_id);

/* What other files of events/ keep with a loop's hub. */
struct hints *hub_hints(struct hub *hub); /* NULL but on the first loop */
struct seats *hub_seats(struct hub *hub);
struct presence *hub_presence(struct hub *hub);

struct hub_stats {
    int streams, users, full;
    uint64_t events_sent, reads, polls, slow_readers, resyncs;
};
struct hub_stats hub_stats(const struct hub *hub);

#endif
