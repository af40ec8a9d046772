#ifndef PRBAL_SERVICES_NOTIFICATIONS_NOTIFY_H
#define PRBAL_SERVICES_NOTIFICATIONS_NOTIFY_H

#include "db/db.h"
#include "prbal/v1/notification.rpc.h"

/* What one user is to be told.  Only recipient_id and type must be there. */
struct notice {
    const char *recipient_id;
    NotificationType type;

    /* NULL takes the type's own text (services/notifications/text.c), filled
     * with these three; a NULL one reads as "someone", "service" and "". */
    const char *title;
    const char *message;
    const char *name;    /* who did it */
    const char *subject; /* the service, the booking or the room */
    const char *text;    /* what was said */

    /* Both or neither: "Booking" and its id.  Without `link` they make one:
     * "/bookings/ID". */
    const char *object_type;
    const char *object_id;
    const char *service_id;
    const char *bid_id;
    const char *message_id;
    const char *sender_id;
    const char *link;
};

/* Stores the notification and appends its NEW_NOTIFICATION event, both when
 * `tx` commits.  Nobody is told of what they did themselves: a notice whose
 * sender is its recipient is dropped.  Texts that are too long are cut.  A
 * MESSAGE about a room whose last MESSAGE is still unread renews that one and
 * makes no event.  Suspends. */
rpc_status notify(struct db *tx, const struct notice *notice);

/* Marks what was told about an object as read, because the recipient has seen
 * the object itself.  Suspends. */
rpc_status notify_seen(struct db *tx, const char *recipient_id,
                       const char *object_type, const char *object_id);

#endif
