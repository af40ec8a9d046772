#ifndef PRBAL_SERVICES_EVENTS_SEATS_H
#define PRBAL_SERVICES_EVENTS_SEATS_H

#include "rpc/server.h"
#include "services/events/users.h"

/* How many streams a user has open in this process.  Each user is counted on
 * one loop, chosen by the id; the others ask it by post.  That loop also says
 * whether the user is online (services/events/presence.h). */

/* The counts that a loop keeps. */
struct seats {
    struct user_table users;
};
void seats_finish(struct seats *seats);

/* Takes a seat, or answers RESOURCE_EXHAUSTED (TOO_MANY_STREAMS) when the user
 * has `most` of them.  Suspends. */
rpc_status seat_take(struct rpc_call *call, const char *user_id, int64_t most);

/* Gives one back.  Does not suspend. */
void seat_leave(struct rpc_server *server, const char *user_id);

#endif
