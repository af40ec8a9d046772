/* Services on the market: how they are posted, and who reads what of them. */
#include "tests/testkit/listings.h"
#include "tests/testkit/market.h"

#define CREATE "/prbal.v1.ListingService/CreateService"

/* ---------------------------------------------------------------- create */

static void a_service_comes_back_as_it_was_posted(void **state)
{
    fixture *t = *state;
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const char *categories[] = {category(t, "repairs"),
                                category(t, "plumbing")};
    const char *tags[] = {"tap", "24/7"}, *tools[] = {"wrench"};
    const char *tasks[] = {"Come", "See"}, *skills[] = {"Soldering"};
    PricingOption option = PRICING_OPTION_INIT, *options[] = {&option};
    LatLng place = LAT_LNG_INIT;
    CreateServiceRequest req = leaking_tap(t);
    option.name = "Emergency";
    option.description = "Within the \"hour\"";
    option.amount_minor = 900000;
    option.unit = PRICING_UNIT_PER_SESSION;
    option.duration = "1 hour";
    place.latitude = 36.7538;
    place.longitude = 3.0588;
    req.n_category_ids = 2;
    req.category_ids = categories;
    req.n_tags = 2;
    req.tags = tags;
    req.pricing_unit = PRICING_UNIT_HOURLY;
    req.n_pricing_options = 1;
    req.pricing_options = options;
    req.price_description = "Parts cost extra";
    req.is_negotiable = true;
    req.min_hours = 1;
    req.max_hours = 8;
    req.estimated_duration = 2;
    req.duration_unit = DURATION_UNIT_DAYS;
    req.duration_description = "two days";
    req.delivery_method = DELIVERY_METHOD_HYBRID;
    req.occurrence = OCCURRENCE_RECURRING;
    req.location_text = "12 rue Didouche";
    req.coordinates = &place;
    req.region_code = "16";
    req.city = "Algiers";
    req.coverage_area = "25 km";
    req.n_required_tools = 1;
    req.required_tools = tools;
    req.n_tasks_and_responsibilities = 2;
    req.tasks_and_responsibilities = tasks;
    req.n_required_skills = 1;
    req.required_skills = skills;
    req.deadline = in_minutes(t, 60);
    req.instant_book = true;
    req.payment_policy = PAYMENT_POLICY_POSTPAY;

    const Service *made = create_service(t, &provider, &req);
    const Service *s = read_service(t, &provider, made->service_id);
    assert_string_equal(s->owner->user_id, provider.user_id);
    assert_string_equal(s->owner->full_name, provider.full_name);
    assert_int_equal(s->owner->user_type, USER_TYPE_PROVIDER);
    assert_int_equal(s->owner->_rating_avg_case, 0);
    assert_int_equal(s->kind, SERVICE_KIND_OFFERED);
    assert_string_equal(s->title, "A leaking tap");
    assert_string_equal(s->description, "It drips day and night.");
    assert_int_equal(s->n_category_ids, 2);
    assert_string_equal(s->category_ids[0], categories[0]);
    assert_string_equal(s->category_ids[1], categories[1]);
    assert_int_equal(s->n_tags, 2);
    assert_string_equal(s->tags[1], "24/7");
    assert_int_equal(s->price->amount_minor, 500000);
    assert_string_equal(s->price->currency, "DZD");
    assert_int_equal(s->pricing_unit, PRICING_UNIT_HOURLY);
    assert_int_equal(s->n_pricing_options, 1);
    assert_string_equal(s->pricing_options[0]->name, "Emergency");
    assert_string_equal(s->pricing_options[0]->description,
                        "Within the \"hour\"");
    assert_int_equal(s->pricing_options[0]->amount_minor, 900000);
    assert_int_equal(s->pricing_options[0]->unit, PRICING_UNIT_PER_SESSION);
    assert_string_equal(s->price_description, "Parts cost extra");
    assert_true(s->is_negotiable);
    assert_int_equal(s->min_hours, 1);
    assert_int_equal(s->max_hours, 8);
    assert_int_equal(s->estimated_duration, 2);
    assert_int_equal(s->duration_unit, DURATION_UNIT_DAYS);
    assert_string_equal(s->duration_description, "two days");
    assert_int_equal(s->delivery_method, DELIVERY_METHOD_HYBRID);
    assert_int_equal(s->occurrence, OCCURRENCE_RECURRING);
    assert_true(s->is_remote);
    assert_string_equal(s->location_text, "12 rue Didouche");
    assert_true(s->coordinates->latitude == 36.7538);
    assert_true(s->coordinates->longitude == 3.0588);
    assert_string_equal(s->region_code, "16");
    assert_string_equal(s->city, "Algiers");
    assert_string_equal(s->coverage_area, "25 km");
    assert_string_equal(s->required_tools[0], "wrench");
    assert_int_equal(s->n_tasks_and_responsibilities, 2);
    assert_string_equal(s->tasks_and_responsibilities[1], "See");
    assert_int_equal(s->n_conditions_requirements, 0);
    assert_string_equal(s->required_skills[0], "Soldering");
    assert_int_equal(s->deadline->seconds, req.deadline->seconds);
    assert_int_equal(s->status, SERVICE_STATUS_OPEN);
    assert_true(s->is_active);
    assert_false(s->is_featured);
    assert_int_equal(s->moderation_status, MODERATION_STATUS_APPROVED);
    assert_true(s->instant_book);
    assert_int_equal(s->payment_policy, PAYMENT_POLICY_POSTPAY);
    assert_int_equal(s->bids_count, 0);
    assert_non_null(s->create_time);
    assert_null(s->complete_time);
}

static void what_is_left_out_has_its_default(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    CreateServiceRequest req = leaking_tap(t);
    const Service *s = create_service(t, &seeker, &req);

    assert_int_equal(s->kind, SERVICE_KIND_NEEDED);
    assert_int_equal(s->pricing_unit, PRICING_UNIT_FIXED);
    assert_int_equal(s->duration_unit, DURATION_UNIT_HOURS);
    assert_int_equal(s->delivery_method, DELIVERY_METHOD_ONSITE);
    assert_int_equal(s->occurrence, OCCURRENCE_ONE_TIME);
    assert_int_equal(s->payment_policy, PAYMENT_POLICY_PREPAY);
    assert_false(s->is_remote);
    assert_null(s->coordinates);
    assert_null(s->deadline);
    assert_int_equal(s->n_tags, 0);
    assert_int_equal(s->n_pricing_options, 0);
}

static void the_kind_follows_from_what_the_caller_is(void **state)
{
    fixture *t = *state;
    static const struct {
        UserType type;
        ServiceKind asked;
        bool is_course;
        rpc_code want;
        ServiceKind kind;
    } cases[] = {
        {USER_TYPE_SEEKER, 0, false, RPC_OK, SERVICE_KIND_NEEDED},
        {USER_TYPE_SEEKER, SERVICE_KIND_NEEDED, false, RPC_OK,
         SERVICE_KIND_NEEDED},
        {USER_TYPE_SEEKER, SERVICE_KIND_OFFERED, false, RPC_PERMISSION_DENIED,
         0},
        {USER_TYPE_SEEKER, 0, true, RPC_PERMISSION_DENIED, 0},
        {USER_TYPE_PROVIDER, 0, false, RPC_OK, SERVICE_KIND_OFFERED},
        {USER_TYPE_PROVIDER, 0, true, RPC_OK, SERVICE_KIND_OFFERED},
        {USER_TYPE_PROVIDER, SERVICE_KIND_NEEDED, false, RPC_PERMISSION_DENIED,
         0},
        {USER_TYPE_BOTH, 0, false, RPC_INVALID_ARGUMENT, 0},
        {USER_TYPE_BOTH, SERVICE_KIND_OFFERED, true, RPC_OK,
         SERVICE_KIND_OFFERED},
        {USER_TYPE_BOTH, SERVICE_KIND_NEEDED, false, RPC_OK,
         SERVICE_KIND_NEEDED},
        {USER_TYPE_BOTH, SERVICE_KIND_NEEDED, true, RPC_INVALID_ARGUMENT, 0},
        {USER_TYPE_LEARNER, SERVICE_KIND_NEEDED, false, RPC_PERMISSION_DENIED,
         0},
        {USER_TYPE_ADMIN, SERVICE_KIND_OFFERED, false, RPC_OK,
         SERVICE_KIND_OFFERED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct person who = person(t, cases[i].type);
        CreateServiceRequest req = leaking_tap(t);
        req.kind = cases[i].asked;
        req.is_course = cases[i].is_course;
        struct rpc_reply reply = call_as(t, &who, CREATE, &req);
        if (reply.status.code != cases[i].want)
            fail_msg("case %zu: %s", i, reply.status.message);
        if (cases[i].want != RPC_OK)
            continue;
        const Service *s = ANSWER(CreateServiceResponse, reply)->service;
        assert_int_equal(s->kind, cases[i].kind);
        assert_int_equal(s->is_course, cases[i].is_course);
    }
    CreateServiceRequest req = leaking_tap(t);
    struct person pending = pending_person(t, USER_TYPE_SEEKER);
    assert_code(call_as(t, &pending, CREATE, &req), RPC_PERMISSION_DENIED);
    assert_code(call_as(t, NULL, CREATE, &req), RPC_UNAUTHENTICATED);
}

static void needed_work_is_worth_ten_units_of_its_currency(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    static const struct {
        const char *currency;
        int64_t least;
    } cases[] = {{"USD", 1000}, {"JPY", 10}, {"TND", 10000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CreateServiceRequest req = leaking_tap(t);
        req.price = money(t, cases[i].least - 1, cases[i].currency);
        assert_field_violation(call_as(t, &seeker, CREATE, &req),
                               "price.amount_minor");
        req.price = money(t, cases[i].least, cases[i].currency);
        assert_ok(call_as(t, &seeker, CREATE, &req));
    }
    CreateServiceRequest free_of_charge = leaking_tap(t);
    free_of_charge.price = money(t, 0, "DZD");
    assert_ok(call_as(t, &provider, CREATE, &free_of_charge));
}

/* One bad field each; what the request is made of lives in the test's arena. */
static void break_title_short(fixture *t, CreateServiceRequest *req)
{
    (void)t;
    req->title = "Four";
}

static void break_title_long(fixture *t, CreateServiceRequest *req)
{
    char *title = arena_alloc(t->arena, 202);
    memset(title, 't', 201);
    req->title = title;
}

static void break_description(fixture *t, CreateServiceRequest *req)
{
    (void)t;
    req->description = "";
}

static void break_no_price(fixture *t, CreateServiceRequest *req)
{
    (void)t;
    req->price = NULL;
}

static void break_currency(fixture *t, CreateServiceRequest *req)
{
    req->price = money(t, 500000, "XYZ");
}

static void break_currency_form(fixture *t, CreateServiceRequest *req)
{
    req->price = money(t, 500000, "dinar");
}

static void break_negative_price(fixture *t, CreateServiceRequest *req)
{
    req->price = money(t, -1, "DZD");
}

static void break_huge_price(fixture *t, CreateServiceRequest *req)
{
    req->price = money(t, INT64_MAX, "DZD");
}

static void break_no_category(fixture *t, CreateServiceRequest *req)
{
    (void)t;
    req->n_category_ids = 0;
}

static void break_unknown_category(fixture *t, CreateServiceRequest *req)
{
    (void)t;
    req->category_ids[0] = NOBODY;
}

static void break_inactive_category(fixture *t, CreateServiceRequest *req)
{
    req->category_ids[0] =
        text(t, "insert into category (name, slug, is_active) values"
                " ('Gone', 'gone', false) returning category_id");
}

static void break_category_id(fixture *t, CreateServiceRequest *req)
{
    (void)t;
    req->category_ids[0] = "plumbing";
}

static void break_past_deadline(fixture *t, CreateServiceRequest *req)
{
    req->deadline = in_minutes(t, -1);
}

static void break_hours(fixture *t, CreateServiceRequest *req)
{
    (void)t;
    req->min_hours = 5;
    req->max_hours = 4;
}

static void break_unit(fixture *t, CreateServiceRequest *req)
{
    (void)t;
    req->pricing_unit = (PricingUnit)99;
}

static void break_instant_book(fixture *t, CreateServiceRequest *req)
{
    (void)t;
    req->instant_book = true;
}

static void break_latitude(fixture *t, CreateServiceRequest *req)
{
    LatLng *place = ARENA_NEW(t->arena, LatLng);
    *place = (LatLng)LAT_LNG_INIT;
    place->latitude = 91;
    req->coordinates = place;
}

static void break_request_id(fixture *t, CreateServiceRequest *req)
{
    (void)t;
    req->request_id = "again";
}

static void a_bad_field_is_named_and_nothing_is_stored(void **state)
{
    fixture *t = *state;
    static const struct {
        void (*harm)(fixture *t, CreateServiceRequest *req);
        const char *field;
    } cases[] = {
        {break_title_short, "title"},
        {break_title_long, "title"},
        {break_description, "description"},
        {break_no_price, "price"},
        {break_currency, "price.currency"},
        {break_currency_form, "price.currency"},
        {break_negative_price, "price.amount_minor"},
        {break_huge_price, "price.amount_minor"},
        {break_no_category, "category_ids"},
        {break_unknown_category, "category_ids"},
        {break_inactive_category, "category_ids"},
        {break_category_id, "category_ids[0]"},
        {break_past_deadline, "deadline"},
        {break_hours, "max_hours"},
        {break_unit, "pricing_unit"},
        {break_instant_book, "instant_book"},
        {break_latitude, "coordinates.latitude"},
        {break_request_id, "request_id"},
    };
    struct person seeker = person(t, USER_TYPE_SEEKER);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CreateServiceRequest req = leaking_tap(t);
        cases[i].harm(t, &req);
        assert_field_violation(call_as(t, &seeker, CREATE, &req),
                               cases[i].field);
    }
    assert_int_equal(number(t,
                            "select count(*) from service"
                            " where owner_id = '%s'",
                            seeker.user_id),
                     0);
}

static void a_repeated_request_id_posts_nothing_new(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person other = person(t, USER_TYPE_SEEKER);
    CreateServiceRequest req = leaking_tap(t);
    req.request_id = "018f0000-0000-7000-8000-0000000000aa";
    const Service *first = create_service(t, &seeker, &req);
    const Service *again = create_service(t, &seeker, &req);

    assert_string_equal(again->service_id, first->service_id);
    assert_int_equal(number(t,
                            "select count(*) from service"
                            " where owner_id = '%s'",
                            seeker.user_id),
                     1);
    /* The id is the caller's own: nobody else's call is met by it. */
    const Service *theirs = create_service(t, &other, &req);
    assert_string_not_equal(theirs->service_id, first->service_id);
}

/* ------------------------------------------------------------------ read */

static void who_may_read_what(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    struct person learner = person(t, USER_TYPE_LEARNER);
    struct person admin = person(t, USER_TYPE_ADMIN);
    CreateServiceRequest req = leaking_tap(t);
    const char *needed = create_service(t, &seeker, &req)->service_id;
    const char *offered = create_service(t, &provider, &req)->service_id;
    const char *hidden = create_service(t, &provider, &req)->service_id;
    const char *flagged = create_service(t, &provider, &req)->service_id;
    sql(t, "update service set is_active = false where service_id = '%s'",
        hidden);
    sql(t,
        "update service set moderation_status = 'FLAGGED'"
        " where service_id = '%s'",
        flagged);
    const struct {
        const struct person *who;
        const char *service_id;
        rpc_code want;
    } cases[] = {
        {NULL, offered, RPC_OK},           {NULL, needed, RPC_NOT_FOUND},
        {NULL, hidden, RPC_NOT_FOUND},     {&learner, offered, RPC_OK},
        {&learner, needed, RPC_OK},        {&seeker, hidden, RPC_NOT_FOUND},
        {&seeker, flagged, RPC_NOT_FOUND}, {&provider, hidden, RPC_OK},
        {&provider, flagged, RPC_OK},      {&provider, needed, RPC_OK},
        {&admin, hidden, RPC_OK},          {&admin, flagged, RPC_OK},
        {&admin, NOBODY, RPC_NOT_FOUND},   {NULL, "1", RPC_INVALID_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rpc_reply reply =
            try_get_service(t, cases[i].who, cases[i].service_id);
        if (reply.status.code != cases[i].want)
            fail_msg("case %zu: %s", i, rpc_code_name(reply.status.code));
    }
}

static void a_suspended_owners_services_are_not_to_be_seen(void **state)
{
    fixture *t = *state;
    struct person provider = person(t, USER_TYPE_PROVIDER);
    struct person seeker = person(t, USER_TYPE_SEEKER);
    CreateServiceRequest req = leaking_tap(t);
    const char *id = create_service(t, &provider, &req)->service_id;
    assert_ok(try_get_service(t, &seeker, id));
    sql(t,
        "update account set account_status = 'SUSPENDED'"
        " where user_id = '%s'",
        provider.user_id);
    assert_code(try_get_service(t, &seeker, id), RPC_NOT_FOUND);
    sql(t,
        "update account set account_status = 'ACTIVE', full_name = 'New Name'"
        " where user_id = '%s'",
        provider.user_id);
    assert_string_equal(read_service(t, &seeker, id)->owner->full_name,
                        "New Name");
}

static void the_owner_is_shown_as_they_are_now(void **state)
{
    fixture *t = *state;
    struct person provider = person(t, USER_TYPE_PROVIDER);
    sql(t, "update profile set avatar_url = 'https://x/1' where user_id = '%s'",
        provider.user_id);
    CreateServiceRequest req = leaking_tap(t);
    const char *id = create_service(t, &provider, &req)->service_id;
    const UserSummary *owner = read_service(t, NULL, id)->owner;
    assert_string_equal(owner->avatar_url, "https://x/1");
    assert_int_equal(owner->_rating_avg_case, 0);

    sql(t,
        "update profile set avatar_url = 'https://x/2', rating_avg = 4.5,"
        " total_reviews = 2 where user_id = '%s'",
        provider.user_id);
    sql(t, "update account set user_type = 'BOTH' where user_id = '%s'",
        provider.user_id);
    owner = read_service(t, NULL, id)->owner;
    assert_string_equal(owner->avatar_url, "https://x/2");
    assert_int_equal(owner->user_type, USER_TYPE_BOTH);
    assert_true(owner->rating_avg == 4.5);
    assert_int_equal(owner->total_reviews, 2);
}

static void the_exact_place_is_for_those_signed_in(void **state)
{
    fixture *t = *state;
    struct person provider = person(t, USER_TYPE_PROVIDER);
    struct person seeker = person(t, USER_TYPE_SEEKER);
    CreateServiceRequest req = leaking_tap(t);
    LatLng place = LAT_LNG_INIT;
    place.latitude = 36.75;
    req.coordinates = &place;
    req.location_text = "12 rue Didouche";
    req.city = "Algiers";
    const char *id = create_service(t, &provider, &req)->service_id;

    const Service *seen = read_service(t, &seeker, id);
    assert_string_equal(seen->location_text, "12 rue Didouche");
    assert_true(seen->coordinates->latitude == 36.75);
    const Service *outside = read_service(t, NULL, id);
    assert_string_equal(outside->location_text, "");
    assert_null(outside->coordinates);
    assert_string_equal(outside->city, "Algiers");
}

static void a_reader_counts_once_a_day_and_the_owner_never(void **state)
{
    fixture *t = *state;
    struct person provider = person(t, USER_TYPE_PROVIDER);
    struct person one = person(t, USER_TYPE_SEEKER);
    struct person two = person(t, USER_TYPE_SEEKER);
    CreateServiceRequest req = leaking_tap(t);
    const char *id = create_service(t, &provider, &req)->service_id;
    assert_ok(try_get_service(t, &one, id));
    assert_ok(try_get_service(t, &one, id));
    assert_ok(try_get_service(t, NULL, id));
    assert_ok(try_get_service(t, &two, id));

    /* Each read by the owner lets the server work; none of them counts. */
    for (int i = 0; i < 300 && read_service(t, &provider, id)->views_count == 0;
         i++)
        run_for(t, 20);
    assert_int_equal(read_service(t, &provider, id)->views_count, 2);

    sql(t,
        "update service_view set viewed_on = viewed_on - 1"
        " where service_id = '%s'",
        id);
    assert_ok(try_get_service(t, &one, id));
    for (int i = 0; i < 300 && read_service(t, &provider, id)->views_count == 2;
         i++)
        run_for(t, 20);
    assert_int_equal(read_service(t, &provider, id)->views_count, 3);
}

TEST_MAIN("listing", TEST(a_service_comes_back_as_it_was_posted),
          TEST(what_is_left_out_has_its_default),
          TEST(the_kind_follows_from_what_the_caller_is),
          TEST(needed_work_is_worth_ten_units_of_its_currency),
          TEST(a_bad_field_is_named_and_nothing_is_stored),
          TEST(a_repeated_request_id_posts_nothing_new),
          TEST(who_may_read_what),
          TEST(a_suspended_owners_services_are_not_to_be_seen),
          TEST(the_owner_is_shown_as_they_are_now),
          TEST(the_exact_place_is_for_those_signed_in),
          TEST(a_reader_counts_once_a_day_and_the_owner_never))
