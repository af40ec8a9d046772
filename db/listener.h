#ifndef PRBAL_DB_LISTENER_H
#define PRBAL_DB_LISTENER_H

#include <stdbool.h>

/* One connection of its own for LISTEN and NOTIFY.
 *
 * What travels here are hints, and hints may be lost: while the connection is
 * away nothing is heard and nothing is sent.  Whoever listens must be able to
 * find out by reading, too.  The connection comes back by itself, after 0.1 to
 * 5 seconds.  Used on its loop only; nothing here suspends. */
struct db_listener;
struct loop;

/* `url` outlives the listener.  `heard(payload, owner)` is called for each
 * notification, this process's own included; with a NULL payload each time
 * that the connection is there (again), because something may have been missed
 * before. */
struct db_listener *db_listener_create(
    struct loop *loop, const char *url, const char *channel,
    void (*heard)(const char *payload, void *owner), void *owner);
void db_listener_destroy(struct db_listener *listener); /* accepts NULL */

/* Sends one notification, at most 7,999 bytes, on the listener's channel.
 * False, and nothing is sent, while the connection is away or the one before
 * has not been confirmed. */
bool db_listener_notify(struct db_listener *listener, const char *payload);

#endif
