#ifndef PRBAL_SERVICES_BOOKINGS_BOOKINGS_H
#define PRBAL_SERVICES_BOOKINGS_BOOKINGS_H

#include "db/db.h"
#include "prbal/v1/bid.rpc.h"
#include "prbal/v1/booking.rpc.h"
#include "services/bids/bid_row.rpc.h"
#include "services/bookings/booking_row.rpc.h"

/* What other domains ask of bookings.  All suspend. */

/* Makes the booking of a bid that was accepted in the same transaction, tells
 * both sides and opens their room.  ABORTED (SLOT_TAKEN), with the provider's
 * next free starts, when the time is gone; `tx` is then rolled back. */
rpc_status booking_create_from_bid(struct db *tx, const AcceptBidRequest *req,
                                   const BidPartyRow *bid, Booking **booking);

/* The booking of a bid, for a participant. */
rpc_status booking_read_of_bid(struct rpc_call *call, const char *bid_id,
                               Booking **booking);

/* Whether CONFIRMED or IN_PROGRESS bookings of a service exist. */
rpc_status bookings_any_live(struct db *db, const char *service_id, bool *any);

/* Declines every PENDING booking of a service that is being taken back, and
 * tells the seekers. */
rpc_status bookings_decline_pending(struct db *tx, const char *service_id,
                                    const char *reason);

/* For use inside the domain. */

/* Jobs that remind both participants of a CONFIRMED booking before it starts.
 * Does not suspend. */
void booking_plan_reminders(struct db *tx, const BookingStateRow *booking);

/* A timeline entry, a BOOKING_UPDATED event to both participants, and the
 * reminders of a booking that is CONFIRMED from now on. */
rpc_status booking_record(struct db *tx, const BookingStateRow *booking,
                          BookingStatus status, const char *timeline_type,
                          const char *note);

#endif
