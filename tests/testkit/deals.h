#ifndef PRBAL_TESTS_DEALS_H
#define PRBAL_TESTS_DEALS_H

#include "prbal/v1/bid.rpc.h"
#include "prbal/v1/booking.rpc.h"
#include "tests/testkit/testkit.h"

/* Requests for bids and bookings.  Those with `try` may be refused; the others
 * end the test when they are.  Replies live in the fixture's arena. */

/* Bids, in cents of USD. */

Money usd(int64_t amount_minor);
CreateBidRequest bid_request(const char *service_id, Money *amount);
struct rpc_reply try_bid(fixture *t, const struct person *provider,
                         const char *service_id, int64_t amount_minor);
const Bid *bid_on(fixture *t, const struct person *provider,
                  const char *service_id, int64_t amount_minor);
struct rpc_reply try_accept_bid(fixture *t, const struct person *who,
                                const char *bid_id);
struct rpc_reply try_get_bid(fixture *t, const struct person *who,
                             const char *bid_id);
struct rpc_reply try_reject_bid(fixture *t, const struct person *who,
                                const char *bid_id, const char *reason);
struct rpc_reply try_withdraw_bid(fixture *t, const struct person *who,
                                  const char *bid_id);

/* Bookings. */

CreateBookingRequest booking_request(const char *service_id);

/* At `start` minutes from now, for `length` minutes. */
struct rpc_reply try_book(fixture *t, const struct person *seeker,
                          const char *service_id, int64_t start,
                          int64_t length);
const Booking *book(fixture *t, const struct person *seeker,
                    const char *service_id, int64_t start, int64_t length);

struct rpc_reply try_get_booking(fixture *t, const struct person *who,
                                 const char *booking_id);

/* The requests of all moves have their booking_id as the only or first field,
 * so one function serves: AcceptBooking, DeclineBooking, StartBooking,
 * CompleteBooking, CancelBooking. */
struct rpc_reply try_move_booking(fixture *t, const struct person *who,
                                  const char *method, const char *booking_id);

const char *booking_status(fixture *t, const char *booking_id);

#endif
