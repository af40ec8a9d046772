#include "tests/testkit/deals.h"

#define BIDS "/prbal.v1.BidService/"
#define BOOKINGS "/prbal.v1.BookingService/"

/* ---- Bids. */

Money usd(int64_t amount_minor)
{
    Money money = MONEY_INIT;
    money.amount_minor = amount_minor;
    money.currency = "USD";
    return money;
}

CreateBidRequest bid_request(const char *service_id, Money *amount)
{
    CreateBidRequest req = CREATE_BID_REQUEST_INIT;
    req.service_id = service_id;
    req.amount = amount;
    req.message = "I can do this next week.";
    return req;
}

struct rpc_reply try_bid(fixture *t, const struct person *provider,
                         const char *service_id, int64_t amount_minor)
{
    Money amount = usd(amount_minor);
    CreateBidRequest req = bid_request(service_id, &amount);
    return call_as(t, provider, BIDS "CreateBid", &req);
}

const Bid *bid_on(fixture *t, const struct person *provider,
                  const char *service_id, int64_t amount_minor)
{
    return ANSWER(CreateBidResponse,
                  try_bid(t, provider, service_id, amount_minor))
        ->bid;
}

struct rpc_reply try_accept_bid(fixture *t, const struct person *who,
                                const char *bid_id)
{
    AcceptBidRequest req = ACCEPT_BID_REQUEST_INIT;
    req.bid_id = bid_id;
    return call_as(t, who, BIDS "AcceptBid", &req);
}

struct rpc_reply try_get_bid(fixture *t, const struct person *who,
                             const char *bid_id)
{
    GetBidRequest req = GET_BID_REQUEST_INIT;
    req.bid_id = bid_id;
    return call_as(t, who, BIDS "GetBid", &req);
}

struct rpc_reply try_reject_bid(fixture *t, const struct person *who,
                                const char *bid_id, const char *reason)
{
    RejectBidRequest req = REJECT_BID_REQUEST_INIT;
    req.bid_id = bid_id;
    req.reason = reason;
    return call_as(t, who, BIDS "RejectBid", &req);
}

struct rpc_reply try_withdraw_bid(fixture *t, const struct person *who,
                                  const char *bid_id)
{
    WithdrawBidRequest req = WITHDRAW_BID_REQUEST_INIT;
    req.bid_id = bid_id;
    return call_as(t, who, BIDS "WithdrawBid", &req);
}

/* ---- Bookings. */

CreateBookingRequest booking_request(const char *service_id)
{
    CreateBookingRequest req = CREATE_BOOKING_REQUEST_INIT;
    req.service_id = service_id;
    req.full_name = "Mona Adel";
    return req;
}

struct rpc_reply try_book(fixture *t, const struct person *seeker,
                          const char *service_id, int64_t start, int64_t length)
{
    CreateBookingRequest req = booking_request(service_id);
    if (length != 0) {
        req.start_time = in_minutes(t, start);
        req.end_time = in_minutes(t, start + length);
    }
    return call_as(t, seeker, BOOKINGS "CreateBooking", &req);
}

const Booking *book(fixture *t, const struct person *seeker,
                    const char *service_id, int64_t start, int64_t length)
{
    return ANSWER(CreateBookingResponse,
                  try_book(t, seeker, service_id, start, length))
        ->booking;
}

struct rpc_reply try_get_booking(fixture *t, const struct person *who,
                                 const char *booking_id)
{
    GetBookingRequest req = GET_BOOKING_REQUEST_INIT;
    req.booking_id = booking_id;
    return call_as(t, who, BOOKINGS "GetBooking", &req);
}

struct rpc_reply try_move_booking(fixture *t, const struct person *who,
                                  const char *method, const char *booking_id)
{
    AcceptBookingRequest accept = ACCEPT_BOOKING_REQUEST_INIT;
    DeclineBookingRequest decline = DECLINE_BOOKING_REQUEST_INIT;
    StartBookingRequest start = START_BOOKING_REQUEST_INIT;
    CompleteBookingRequest complete = COMPLETE_BOOKING_REQUEST_INIT;
    CancelBookingRequest cancel = CANCEL_BOOKING_REQUEST_INIT;
    accept.booking_id = decline.booking_id = start.booking_id =
        complete.booking_id = cancel.booking_id = booking_id;
    decline.reason = cancel.reason = "no time";
    complete.note = "all done";
    const struct {
        const char *method;
        const void *request;
    } moves[] = {
        {"AcceptBooking", &accept}, {"DeclineBooking", &decline},
        {"StartBooking", &start},   {"CompleteBooking", &complete},
        {"CancelBooking", &cancel},
    };
    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++)
        if (strcmp(moves[i].method, method) == 0)
            return call_as(t, who,
                           arena_printf(t->arena, BOOKINGS "%s", method),
                           moves[i].request);
    fail_msg("no move %s", method);
    return (struct rpc_reply){0};
}

const char *booking_status(fixture *t, const char *booking_id)
{
    return text(t, "select status from booking where booking_id = '%s'",
                booking_id);
}
