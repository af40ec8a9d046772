/* Calls that want the same rows in the middle of each other's work: none of
 * them ends in a deadlock that its caller hears of. */
#include "rpc/metrics.h"
#include "tests/testkit/deals.h"
#include "tests/testkit/listings.h"
#include "tests/testkit/market.h"

#define BIDS "/prbal.v1.BidService/"
#define BOOKINGS "/prbal.v1.BookingService/"
#define LISTINGS "/prbal.v1.ListingService/"

/* In this process; the server's own count comes a second late. */
static int64_t deadlocks(void)
{
    metric count = metrics_find("db_errors_total", "sqlstate=\"40P01\"");
    return count < 0 ? 0 : metrics_value(count);
}

/* The view is taken once in a transaction, such as the test's own. */
static int64_t waiting(fixture *t)
{
    sql(t, "select pg_stat_clear_snapshot()");
    return number(t, "select count(*) from pg_stat_activity where"
                     " wait_event_type = 'Lock'"
                     " and datname = current_database()");
}

/* Lets the server work until so many statements wait for a lock. */
static void until_waiting(fixture *t, int64_t count)
{
    for (int i = 0; i < 2000 && waiting(t) != count; i++)
        run_for(t, 5);
    assert_int_equal(waiting(t), count);
}

static struct rpc_reply end_of(fixture *t, struct rpc_local *local)
{
    ProtobufCMessage *message = rpc_local_next(local, t->arena, 60000);
    struct rpc_reply reply = rpc_local_reply(local);
    reply.message = message;
    return reply;
}

/* The service is held while its bids and bookings are turned down, and the
 * booking while its service is opened again. */
static void a_service_is_deleted_while_its_booking_is_cancelled(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    struct person rival = person(t, USER_TYPE_PROVIDER);
    const char *service = needed_service(t, &seeker, "Dig a pond");
    const Bid *bid = bid_on(t, &provider, service, 5000);
    const Bid *other = bid_on(t, &rival, service, 6000);
    const char *booking =
        ANSWER(AcceptBidResponse, try_accept_bid(t, &seeker, bid->bid_id))
            ->booking->booking_id;
    /* As it is until it is paid, when that comes first. */
    sql(t,
        "update booking set status = 'PENDING', accepted_at = null"
        " where booking_id = '%s'",
        booking);
    sql(t,
        "update bid set status = 'PENDING', rejected_at = null"
        " where bid_id = '%s'",
        other->bid_id);

    int64_t before = deadlocks();
    DeleteServiceRequest gone = DELETE_SERVICE_REQUEST_INIT;
    gone.service_id = service;
    CancelBookingRequest cancel = CANCEL_BOOKING_REQUEST_INIT;
    cancel.booking_id = booking;
    sql(t, "begin; select from bid where bid_id = '%s' for update",
        other->bid_id);
    struct rpc_local *deletion =
        stream_as(t, &seeker, LISTINGS "DeleteService", &gone);
    until_waiting(t, 1);
    struct rpc_local *cancellation =
        stream_as(t, &provider, BOOKINGS "CancelBooking", &cancel);
    until_waiting(t, 2);
    sql(t, "commit");

    assert_ok(end_of(t, deletion));
    assert_reason(end_of(t, cancellation), RPC_FAILED_PRECONDITION,
                  "WRONG_STATE");
    assert_string_equal(booking_status(t, booking), "DECLINED");
    assert_int_equal(deadlocks(), before);
    rpc_local_free(deletion);
    rpc_local_free(cancellation);
}

/* Somebody without manners: the calendar is wanted by who holds the service. */
static void the_loser_of_a_deadlock_does_it_again(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const char *service = needed_service(t, &seeker, "Fill the pond");
    const Bid *bid = bid_on(t, &provider, service, 5000);

    int64_t before = deadlocks();
    AcceptBidRequest req = ACCEPT_BID_REQUEST_INIT;
    req.bid_id = bid->bid_id;
    sql(t,
        "begin; set local deadlock_timeout = '60s';"
        " select from service where service_id = '%s' for update",
        service);
    struct rpc_local *call = stream_as(t, &seeker, BIDS "AcceptBid", &req);
    until_waiting(t, 1);
    sql(t, "select from account where user_id = '%s' for update; commit",
        provider.user_id);

    const AcceptBidResponse *res = ANSWER(AcceptBidResponse, end_of(t, call));
    assert_int_equal(res->booking->status, BOOKING_STATUS_CONFIRMED);
    assert_int_equal(deadlocks(), before + 1);
    assert_int_equal(number(t,
                            "select count(*) from booking where bid_id = '%s'",
                            bid->bid_id),
                     1);
    assert_int_equal(number(t,
                            "select count(*) from notification where bid_id ="
                            " '%s' and type = 'BID_ACCEPTED'",
                            bid->bid_id),
                     1);
    rpc_local_free(call);
}

TEST_MAIN("locks", TEST(a_service_is_deleted_while_its_booking_is_cancelled),
          TEST(the_loser_of_a_deadlock_does_it_again))
