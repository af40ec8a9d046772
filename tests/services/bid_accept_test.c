/* Accepting a bid: the booking that it makes, and who else could not. */
#include "tests/testkit/deals.h"
#include "tests/testkit/market.h"

#include <stdio.h>

#define BIDS "/prbal.v1.BidService/"

static void accepting_makes_a_booking_and_ends_the_contest(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person winner = person(t, USER_TYPE_PROVIDER);
    struct person loser = person(t, USER_TYPE_PROVIDER);
    const char *service = needed_service(t, &seeker, "Build a shed");
    const Bid *bid = bid_on(t, &winner, service, 80000);
    const Bid *rival = bid_on(t, &loser, service, 90000);

    const AcceptBidResponse *res =
        ANSWER(AcceptBidResponse, try_accept_bid(t, &seeker, bid->bid_id));

    assert_int_equal(res->bid->status, BID_STATUS_ACCEPTED);
    assert_non_null(res->bid->accept_time);
    assert_string_equal(res->bid->booking_id, res->booking->booking_id);
    assert_int_equal(res->booking->status, BOOKING_STATUS_CONFIRMED);
    assert_int_equal(res->booking->origin, BOOKING_ORIGIN_BID);
    assert_int_equal(res->booking->payment_policy, PAYMENT_POLICY_OFFLINE);
    assert_int_equal(res->booking->total_amount->amount_minor, 80000);
    assert_int_equal(res->booking->platform_fee->amount_minor, 8000);
    assert_string_equal(res->booking->provider->user_id, winner.user_id);
    assert_string_equal(text(t,
                             "select status || ' ' || assigned_to from "
                             "service where service_id = '%s'",
                             service),
                        text(t, "select 'IN_PROGRESS %s'", winner.user_id));
    const Bid *lost =
        ANSWER(GetBidResponse, try_get_bid(t, &loser, rival->bid_id))->bid;
    assert_int_equal(lost->status, BID_STATUS_REJECTED);
    assert_int_equal(number(t,
                            "select count(*) from notification where "
                            "(recipient_id, type) in (('%s', 'BID_ACCEPTED'), "
                            "('%s', 'BOOKING_CREATED'), "
                            "('%s', 'BOOKING_CREATED'), "
                            "('%s', 'BID_REJECTED'))",
                            winner.user_id, winner.user_id, seeker.user_id,
                            loser.user_id),
                     4);
    assert_int_equal(number(t,
                            "select count(*) from chat_room where kind = "
                            "'CONTEXT' and bid_id = '%s'",
                            bid->bid_id),
                     1);
    assert_int_equal(number(t,
                            "select count(*) from audit_log where action = "
                            "'bid.accepted' and actor_id = '%s'",
                            seeker.user_id),
                     1);
}

static void half_a_cent_of_the_platform_s_part_is_a_whole_one(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const struct {
        int64_t amount_minor, fee_minor;
    } cases[] = {{10004, 1000}, {10005, 1001}, {10006, 1001}};
    for (size_t i = 0; i < 3; i++) {
        const char *service = needed_service(t, &seeker, "Build a shed");
        const Bid *bid = bid_on(t, &provider, service, cases[i].amount_minor);
        const AcceptBidResponse *res =
            ANSWER(AcceptBidResponse, try_accept_bid(t, &seeker, bid->bid_id));
        assert_int_equal(res->booking->platform_fee->amount_minor,
                         cases[i].fee_minor);
    }
}

static void both_sides_of_an_accepted_bid_hear_of_their_booking(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const Bid *bid =
        bid_on(t, &provider, needed_service(t, &seeker, "Hang a door"), 5000);
    assert_ok(try_accept_bid(t, &seeker, bid->bid_id));
    const struct person *sides[] = {&seeker, &provider, &seeker};
    for (int i = 0; i < 2; i++) {
        char want[200];
        snprintf(want, sizeof want, "You and %s have a booking for Hang a door",
                 sides[i + 1]->full_name);
        assert_string_equal(
            text(t,
                 "select message from notification where recipient_id = '%s' "
                 "and sender_id = '%s' and type = 'BOOKING_CREATED'",
                 sides[i]->user_id, sides[i + 1]->user_id),
            want);
    }
}

static void accepting_twice_answers_the_same_booking(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const Bid *bid =
        bid_on(t, &provider, needed_service(t, &seeker, "Plant a tree"), 5000);

    const AcceptBidResponse *first =
        ANSWER(AcceptBidResponse, try_accept_bid(t, &seeker, bid->bid_id));
    const AcceptBidResponse *second =
        ANSWER(AcceptBidResponse, try_accept_bid(t, &seeker, bid->bid_id));

    assert_string_equal(first->booking->booking_id,
                        second->booking->booking_id);
    assert_int_equal(number(t,
                            "select count(*) from booking where bid_id = '%s'",
                            bid->bid_id),
                     1);
}

static void only_one_bid_of_a_service_is_accepted(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person one = person(t, USER_TYPE_PROVIDER);
    struct person two = person(t, USER_TYPE_PROVIDER);
    const char *service = needed_service(t, &seeker, "Tile the bath");
    const Bid *first = bid_on(t, &one, service, 5000);
    const Bid *second = bid_on(t, &two, service, 4000);

    assert_ok(try_accept_bid(t, &seeker, first->bid_id));
    assert_reason(try_accept_bid(t, &seeker, second->bid_id),
                  RPC_FAILED_PRECONDITION, "WRONG_STATE");
}

static void the_provider_cannot_accept_the_own_bid(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_BOTH);
    const Bid *bid = bid_on(t, &provider,
                            needed_service(t, &seeker, "Sweep the yard"), 5000);

    assert_reason(try_accept_bid(t, &provider, bid->bid_id),
                  RPC_PERMISSION_DENIED, "NOT_THE_SEEKER");
    assert_reason(try_reject_bid(t, &provider, bid->bid_id, ""),
                  RPC_PERMISSION_DENIED, "NOT_THE_SEEKER");
    struct person both = person(t, USER_TYPE_BOTH);
    const Bid *other =
        bid_on(t, &provider, needed_service(t, &both, "Sweep the roof"), 5000);
    assert_reason(try_withdraw_bid(t, &both, other->bid_id),
                  RPC_PERMISSION_DENIED, "NOT_THE_PROVIDER");
}

static void a_provider_is_not_booked_twice_by_bids(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    Money amount = usd(7000);
    const char *bids[2];
    for (int i = 0; i < 2; i++) {
        CreateBidRequest req =
            bid_request(needed_service(t, &seeker, "Move the piano"), &amount);
        req.scheduled_time = in_minutes(t, 24 * 60 + 30 * i);
        req.duration_minutes = 120;
        bids[i] = ANSWER(CreateBidResponse,
                         call_as(t, &provider, BIDS "CreateBid", &req))
                      ->bid->bid_id;
    }
    assert_ok(try_accept_bid(t, &seeker, bids[0]));

    struct rpc_reply refused = try_accept_bid(t, &seeker, bids[1]);

    assert_reason(refused, RPC_ABORTED, "SLOT_TAKEN");
    const char *next = reply_metadata(t, refused, "next_free_start_1");
    assert_string_equal(
        next, text(t,
                   "select to_char(end_at at time zone 'UTC', "
                   "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') from booking where "
                   "bid_id = '%s'",
                   bids[0]));
    /* nothing half-written: the bid waits, the service is open */
    assert_string_equal(text(t,
                             "select b.status || ' ' || s.status from bid b "
                             "join service s using (service_id) where bid_id "
                             "= '%s'",
                             bids[1]),
                        "PENDING OPEN");
}

static void a_start_needs_a_bid_that_says_how_long(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const Bid *bid =
        bid_on(t, &provider, needed_service(t, &seeker, "Wax a floor"), 5000);
    AcceptBidRequest req = ACCEPT_BID_REQUEST_INIT;
    req.bid_id = bid->bid_id;
    req.start_time = in_minutes(t, 60);
    assert_field_violation(call_as(t, &seeker, BIDS "AcceptBid", &req),
                           "start_time");
    assert_string_equal(
        text(t, "select status from bid where bid_id = '%s'", bid->bid_id),
        "PENDING");
    sql(t, "update bid set duration_minutes = 90 where bid_id = '%s'",
        bid->bid_id);
    const Booking *booking =
        ANSWER(AcceptBidResponse, call_as(t, &seeker, BIDS "AcceptBid", &req))
            ->booking;
    assert_int_equal(booking->end_time->seconds - booking->start_time->seconds,
                     90 * 60);
}

TEST_MAIN("bid_accept", TEST(accepting_makes_a_booking_and_ends_the_contest),
          TEST(half_a_cent_of_the_platform_s_part_is_a_whole_one),
          TEST(both_sides_of_an_accepted_bid_hear_of_their_booking),
          TEST(accepting_twice_answers_the_same_booking),
          TEST(only_one_bid_of_a_service_is_accepted),
          TEST(the_provider_cannot_accept_the_own_bid),
          TEST(a_provider_is_not_booked_twice_by_bids),
          TEST(a_start_needs_a_bid_that_says_how_long))
