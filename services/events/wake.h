#ifndef PRBAL_SERVICES_EVENTS_WAKE_H
#define PRBAL_SERVICES_EVENTS_WAKE_H

#include "rpc/server.h"

#include <stddef.h>

/* Telling every hub whose logs have grown: the hubs of this process by posting
 * to their loops, those of other processes by a hint.
 *
 * Hints go out on a connection of their own, at most 50 times a second for the
 * whole process: NOTIFY inside the transactions that write the events would
 * make all of them commit one after the other.  WAKE_PRESENCE stands among the
 * users for the changes of presence. */
#define WAKE_PRESENCE "presence"
void wake_users(struct rpc_call *call, const char *const *user_ids,
                size_t count);

/* Another layer that is woken the same way: whenever `name`, which is no user's
 * id and shorter than one, is among what is woken, here or in another process,
 * `fn(loop)` runs on every loop of the server.  It may run for nothing.  Before
 * the server starts; repeating it changes nothing. */
void wake_register(const char *name, void (*fn)(struct loop *loop));

/* The sender and receiver of hints; lives on the server's first loop. */
struct hints;
struct hints *hints_create(struct rpc_server *server, struct loop *loop,
                           const char *database_url);
void hints_destroy(struct hints *hints); /* accepts NULL */

/* Joins the next hint.  On the hints' loop. */
void hints_add(struct hints *hints, const char *user_id);
struct whisper;
void hints_add_whisper(struct hints *hints, const struct whisper *whisper);

/* For every loop of the server: wakes all users that have a stream. */
void wake_everybody(struct rpc_server *server);

/* Wakes them on all loops of the server, without a hint to other processes. */
void wake_here(struct rpc_server *server, const char *const *user_ids,
               size_t count);

#endif
