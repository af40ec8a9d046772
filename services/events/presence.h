#ifndef PRBAL_SERVICES_EVENTS_PRESENCE_H
#define PRBAL_SERVICES_EVENTS_PRESENCE_H

#include "rpc/server.h"

#include <stdbool.h>

/* Who is online: whoever has a stream in any process.
 *
 *   seats          presence              database             hub_presence
 *   first stream -> after 0.25 s at most -> hold, version n -> streams of those
 *   last is gone -> and 0.75 s more      ->                    who share a room
 *   each 5 s     -> the lease is renewed
 *
 * Each loop is a holder with a lease of 20 s (presence_lease), one row,
 * whatever the number of its users; a user is online while a holder that is
 * alive holds the user.  What a process that is gone held ends with its lease:
 * the others look when they renew their own.  One that was away itself (its
 * database was) first keeps its own lease for a while, so that an outage does
 * not send everybody off.
 *
 * Whoever comes back within 0.75 s, as clients do whose token or connection
 * has ended, was never away. */
struct presence;
struct presence *presence_create(struct rpc_server *server, struct loop *loop);
void presence_destroy(struct presence *presence); /* accepts NULL */

/* The user has streams in this process, or none any more.  On the loop that
 * counts the user's seats. */
void presence_set(struct presence *presence, const char *user_id, bool is_here);

#endif
