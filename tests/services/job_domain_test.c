/* What happens by the clock: reminders, and the end of what nobody answered. */
#include "tests/testkit/deals.h"
#include "tests/testkit/jobs.h"
#include "tests/testkit/market.h"

enum { DAY = 24 * 60 };

static void run_now(fixture *t, job_type kind)
{
    const char *id = enqueue(t, &(struct job){.kind = kind}, true);
    until_status(t, id, "SUCCEEDED");
}

static int64_t notices(fixture *t, const struct person *who, const char *type)
{
    return number(t,
                  "select count(*) from notification where recipient_id = '%s'"
                  " and type = '%s'",
                  who->user_id, type);
}

/* ---- Reminders. */

struct meeting {
    struct person seeker, provider;
    const Booking *booking;
};

static struct meeting confirmed_meeting(fixture *t, int64_t start)
{
    struct meeting m = {.seeker = person(t, USER_TYPE_SEEKER),
                        .provider = person(t, USER_TYPE_PROVIDER)};
    const char *service = offered_service(t, &m.provider, "Mend the door");
    m.booking = book(t, &m.seeker, service, start, 60);
    assert_ok(try_move_booking(t, &m.provider, "AcceptBooking",
                               m.booking->booking_id));
    return m;
}

static int64_t planned(fixture *t, const struct meeting *m)
{
    return number(t, "select count(*) from job where unique_key like '%s %%'",
                  m->booking->booking_id);
}

static void make_due(fixture *t, const struct meeting *m)
{
    sql(t, "update job set run_at = now() where unique_key like '%s %%'",
        m->booking->booking_id);
    until(t, 0, "select count(*) from job where unique_key like '%s %%'",
          m->booking->booking_id);
}

static void both_are_reminded_a_day_and_an_hour_before(void **state)
{
    fixture *t = *state;
    struct meeting m = confirmed_meeting(t, 3 * DAY);
    assert_int_equal(planned(t, &m), 2);
    assert_int_equal(number(t,
                            "select count(*) from job j join booking k on"
                            " j.unique_key like k.booking_id || ' %%' where"
                            " k.booking_id = '%s' and k.start_at - j.run_at in"
                            " (interval '24 hours', interval '1 hour')",
                            m.booking->booking_id),
                     2);
    make_due(t, &m);
    assert_int_equal(notices(t, &m.seeker, "TASK_REMINDER"), 2);
    assert_int_equal(notices(t, &m.provider, "TASK_REMINDER"), 2);
    assert_non_null(
        strstr(text(t,
                    "select message from notification where recipient_id ="
                    " '%s' and type = 'TASK_REMINDER' limit 1",
                    m.seeker.user_id),
               "Mend the door: it starts on "));
}

static void what_is_already_near_is_reminded_of_once(void **state)
{
    fixture *t = *state;
    struct meeting m = confirmed_meeting(t, 2 * 60);
    until(t, 1, "select count(*) from job where unique_key like '%s %%'",
          m.booking->booking_id);
    assert_int_equal(notices(t, &m.seeker, "TASK_REMINDER"), 0);
    make_due(t, &m);
    assert_int_equal(notices(t, &m.seeker, "TASK_REMINDER"), 1);
}

static void a_booking_that_waits_is_not_reminded_of(void **state)
{
    fixture *t = *state;
    struct meeting m = {.seeker = person(t, USER_TYPE_SEEKER),
                        .provider = person(t, USER_TYPE_PROVIDER)};
    m.booking =
        book(t, &m.seeker, offered_service(t, &m.provider, "Paint the door"),
             3 * DAY, 60);
    assert_int_equal(planned(t, &m), 0);
}

static void a_booking_that_was_cancelled_is_not_reminded_of(void **state)
{
    fixture *t = *state;
    struct meeting m = confirmed_meeting(t, 3 * DAY);
    assert_ok(
        try_move_booking(t, &m.seeker, "CancelBooking", m.booking->booking_id));
    make_due(t, &m);
    assert_int_equal(notices(t, &m.seeker, "TASK_REMINDER"), 0);
    assert_int_equal(notices(t, &m.provider, "TASK_REMINDER"), 0);
}

static void a_booking_that_was_moved_is_not_reminded_of_its_old_time(
    void **state)
{
    fixture *t = *state;
    struct meeting m = confirmed_meeting(t, 3 * DAY);
    sql(t,
        "update booking set start_at = start_at + interval '1 day',"
        " end_at = end_at + interval '1 day',"
        " slot = tstzrange(start_at + interval '1 day',"
        " end_at + interval '1 day') where booking_id = '%s'",
        m.booking->booking_id);
    make_due(t, &m);
    assert_int_equal(notices(t, &m.seeker, "TASK_REMINDER"), 0);
}

/* ---- Ends. */

static void a_request_that_nobody_answered_ends_at_its_time(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const char *service = offered_service(t, &provider, "Sweep the yard");
    const Booking *late = book(t, &seeker, service, 2 * DAY, 60);
    const Booking *early = book(t, &seeker, service, 4 * DAY, 60);
    sql(t,
        "update booking set start_at = now() - interval '1 minute', slot ="
        " tstzrange(now() - interval '1 minute', end_at) where"
        " booking_id = '%s'",
        late->booking_id);
    run_now(t, JOB_BOOKING_EXPIRE);
    assert_string_equal(booking_status(t, late->booking_id), "CANCELLED");
    assert_string_equal(booking_status(t, early->booking_id), "PENDING");
    assert_int_equal(notices(t, &seeker, "TASK_CANCELLED"), 1);
    assert_int_equal(notices(t, &provider, "TASK_CANCELLED"), 1);
    assert_int_equal(number(t,
                            "select count(*) from booking where booking_id ="
                            " '%s' and cancelled_by is null and cancel_reason"
                            " = 'It was not confirmed in time.'",
                            late->booking_id),
                     1);
}

static void what_was_to_be_paid_in_advance_waits_two_days(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const char *service = offered_service(t, &provider, "Sweep the hall");
    const Booking *old = book(t, &seeker, service, 9 * DAY, 60);
    const Booking *young = book(t, &seeker, service, 8 * DAY, 60);
    sql(t,
        "update booking set payment_policy = 'PREPAY', created_at = now() -"
        " case when booking_id = '%s' then interval '49 hours'"
        " else interval '47 hours' end where service_id = '%s'",
        old->booking_id, service);
    run_now(t, JOB_BOOKING_EXPIRE);
    assert_string_equal(booking_status(t, old->booking_id), "CANCELLED");
    assert_string_equal(booking_status(t, young->booking_id), "PENDING");
}

static const char *bid_status(fixture *t, const Bid *bid)
{
    return text(t, "select status from bid where bid_id = '%s'", bid->bid_id);
}

static void bids_end_with_their_time_or_their_services_deadline(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const char *services[3];
    const Bid *bids[3];
    for (int i = 0; i < 3; i++) {
        services[i] = needed_service(t, &seeker, "Dig a well");
        bids[i] = bid_on(t, &provider, services[i], 30000);
    }
    sql(t,
        "update bid set expires_at = now() - interval '1 second' where"
        " bid_id = '%s'",
        bids[0]->bid_id);
    sql(t,
        "update service set deadline = now() - interval '1 second' where"
        " service_id = '%s'",
        services[1]);
    run_now(t, JOB_BID_EXPIRE);
    assert_string_equal(bid_status(t, bids[0]), "EXPIRED");
    assert_string_equal(bid_status(t, bids[1]), "EXPIRED");
    assert_string_equal(bid_status(t, bids[2]), "PENDING");
    assert_int_equal(notices(t, &provider, "BID_EXPIRED"), 2);
    run_now(t, JOB_BID_EXPIRE);
    assert_int_equal(notices(t, &provider, "BID_EXPIRED"), 2);
}

static void needed_work_is_closed_a_week_after_its_deadline(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    const char *old = needed_service(t, &seeker, "Dig a pond");
    const char *young = needed_service(t, &seeker, "Dig a ditch");
    sql(t,
        "update service set deadline = now() - case when service_id = '%s'"
        " then interval '8 days' else interval '6 days' end"
        " where service_id in ('%s', '%s')",
        old, old, young);
    run_now(t, JOB_SERVICE_EXPIRE);
    assert_string_equal(
        text(t, "select status from service where service_id = '%s'", old),
        "CANCELLED");
    assert_string_equal(
        text(t, "select status from service where service_id = '%s'", young),
        "OPEN");
    assert_int_equal(notices(t, &seeker, "TASK_CANCELLED"), 1);
}

TEST_MAIN("job_domain", TEST(both_are_reminded_a_day_and_an_hour_before),
          TEST(what_is_already_near_is_reminded_of_once),
          TEST(a_booking_that_waits_is_not_reminded_of),
          TEST(a_booking_that_was_cancelled_is_not_reminded_of),
          TEST(a_booking_that_was_moved_is_not_reminded_of_its_old_time),
          TEST(a_request_that_nobody_answered_ends_at_its_time),
          TEST(what_was_to_be_paid_in_advance_waits_two_days),
          TEST(bids_end_with_their_time_or_their_services_deadline),
          TEST(needed_work_is_closed_a_week_after_its_deadline))
