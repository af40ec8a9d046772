#ifndef PRBAL_SERVICES_EVENTS_EVENTS_H
#define PRBAL_SERVICES_EVENTS_EVENTS_H

#include "db/db.h"
#include "prbal/v1/event.rpc.h"

/* Telling users what happened to them.
 *
 * An event belongs to the fact that it tells of: it is written by the same
 * transaction and streamed once that is committed (services/events/hub.h).
 *
 *   handler          event_append ... event_append      (kept in memory)
 *   before commit    one statement: counters bumped in user-id order, rows
 *   after commit     the hubs of this process are woken; other processes get
 *                    a hint
 *
 * All counters of a transaction are bumped last and in one order, so two
 * transactions never wait for each other in a circle because of events. */

/* With more, the commit fails with RESOURCE_EXHAUSTED. */
enum { EVENTS_PER_TRANSACTION_MAX = 10000 };

/* Puts `event` into the user's log when `tx` commits.  The event is encoded
 * before this returns; its event_id is ignored, its create_time is now when it
 * has none.  `tx` must be a transaction.  Does not suspend. */
void event_append(struct db *tx, const char *user_id, const Event *event);

/* The events of other domains, ready made. */
void event_bid_updated(struct db *tx, const char *user_id, const char *bid_id,
                       const char *service_id, BidStatus status);
void event_booking_updated(struct db *tx, const char *user_id,
                           const char *booking_id, const char *service_id,
                           BookingStatus status);

#endif
