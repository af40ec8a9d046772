#include "services/bids/bid_state.h"
#include "services/bookings/booking_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Every pair of states and every actor, against the tables of the
 * requirements, spelled out once more by hand. */

#define B(name) BID_STATUS_##name
#define K(name) BOOKING_STATUS_##name

enum { NONE = 0 };

static unsigned bid_actors(BidStatus from, BidStatus to)
{
    unsigned actors = NONE;
    for (unsigned by = BID_BY_PROVIDER; by <= BID_BY_SYSTEM; by <<= 1)
        if (bid_can_move(from, to, (bid_actor)by))
            actors |= by;
    return actors;
}

static void a_bid_moves_only_along_the_table(void **state)
{
    (void)state;
    enum { P = BID_BY_PROVIDER, S = BID_BY_SEEKER, Y = BID_BY_SYSTEM };
    /* rows: from REQUESTED, PENDING, COUNTERED, ACCEPTED, and the final ones;
     * columns: to REQUESTED ... COMPLETED */
    static const unsigned want[10][10] = {
        [B(REQUESTED)] = {[B(PENDING)] = P,
                          [B(WITHDRAWN)] = P,
                          [B(CANCELLED)] = S | Y,
                          [B(EXPIRED)] = Y},
        [B(PENDING)] = {[B(ACCEPTED)] = S,
                        [B(REJECTED)] = S | Y,
                        [B(COUNTERED)] = S,
                        [B(WITHDRAWN)] = P,
                        [B(CANCELLED)] = S | Y,
                        [B(EXPIRED)] = Y},
        [B(COUNTERED)] = {[B(PENDING)] = P,
                          [B(ACCEPTED)] = P,
                          [B(REJECTED)] = S | Y,
                          [B(WITHDRAWN)] = P,
                          [B(CANCELLED)] = S | Y,
                          [B(EXPIRED)] = Y},
        [B(ACCEPTED)] = {[B(COMPLETED)] = Y, [B(CANCELLED)] = Y},
    };
    for (BidStatus from = B(REQUESTED); from <= B(COMPLETED); from++)
        for (BidStatus to = B(REQUESTED); to <= B(COMPLETED); to++)
            assert_int_equal(bid_actors(from, to), want[from][to]);
}

static void five_states_of_a_bid_are_final(void **state)
{
    (void)state;
    assert_true(bid_is_final(B(REJECTED)));
    assert_true(bid_is_final(B(WITHDRAWN)));
    assert_true(bid_is_final(B(EXPIRED)));
    assert_true(bid_is_final(B(CANCELLED)));
    assert_true(bid_is_final(B(COMPLETED)));
    assert_false(bid_is_final(B(REQUESTED)));
    assert_false(bid_is_final(B(PENDING)));
    assert_false(bid_is_final(B(COUNTERED)));
    assert_false(bid_is_final(B(ACCEPTED)));
}

static unsigned booking_actors(BookingStatus from, BookingStatus to,
                               BookingOrigin origin)
{
    unsigned actors = NONE;
    for (unsigned by = BOOKING_BY_PROVIDER; by <= BOOKING_BY_SYSTEM; by <<= 1)
        if (booking_can_move(from, to, origin, (booking_actor)by))
            actors |= by;
    return actors;
}

static void a_booking_moves_only_along_the_table(void **state)
{
    (void)state;
    enum {
        P = BOOKING_BY_PROVIDER,
        S = BOOKING_BY_SEEKER,
        Y = BOOKING_BY_SYSTEM,
    };
    static const unsigned want[7][7] = {
        [K(PENDING)] = {[K(CONFIRMED)] = P | Y,
                        [K(DECLINED)] = P,
                        [K(CANCELLED)] = P | S | Y},
        [K(CONFIRMED)] = {[K(IN_PROGRESS)] = P, [K(CANCELLED)] = P | S},
        [K(IN_PROGRESS)] = {[K(COMPLETED)] = P, [K(CANCELLED)] = P | S},
    };
    for (BookingStatus from = K(PENDING); from <= K(DECLINED); from++)
        for (BookingStatus to = K(PENDING); to <= K(DECLINED); to++) {
            assert_int_equal(booking_actors(from, to, BOOKING_ORIGIN_BID),
                             want[from][to]);
            bool course = from == K(CONFIRMED) && to == K(COMPLETED);
            assert_int_equal(booking_actors(from, to, BOOKING_ORIGIN_COURSE),
                             course ? P : want[from][to]);
        }
}

static void only_confirmed_work_takes_time(void **state)
{
    (void)state;
    for (BookingStatus s = K(PENDING); s <= K(DECLINED); s++)
        assert_int_equal(booking_holds_slot(s),
                         s == K(CONFIRMED) || s == K(IN_PROGRESS));
    assert_true(booking_is_final(K(COMPLETED)));
    assert_true(booking_is_final(K(CANCELLED)));
    assert_true(booking_is_final(K(DECLINED)));
    assert_false(booking_is_final(K(PENDING)));
    assert_false(booking_is_final(K(CONFIRMED)));
    assert_false(booking_is_final(K(IN_PROGRESS)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bid_moves_only_along_the_table),
        cmocka_unit_test(five_states_of_a_bid_are_final),
        cmocka_unit_test(a_booking_moves_only_along_the_table),
        cmocka_unit_test(only_confirmed_work_takes_time),
    };
    return cmocka_run_group_tests_name("states", tests, NULL, NULL);
}
