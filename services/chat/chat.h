#ifndef PRBAL_SERVICES_CHAT_CHAT_H
#define PRBAL_SERVICES_CHAT_CHAT_H

#include "db/db.h"

/* The room of two people who share a service request, a bid or a booking.
 * Whatever their roles are, they may talk there. */
struct chat_context {
    const char *title; /* the room's name; the service's title */
    const char *person_id;
    const char *other_id;
    /* At least one.  A later call with the same bid (or, without a bid, the
     * same booking or service) finds the same room and fills in what is new. */
    const char *service_id;
    const char *bid_id;
    const char *booking_id;
};

/* Opens the room, or finds it; *room_id (may be NULL) lives in the call's
 * arena.  Repeating it changes nothing.  Suspends. */
rpc_status chat_open_context_room(struct db *tx,
                                  const struct chat_context *context,
                                  const char **room_id);

#endif
