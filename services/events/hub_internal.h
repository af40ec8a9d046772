#ifndef PRBAL_SERVICES_EVENTS_HUB_INTERNAL_H
#define PRBAL_SERVICES_EVENTS_HUB_INTERNAL_H

#include "db/db.h"
#include "rpc/loop.h"
#include "services/events/hub.h"
#include "services/events/seats.h"
#include "services/events/users.h"
#include "services/events/wake.h"

/* Shared by hub.c (streams and time), hub_read.c (logs) and hub_presence.c (who
 * is online). */

struct hub_stream {
    struct hub *hub;
    struct hub_user *user;
    struct hub_stream *next_of_user;

    struct rpc_call *call; /* while catching up, else NULL */
    struct rpc_tail *tail; /* once live, else NULL */
    uint32_t topics;
    event_position position; /* all up to here was sent or not wanted */
    int64_t full_since_us;   /* 0 = it takes more */
    bool is_presence_stale;  /* it was not told of somebody */
    bool is_polled;          /* was live when the poll that runs began */
    char session_id[USER_ID_SIZE];
    struct loop_timer expiry; /* of the access token */

    /* All streams of the hub, the next heartbeat's first. */
    struct hub_stream *before, *after;
    int64_t heartbeat_due_us;
};

struct hub_user {
    struct user_entry entry; /* first */
    struct hub_stream *streams;
    /* In the list of logs to read.  A user without streams stays until it is
     * taken from that list. */
    bool is_dirty;
    struct hub_user *next_dirty;
    /* What the reading that is under way began after; INT64_MAX = none. */
    int64_t read_after;
};

struct hub {
    struct rpc_server *server;
    struct loop *loop;
    struct user_table users;
    struct hub_stream *first, *last;
    struct hub_user *dirty, **dirty_end;
    bool is_reading;  /* the one task of hub_read.c runs */
    bool is_poll_due; /* and shall look at all logs first */
    bool is_presence_due;
    int64_t presence_version; /* up to which streams were told; -1 = unknown */
    char read_after[DB_READ_AFTER_BYTES + 1]; /* covers the last reading */
    struct loop_timer tick;
    struct seats seats;
    struct presence *presence;
    struct hints *hints;     /* these two on the server's first loop, */
    struct trimmer *trimmer; /* else NULL */
    struct hub_stats stats;
};

/* The stream is out of every list and freed; its tail and call are not
 * touched. */
void hub_forget(struct hub_stream *stream);
void hub_end_stream(struct hub_stream *stream, rpc_code code,
                    const char *reason, const char *message);

void hub_mark_dirty(struct hub *hub, struct hub_user *user);

/* Frees a user who has no stream and waits for no reading. */
void hub_drop_if_unused(struct hub *hub, struct hub_user *user);

/* Takes a user off the list of dirty ones; NULL when it is empty. */
struct hub_user *hub_take_dirty(struct hub *hub);

/* True when the bytes are queued; else the stream counts as full. */
bool hub_offer(struct hub_stream *stream, const void *bytes, size_t size);

/* Tells the streams who came and went since the last time. */
rpc_status hub_read_presence(struct hub *hub, struct rpc_call *call);

/* A stream that was not told of somebody, and takes more again, is told so. */
void hub_admit_stale(struct hub_stream *stream);

/* Starts the reading task when there is something to do and none runs. */
void hub_start_reading(struct hub *hub);

#endif
