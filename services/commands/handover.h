#ifndef PRBAL_SERVICES_COMMANDS_HANDOVER_H
#define PRBAL_SERVICES_COMMANDS_HANDOVER_H

#include "db/embedded.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* How one `prbald serve` gives its place to the next, over the Unix socket
 * <data>/handover (mode 0600; both sides ask the kernel who the other is).
 *
 *   old                              new
 *    |  <------- "prbald 1" --------  |   prbald upgrade
 *    |  -- sockets, database, pid ->  |   SCM_RIGHTS
 *    |                                |   starts; both accept calls
 *    |  <-------- "ready" ----------  |
 *   drains, and ends                  |   offers the socket itself
 *
 * When the link ends before "ready", the old one goes on as before. */

struct handover_gift {
    pid_t giver;
    bool has_database; /* a private PostgreSQL */
    struct embedded_lease database;
    int listening_count; /* sockets, given to rpc/inherited.h */
};

/* --- the old one's side; main thread --- */

struct handover_offer;

/* Offers itself.  NULL, with a sentence in error[error_size], when the socket
 * cannot be had: then there is no upgrade without a pause. */
struct handover_offer *handover_open(const char *folder, char *error,
                                     size_t error_size);
void handover_close(struct handover_offer *offer); /* accepts NULL */

typedef enum {
    HANDOVER_NOTHING,
    HANDOVER_BEGUN,   /* somebody has taken everything, and starts */
    HANDOVER_DONE,    /* it serves: drain */
    HANDOVER_FAILED,  /* it is gone */
    HANDOVER_REFUSED, /* somebody came who may not have it */
} handover_event;

/* What has happened; does not wait for more than a moment.  `embedded` may be
 * NULL. */
handover_event handover_look(struct handover_offer *offer,
                             struct embedded *embedded);

/* --- the new one's side --- */

/* Asks the server of this data folder.  The link to answer on, or -1 with a
 * sentence in error[error_size]. */
int handover_take(const char *folder, struct handover_gift *gift, char *error,
                  size_t error_size);
/* We serve; closes the link. */
void handover_ready(int link);

#endif
