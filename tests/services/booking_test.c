#include "services/app.h"
#include "tests/testkit/deals.h"
#include "tests/testkit/market.h"

#define BOOKINGS "/prbal.v1.BookingService/"

static void a_direct_booking_waits_for_the_provider(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const char *service = offered_service(t, &provider, "Haircut at home");

    const Booking *booking = book(t, &seeker, service, 60, 90);

    assert_int_equal(booking->status, BOOKING_STATUS_PENDING);
    assert_int_equal(booking->origin, BOOKING_ORIGIN_DIRECT);
    assert_string_equal(booking->provider->user_id, provider.user_id);
    assert_string_equal(booking->seeker->user_id, seeker.user_id);
    assert_string_equal(booking->full_name, "Mona Adel");
    assert_string_equal(booking->timezone, "UTC");
    assert_int_equal(booking->total_amount->amount_minor, 10000);
    assert_int_equal(booking->platform_fee->amount_minor, 1000);
    assert_int_equal(booking->end_time->seconds - booking->start_time->seconds,
                     90 * 60);
    assert_int_equal(number(t,
                            "select count(*) from notification where "
                            "recipient_id = '%s' and type = 'BOOKING_CREATED'",
                            provider.user_id),
                     1);
    assert_int_equal(
        number(t, "select bookings_count from service where service_id = '%s'",
               service),
        1);
}

static void a_booking_goes_its_way_to_the_end(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const Booking *booking = book(
        t, &seeker, offered_service(t, &provider, "Garden design"), 60, 60);
    static const struct {
        const char *method;
        const char *status;
    } steps[] = {
        {"AcceptBooking", "CONFIRMED"},
        {"StartBooking", "IN_PROGRESS"},
        {"CompleteBooking", "COMPLETED"},
    };
    for (size_t i = 0; i < 3; i++) {
        assert_ok(try_move_booking(t, &provider, steps[i].method,
                                   booking->booking_id));
        assert_string_equal(booking_status(t, booking->booking_id),
                            steps[i].status);
        /* again: OK, and nothing happens */
        assert_ok(try_move_booking(t, &provider, steps[i].method,
                                   booking->booking_id));
    }

    ListTimelineEventsRequest req = LIST_TIMELINE_EVENTS_REQUEST_INIT;
    req.booking_id = booking->booking_id;
    const ListTimelineEventsResponse *timeline =
        ANSWER(ListTimelineEventsResponse,
               call_as(t, &seeker, BOOKINGS "ListTimelineEvents", &req));
    static const TimelineEventType want[] = {
        TIMELINE_EVENT_TYPE_CREATED, TIMELINE_EVENT_TYPE_ACCEPTED,
        TIMELINE_EVENT_TYPE_STARTED, TIMELINE_EVENT_TYPE_COMPLETED};
    assert_int_equal(timeline->n_events, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(timeline->events[i]->type, want[i]);
    assert_string_equal(timeline->events[0]->actor_id, seeker.user_id);
    assert_string_equal(timeline->events[3]->actor_id, provider.user_id);
    assert_string_equal(
        timeline->events[3]->metadata->fields[0]->value->string_value,
        "all done");
    assert_int_equal(
        number(t, "select total_bookings from profile where user_id = '%s'",
               provider.user_id),
        1);
}

static void states_cannot_be_skipped(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const char *service = offered_service(t, &provider, "Furniture repair");
    static const struct {
        const char *status;
        const char *refused[5];
    } rows[] = {
        {"PENDING", {"StartBooking", "CompleteBooking"}},
        {"CONFIRMED", {"DeclineBooking", "CompleteBooking"}},
        {"IN_PROGRESS", {"AcceptBooking", "DeclineBooking"}},
        {"COMPLETED",
         {"AcceptBooking", "DeclineBooking", "StartBooking", "CancelBooking"}},
        {"CANCELLED",
         {"AcceptBooking", "DeclineBooking", "StartBooking",
          "CompleteBooking"}},
        {"DECLINED",
         {"AcceptBooking", "StartBooking", "CompleteBooking", "CancelBooking"}},
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        const Booking *booking = book(t, &seeker, service, 0, 0);
        sql(t, "update booking set status = '%s' where booking_id = '%s'",
            rows[r].status, booking->booking_id);
        for (size_t i = 0; rows[r].refused[i] != NULL; i++)
            assert_reason(try_move_booking(t, &provider, rows[r].refused[i],
                                           booking->booking_id),
                          RPC_FAILED_PRECONDITION, "WRONG_STATE");
        assert_string_equal(booking_status(t, booking->booking_id),
                            rows[r].status);
    }
}

static void only_the_provider_moves_but_either_cancels(void **state)
{
    static const char *const moves[] = {"AcceptBooking", "DeclineBooking",
                                        "StartBooking", "CompleteBooking"};
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_BOTH);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    struct person stranger = person(t, USER_TYPE_BOTH);
    const Booking *booking =
        book(t, &seeker, offered_service(t, &provider, "Bicycle repair"), 0, 0);
    for (size_t i = 0; i < 4; i++) {
        assert_reason(
            try_move_booking(t, &seeker, moves[i], booking->booking_id),
            RPC_PERMISSION_DENIED, "NOT_THE_PROVIDER");
        assert_code(
            try_move_booking(t, &stranger, moves[i], booking->booking_id),
            RPC_NOT_FOUND);
    }
    assert_code(
        try_move_booking(t, &stranger, "CancelBooking", booking->booking_id),
        RPC_NOT_FOUND);
    assert_code(try_get_booking(t, &stranger, booking->booking_id),
                RPC_NOT_FOUND);
    assert_ok(
        try_move_booking(t, &seeker, "CancelBooking", booking->booking_id));
    assert_string_equal(
        text(t,
             "select status || ' ' || cancel_reason || ' ' || cancelled_by "
             "from booking where booking_id = '%s'",
             booking->booking_id),
        text(t, "select 'CANCELLED no time %s'", seeker.user_id));
}

static void contact_data_is_shown_once_confirmed(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const Booking *booking =
        book(t, &seeker, offered_service(t, &provider, "House painting"), 0, 0);

    assert_null(ANSWER(GetBookingResponse,
                       try_get_booking(t, &seeker, booking->booking_id))
                    ->other_side);
    assert_ok(
        try_move_booking(t, &provider, "AcceptBooking", booking->booking_id));
    assert_string_equal(ANSWER(GetBookingResponse,
                               try_get_booking(t, &seeker, booking->booking_id))
                            ->other_side->email,
                        provider.email);
    assert_string_equal(
        ANSWER(GetBookingResponse,
               try_get_booking(t, &provider, booking->booking_id))
            ->other_side->email,
        seeker.email);
}

static void a_provider_is_never_booked_twice(void **state)
{
    fixture *t = *state;
    struct person one = person(t, USER_TYPE_SEEKER);
    struct person two = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const char *service = offered_service(t, &provider, "Piano tuning");
    /* both may ask while nothing is confirmed */
    const Booking *first = book(t, &one, service, 600, 60);
    const Booking *second = book(t, &two, service, 630, 60);
    assert_ok(
        try_move_booking(t, &provider, "AcceptBooking", first->booking_id));

    assert_reason(
        try_move_booking(t, &provider, "AcceptBooking", second->booking_id),
        RPC_ABORTED, "SLOT_TAKEN");
    assert_string_equal(booking_status(t, second->booking_id), "PENDING");

    struct rpc_reply refused = try_book(t, &two, service, 590, 30);
    assert_reason(refused, RPC_ABORTED, "SLOT_TAKEN");
    assert_string_equal(
        reply_metadata(t, refused, "next_free_start_1"),
        text(t,
             "select to_char(end_at at time zone 'UTC', "
             "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') from booking where "
             "booking_id = '%s'",
             first->booking_id));

    /* right behind it is free, and so is its time once it is cancelled */
    assert_ok(try_book(t, &two, service, 660, 30));
    assert_ok(try_move_booking(t, &one, "CancelBooking", first->booking_id));
    assert_ok(
        try_move_booking(t, &provider, "AcceptBooking", second->booking_id));
}

static void buffers_keep_time_free(void **state)
{
    fixture *t = *state;
    char error[200];
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const char *service = offered_service(t, &provider, "Deep cleaning");
    assert_true(
        app_config_set("booking_buffer_after", "30m", error, sizeof error));
    const Booking *first = book(t, &seeker, service, 600, 60);
    assert_ok(
        try_move_booking(t, &provider, "AcceptBooking", first->booking_id));

    struct rpc_reply soon = try_book(t, &seeker, service, 670, 30);
    struct rpc_reply later = try_book(t, &seeker, service, 690, 30);

    assert_true(
        app_config_set("booking_buffer_after", "0s", error, sizeof error));
    assert_reason(soon, RPC_ABORTED, "SLOT_TAKEN");
    assert_ok(later);
}

static void bookings_that_cannot_be_are_refused(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person both = person(t, USER_TYPE_BOTH);
    struct person learner = person(t, USER_TYPE_LEARNER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const char *offered = offered_service(t, &both, "Car wash");
    const char *lessons = course(t, &provider, "Learn to weld");
    const char *needed = needed_service(t, &seeker, "Needs a welder");

    assert_reason(try_book(t, &both, offered, 0, 0), RPC_PERMISSION_DENIED,
                  "OWN_SERVICE");
    assert_reason(try_book(t, &both, needed, 0, 0), RPC_FAILED_PRECONDITION,
                  "USE_BID");
    assert_reason(try_book(t, &seeker, lessons, 0, 0), RPC_PERMISSION_DENIED,
                  "WRONG_ROLE");
    assert_reason(try_book(t, &learner, offered, 0, 0), RPC_PERMISSION_DENIED,
                  "WRONG_ROLE");
    assert_code(try_book(t, &provider, offered, 0, 0), RPC_PERMISSION_DENIED);
    assert_code(try_book(t, NULL, offered, 0, 0), RPC_UNAUTHENTICATED);
    assert_code(try_book(t, &seeker, NOBODY, 0, 0), RPC_NOT_FOUND);
    sql(t, "update service set status = 'CANCELLED' where service_id = '%s'",
        offered);
    assert_reason(try_book(t, &seeker, offered, 0, 0), RPC_FAILED_PRECONDITION,
                  "SERVICE_NOT_OPEN");
    sql(t, "update service set is_active = false where service_id = '%s'",
        offered);
    assert_code(try_book(t, &seeker, offered, 0, 0), RPC_NOT_FOUND);
}

static void offers_of_a_suspended_provider_cannot_be_booked(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const char *service = offered_service(t, &provider, "Never mind");
    sql(t,
        "update account set account_status = 'SUSPENDED' where user_id = '%s'",
        provider.user_id);
    assert_code(try_book(t, &seeker, service, 0, 0), RPC_NOT_FOUND);
}

static void malformed_bookings_name_the_field(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const char *service = offered_service(t, &provider, "Window cleaning");
    sql(t,
        "update service set min_hours = 2, max_hours = 4 where service_id = "
        "'%s'",
        service);

    assert_field_violation(try_book(t, &seeker, "nonsense", 0, 0),
                           "service_id");
    assert_field_violation(try_book(t, &seeker, service, -60, 30),
                           "start_time");
    assert_field_violation(try_book(t, &seeker, service, 60, -30), "end_time");
    assert_field_violation(try_book(t, &seeker, service, 60, 60), "end_time");
    assert_field_violation(try_book(t, &seeker, service, 60, 5 * 60),
                           "end_time");
    assert_field_violation(try_book(t, &seeker, service, 60, 32 * 24 * 60),
                           "end_time");
    CreateBookingRequest req = booking_request(service);
    req.start_time = in_minutes(t, 60);
    assert_field_violation(call_as(t, &seeker, BOOKINGS "CreateBooking", &req),
                           "end_time");
    req = booking_request(service);
    req.full_name = "";
    assert_field_violation(call_as(t, &seeker, BOOKINGS "CreateBooking", &req),
                           "full_name");
    LatLng nowhere = LAT_LNG_INIT;
    nowhere.latitude = 91;
    req = booking_request(service);
    req.coordinates = &nowhere;
    assert_field_violation(call_as(t, &seeker, BOOKINGS "CreateBooking", &req),
                           "coordinates.latitude");
    assert_int_equal(number(t,
                            "select count(*) from booking where seeker_id = "
                            "'%s'",
                            seeker.user_id),
                     0);
}

static void a_course_is_completed_without_a_start(void **state)
{
    fixture *t = *state;
    struct person learner = person(t, USER_TYPE_LEARNER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const Booking *booking =
        book(t, &learner, course(t, &provider, "Bookkeeping for all"), 0, 0);

    assert_int_equal(booking->origin, BOOKING_ORIGIN_COURSE);
    assert_ok(
        try_move_booking(t, &provider, "AcceptBooking", booking->booking_id));
    assert_ok(
        try_move_booking(t, &provider, "CompleteBooking", booking->booking_id));
    assert_string_equal(booking_status(t, booking->booking_id), "COMPLETED");
}

static void an_instant_service_confirms_at_once(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const char *service = offered_service(t, &provider, "Key copying");
    sql(t, "update service set instant_book = true where service_id = '%s'",
        service);

    assert_int_equal(book(t, &seeker, service, 60, 30)->status,
                     BOOKING_STATUS_CONFIRMED);
    assert_reason(try_book(t, &seeker, service, 70, 30), RPC_ABORTED,
                  "SLOT_TAKEN");
}

static const GetBookingResponse *get(fixture *t, const struct person *who,
                                     const char *booking_id)
{
    return ANSWER(GetBookingResponse, try_get_booking(t, who, booking_id));
}

static void a_booking_comes_with_all_that_its_page_shows(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const char *service = offered_service(t, &provider, "Sofa cleaning");
    const Booking *booking = book(t, &seeker, service, 60, 60);
    const GetBookingResponse *seen = get(t, &seeker, booking->booking_id);
    assert_string_equal(seen->seeker->user_id, seeker.user_id);
    assert_string_equal(seen->provider->user_id, provider.user_id);
    assert_non_null(seen->provider->member_since_time);
    assert_string_equal(seen->service->service_id, service);
    assert_int_equal(seen->n_timeline, 1);
    assert_int_equal(seen->timeline[0]->type, TIMELINE_EVENT_TYPE_CREATED);

    sql(t, "update service set is_active = false where service_id = '%s'",
        service);
    seen = get(t, &seeker, booking->booking_id);
    assert_null(seen->service);
    assert_string_equal(seen->booking->service_title, "Sofa cleaning");
}

static void what_is_not_asked_of_a_booking_is_left_out(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const Booking *booking = book(
        t, &seeker, offered_service(t, &provider, "Oven cleaning"), 60, 60);
    const char *paths[] = {"booking.status", "timeline.type"};
    Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
    mask.n_paths = 2;
    mask.paths = paths;
    GetBookingRequest req = GET_BOOKING_REQUEST_INIT;
    req.booking_id = booking->booking_id;
    req.read_mask = &mask;
    const GetBookingResponse *seen = ANSWER(
        GetBookingResponse, call_as(t, &seeker, BOOKINGS "GetBooking", &req));
    assert_int_equal(seen->booking->status, BOOKING_STATUS_PENDING);
    assert_string_equal(seen->booking->booking_id, "");
    assert_int_equal(seen->timeline[0]->type, TIMELINE_EVENT_TYPE_CREATED);
    assert_null(seen->timeline[0]->create_time);
    assert_null(seen->seeker);
    assert_null(seen->provider);
    assert_null(seen->service);
}

static void a_repeated_request_id_books_once(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person other = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const char *service = offered_service(t, &provider, "Car wash");
    sql(t, "update service set instant_book = true where service_id = '%s'",
        service);
    CreateBookingRequest req = booking_request(service);
    req.request_id = text(t, "select gen_random_uuid()");
    req.start_time = in_minutes(t, 60);
    req.end_time = in_minutes(t, 120);
    const char *ids[2];
    for (int i = 0; i < 2; i++)
        ids[i] = ANSWER(CreateBookingResponse,
                        call_as(t, &seeker, BOOKINGS "CreateBooking", &req))
                     ->booking->booking_id;
    assert_string_equal(ids[0], ids[1]);
    assert_int_equal(
        number(t, "select bookings_count from service where service_id = '%s'",
               service),
        1);
    /* The id is the caller's own: somebody else's is another one. */
    assert_reason(call_as(t, &other, BOOKINGS "CreateBooking", &req),
                  RPC_ABORTED, "SLOT_TAKEN");
}

static int64_t price_of(fixture *t, const struct person *seeker,
                        const char *service, const char *option, int64_t start)
{
    CreateBookingRequest req = booking_request(service);
    req.pricing_option = option;
    req.start_time = in_minutes(t, start);
    req.end_time = in_minutes(t, start + 90);
    const Booking *booking =
        ANSWER(CreateBookingResponse,
               call_as(t, seeker, BOOKINGS "CreateBooking", &req))
            ->booking;
    assert_string_equal(booking->pricing_option, option);
    return booking->total_amount->amount_minor;
}

static void the_amount_is_the_price_or_the_chosen_package(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const char *service = offered_service(t, &provider, "Portraits");
    sql(t,
        "update service set pricing_options = '["
        "{\"name\": \"Small\", \"amount_minor\": 4000, \"unit\": \"FIXED\"},"
        "{\"name\": \"By the hour\", \"amount_minor\": 2000,"
        " \"unit\": \"HOURLY\"}]' where service_id = '%s'",
        service);
    assert_int_equal(price_of(t, &seeker, service, "", 60), 10000);
    assert_int_equal(price_of(t, &seeker, service, "Small", 200), 4000);
    assert_int_equal(price_of(t, &seeker, service, "By the hour", 400), 3000);
    sql(t, "update service set pricing_unit = 'HOURLY' where service_id = '%s'",
        service);
    assert_int_equal(price_of(t, &seeker, service, "", 600), 15000);

    CreateBookingRequest req = booking_request(service);
    req.pricing_option = "Large";
    assert_field_violation(call_as(t, &seeker, BOOKINGS "CreateBooking", &req),
                           "pricing_option");
}

static void a_learner_hears_what_comes_after_the_acceptance(void **state)
{
    fixture *t = *state;
    struct person learner = person(t, USER_TYPE_LEARNER);
    struct person teacher = person(t, USER_TYPE_PROVIDER);
    const Booking *booking =
        book(t, &learner, course(t, &teacher, "Payroll"), 0, 0);
    assert_ok(
        try_move_booking(t, &teacher, "AcceptBooking", booking->booking_id));
    assert_string_equal(
        text(t,
             "select message from notification where recipient_id = '%s' and "
             "type = 'BOOKING_ACCEPTED'",
             learner.user_id),
        "Your booking for Payroll has been confirmed. The teacher will add you "
        "to the course's group");
}

static void lists_show_each_side_its_bookings(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_BOTH);
    struct person stranger = person(t, USER_TYPE_BOTH);
    const char *service = offered_service(t, &provider, "Dog walking");
    const Booking *late = book(t, &seeker, service, 300, 60);
    const Booking *untimed = book(t, &seeker, service, 0, 0);
    const Booking *early = book(t, &seeker, service, 100, 60);

    ListBookingsRequest req = LIST_BOOKINGS_REQUEST_INIT;
    req.order_by = "start_time";
    req.page_size = 1;
    const Booking *want[] = {early, late, untimed};
    for (size_t i = 0; i < 3; i++) {
        const ListBookingsResponse *page =
            ANSWER(ListBookingsResponse,
                   call_as(t, &seeker, BOOKINGS "ListBookings", &req));
        assert_int_equal(page->n_bookings, 1);
        assert_int_equal(page->total_size, 3);
        assert_string_equal(page->bookings[0]->booking_id, want[i]->booking_id);
        req.page_token = page->next_page_token;
    }
    assert_string_equal(req.page_token, "");

    req = (ListBookingsRequest)LIST_BOOKINGS_REQUEST_INIT;
    req.from_time = in_minutes(t, 200);
    req.to_time = in_minutes(t, 400);
    req.role = BOOKING_ROLE_PROVIDER;
    const ListBookingsResponse *window =
        ANSWER(ListBookingsResponse,
               call_as(t, &provider, BOOKINGS "ListBookings", &req));
    assert_int_equal(window->n_bookings, 1);
    assert_string_equal(window->bookings[0]->booking_id, late->booking_id);
    req.role = BOOKING_ROLE_SEEKER;
    assert_int_equal(
        ANSWER(ListBookingsResponse,
               call_as(t, &provider, BOOKINGS "ListBookings", &req))
            ->n_bookings,
        0);
    req = (ListBookingsRequest)LIST_BOOKINGS_REQUEST_INIT;
    assert_int_equal(
        ANSWER(ListBookingsResponse,
               call_as(t, &stranger, BOOKINGS "ListBookings", &req))
            ->n_bookings,
        0);
    req.page_token = "forged";
    assert_field_violation(call_as(t, &seeker, BOOKINGS "ListBookings", &req),
                           "page_token");
}

TEST_MAIN("booking", TEST(a_direct_booking_waits_for_the_provider),
          TEST(a_booking_goes_its_way_to_the_end),
          TEST(states_cannot_be_skipped),
          TEST(only_the_provider_moves_but_either_cancels),
          TEST(contact_data_is_shown_once_confirmed),
          TEST(a_provider_is_never_booked_twice), TEST(buffers_keep_time_free),
          TEST(bookings_that_cannot_be_are_refused),
          TEST(offers_of_a_suspended_provider_cannot_be_booked),
          TEST(malformed_bookings_name_the_field),
          TEST(a_course_is_completed_without_a_start),
          TEST(an_instant_service_confirms_at_once),
          TEST(a_booking_comes_with_all_that_its_page_shows),
          TEST(what_is_not_asked_of_a_booking_is_left_out),
          TEST(a_repeated_request_id_books_once),
          TEST(the_amount_is_the_price_or_the_chosen_package),
          TEST(a_learner_hears_what_comes_after_the_acceptance),
          TEST(lists_show_each_side_its_bookings))
