/* Filters, words and orders of the lists of services. */
#include "tests/testkit/listings.h"

#define LIST "/prbal.v1.ListingService/ListServices"
#define BROWSE "/prbal.v1.ListingService/BrowseServices"

/* --------------------------------------------------------------- filters */

/* Five services that differ in everything; "alpha" is the cheapest. */
static struct person five_services(fixture *t)
{
    struct person owner = person(t, USER_TYPE_PROVIDER);
    static const char columns[] =
        ", price_minor, price_currency, city, region_code, coordinates,"
        " delivery_method, occurrence, is_course, is_featured, tags,"
        " estimated_duration, duration_unit, deadline, created_at";
    static const struct {
        const char *title, *values;
    } rows[] = {
        {"alpha", ", 1000, 'DZD', 'Algiers', '16', st_point(3.06, 36.75),"
                  " 'ONSITE', 'ONE_TIME', false, true, '{pipe}', 3, 'HOURS',"
                  " now() + interval '5 days', now() - interval '5 days'"},
        {"bravo", ", 2000, 'DZD', 'Oran', '31', st_point(-0.63, 35.70),"
                  " 'ONLINE', 'RECURRING', true, false, '{tax}', 2, 'DAYS',"
                  " now() + interval '4 days', now() - interval '4 days'"},
        {"carol", ", 3000, 'DZD', 'oran', '31', st_point(-0.65, 35.71),"
                  " 'HYBRID', 'ONE_TIME', false, false, '{}', 1, 'WEEKS',"
                  " null, now() - interval '3 days'"},
        {"delta", ", 4000, 'USD', 'Cairo', 'C', st_point(31.24, 30.04),"
                  " 'ONSITE', 'ONE_TIME', false, false, '{}', 0, 'HOURS',"
                  " now() + interval '1 day', now() - interval '2 days'"},
        {"echo5", ", 5000, 'DZD', '', '', null,"
                  " 'ONSITE', 'ONE_TIME', false, false, '{}', 1, 'MONTHS',"
                  " null, now() - interval '1 day'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        sql(t,
            "insert into service (owner_id, kind, title, description,"
            " category_ids, category_names %s)"
            " select '%s', 'OFFERED', '%s', 'Words', array[category_id], name"
            " %s from category where slug = '%s'",
            columns, owner.user_id, rows[i].title, rows[i].values,
            i == 0 ? "plumbing" : "translation");
    return owner;
}

static void by_city(fixture *t, ServiceFilter *f)
{
    (void)t;
    f->city = "ORAN";
}

static void by_region(fixture *t, ServiceFilter *f)
{
    static const char *codes[] = {"16", "C"};
    (void)t;
    f->n_region_codes = 2;
    f->region_codes = codes;
}

static void by_top_category(fixture *t, ServiceFilter *f)
{
    static const char *ids[1];
    ids[0] = text(t, "select category_id from category"
                     " where slug = 'home-services'");
    f->n_category_ids = 1;
    f->category_ids = ids;
}

static void by_slug(fixture *t, ServiceFilter *f)
{
    (void)t;
    f->category_slug = "writing-translation";
}

static void by_unknown_slug(fixture *t, ServiceFilter *f)
{
    (void)t;
    f->category_slug = "nothing";
}

static void near_oran(fixture *t, ServiceFilter *f)
{
    f->near = ARENA_NEW(t->arena, LatLng);
    *f->near = (LatLng)LAT_LNG_INIT;
    f->near->latitude = 35.70;
    f->near->longitude = -0.63;
}

static void by_price(fixture *t, ServiceFilter *f)
{
    f->min_price = money(t, 2000, "DZD");
    f->max_price = money(t, 4000, "DZD");
}

static void by_max_price(fixture *t, ServiceFilter *f)
{
    f->max_price = money(t, 4000, "USD");
}

static void courses(fixture *t, ServiceFilter *f)
{
    (void)t;
    f->_is_course_case = SERVICE_FILTER_IS_COURSE_CASE;
    f->is_course = true;
}

static void no_courses(fixture *t, ServiceFilter *f)
{
    courses(t, f);
    f->is_course = false;
}

static void by_delivery(fixture *t, ServiceFilter *f)
{
    static DeliveryMethod methods[] = {DELIVERY_METHOD_ONLINE,
                                       DELIVERY_METHOD_HYBRID};
    (void)t;
    f->n_delivery_methods = 2;
    f->delivery_methods = methods;
}

static void by_occurrence(fixture *t, ServiceFilter *f)
{
    (void)t;
    f->occurrence = OCCURRENCE_RECURRING;
}

static void on_site(fixture *t, ServiceFilter *f)
{
    (void)t;
    f->_is_remote_case = SERVICE_FILTER_IS_REMOTE_CASE;
    f->is_remote = false;
}

static void by_duration(fixture *t, ServiceFilter *f)
{
    (void)t;
    f->duration_unit = DURATION_UNIT_DAYS;
    f->min_duration = 2;
    f->max_duration = 7;
}

static void by_age(fixture *t, ServiceFilter *f)
{
    f->created_after = in_minutes(t, -(3 * 24 * 60 + 60));
    f->created_before = in_minutes(t, -(24 * 60 + 60));
}

static void featured(fixture *t, ServiceFilter *f)
{
    (void)t;
    f->_is_featured_case = SERVICE_FILTER_IS_FEATURED_CASE;
    f->is_featured = true;
}

static void by_rating(fixture *t, ServiceFilter *f)
{
    sql(t, "update profile set rating_avg = 4.2 where user_id = '%s'",
        f->owner_id);
    f->min_rating = 4.2;
}

static void by_better_rating(fixture *t, ServiceFilter *f)
{
    (void)t;
    f->min_rating = 4.3;
}

static void by_tag(fixture *t, ServiceFilter *f)
{
    (void)t;
    f->search = "Pipe";
}

static void by_category_name(fixture *t, ServiceFilter *f)
{
    (void)t;
    f->search = "translation -bravo";
}

static void by_either_word(fixture *t, ServiceFilter *f)
{
    (void)t;
    f->search = "alpha or delta";
}

static void by_place_word(fixture *t, ServiceFilter *f)
{
    (void)t;
    f->search = "cairo";
}

static void each_filter_narrows_to_what_it_says(void **state)
{
    fixture *t = *state;
    static const struct {
        void (*narrow)(fixture *t, ServiceFilter *filter);
        const char *titles;
    } cases[] = {
        {by_city, "bravo carol"},
        {by_region, "alpha delta"},
        {by_top_category, "alpha"},
        {by_slug, "bravo carol delta echo5"},
        {by_unknown_slug, ""},
        {near_oran, "bravo carol"},
        {by_price, "bravo carol"},
        {by_max_price, "delta"},
        {courses, "bravo"},
        {no_courses, "alpha carol delta echo5"},
        {by_delivery, "bravo carol"},
        {by_occurrence, "bravo"},
        {on_site, "alpha delta echo5"},
        {by_duration, "bravo carol"},
        {by_age, "carol delta"},
        {featured, "alpha"},
        {by_rating, "alpha bravo carol delta echo5"},
        {by_better_rating, ""},
        {by_tag, "alpha"},
        {by_category_name, "carol delta echo5"},
        {by_either_word, "alpha delta"},
        {by_place_word, "delta"},
    };
    struct person owner = five_services(t);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ServiceFilter filter = owned_by(&owner);
        cases[i].narrow(t, &filter);
        ListServicesRequest req = list_of(SERVICE_KIND_OFFERED, &filter);
        req.order_by = "price";
        const ListServicesResponse *res = list(t, NULL, &req);
        const char *got = titles(t, res->n_services, res->services);
        if (strcmp(got, cases[i].titles) != 0)
            fail_msg("filter %zu: \"%s\", want \"%s\"", i, got,
                     cases[i].titles);
        assert_int_equal(res->total_size, (int64_t)res->n_services);
    }
    ServiceFilter own = owned_by(&owner);
    own.exclude_own = true;
    ListServicesRequest req = list_of(SERVICE_KIND_OFFERED, &own);
    assert_string_equal(listed(t, &owner, &req), "");
    assert_int_equal(list(t, NULL, &req)->n_services, 5);
}

static void each_order_is_what_it_says(void **state)
{
    fixture *t = *state;
    static const struct {
        const char *order_by, *titles;
    } cases[] = {
        {"", "echo5 delta carol bravo alpha"},
        {"-create_time", "echo5 delta carol bravo alpha"},
        {"create_time", "alpha bravo carol delta echo5"},
        {"price", "alpha bravo carol delta echo5"},
        {"-price", "echo5 delta carol bravo alpha"},
        {"estimated_duration", "alpha bravo carol echo5 delta"},
        {"distance", "bravo carol"},
    };
    struct person owner = five_services(t);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ServiceFilter filter = owned_by(&owner);
        if (strcmp(cases[i].order_by, "distance") == 0)
            near_oran(t, &filter);
        ListServicesRequest req = list_of(SERVICE_KIND_OFFERED, &filter);
        req.order_by = cases[i].order_by;
        assert_string_equal(listed(t, NULL, &req), cases[i].titles);
    }
    /* What has no deadline comes last, in the order of the ids: those made in
     * one millisecond have any. */
    ServiceFilter filter = owned_by(&owner);
    ListServicesRequest req = list_of(SERVICE_KIND_OFFERED, &filter);
    req.order_by = "deadline";
    const char *got = listed(t, NULL, &req);
    assert_int_equal(strlen(got), strlen("delta bravo alpha carol echo5"));
    assert_memory_equal(got, "delta bravo ", 12);
    assert_non_null(strstr(got, "alpha"));
    assert_non_null(strstr(got, "carol"));
    assert_non_null(strstr(got, "echo5"));
}

static void the_best_rated_come_first(void **state)
{
    fixture *t = *state;
    struct person good = person(t, USER_TYPE_PROVIDER);
    struct person best = person(t, USER_TYPE_PROVIDER);
    struct person fresh = person(t, USER_TYPE_PROVIDER);
    post(t, &good, "OFFERED", "good1", ", city", ", 'Ratingville'");
    post(t, &best, "OFFERED", "best1", ", city", ", 'Ratingville'");
    sql(t,
        "update profile set rating_avg = 4.10, total_reviews = 7"
        " where user_id = '%s'",
        good.user_id);
    sql(t, "update profile set rating_avg = 4.95 where user_id = '%s'",
        best.user_id);
    post(t, &fresh, "OFFERED", "fresh", ", city", ", 'Ratingville'");
    ServiceFilter filter = SERVICE_FILTER_INIT;
    filter.city = "ratingville";
    ListServicesRequest req = list_of(SERVICE_KIND_OFFERED, &filter);
    req.order_by = "rating";
    const ListServicesResponse *res = list(t, NULL, &req);
    assert_string_equal(titles(t, res->n_services, res->services),
                        "best1 good1 fresh");
    assert_true(res->services[1]->owner->rating_avg == 4.1);
    assert_int_equal(res->services[1]->owner->total_reviews, 7);
}

static void misspelt_words_find_similar_titles(void **state)
{
    fixture *t = *state;
    struct person owner = person(t, USER_TYPE_PROVIDER);
    post(t, &owner, "OFFERED", "Xylophone lessons", "", "");
    post(t, &owner, "OFFERED", "Gardening", "", "");
    ServiceFilter filter = owned_by(&owner);
    ListServicesRequest req = list_of(SERVICE_KIND_OFFERED, &filter);
    filter.search = "xilophone";
    assert_string_equal(listed(t, NULL, &req), "Xylophone lessons");
    filter.search = "xylophone";
    assert_string_equal(listed(t, NULL, &req), "Xylophone lessons");
    filter.search = "qqqqqqqq";
    assert_string_equal(listed(t, NULL, &req), "");
    /* Nothing that people type is an error. */
    filter.search = "' or 1=1 -- & | ! ( :* \\ %% \"";
    assert_string_equal(listed(t, NULL, &req), "");
}

static void a_renamed_owner_or_category_is_found_by_the_new_name(void **state)
{
    fixture *t = *state;
    struct person owner = person(t, USER_TYPE_PROVIDER);
    const char *id = post(t, &owner, "OFFERED", "anything", "", "");
    const char *category =
        text(t, "insert into category (name, slug) values"
                " ('Oldname', 'renaming') returning category_id");
    sql(t, "insert into service_category values ('%s', '%s', 0)", id, category);
    ServiceFilter filter = owned_by(&owner);
    ListServicesRequest req = list_of(SERVICE_KIND_OFFERED, &filter);
    sql(t, "update account set full_name = 'Zebulon Quux' where user_id = '%s'",
        owner.user_id);
    filter.search = "zebulon";
    assert_string_equal(listed(t, NULL, &req), "anything");
    sql(t, "update category set name = 'Wombatry' where slug = 'renaming'");
    filter.search = "wombatry";
    assert_string_equal(listed(t, NULL, &req), "anything");
}

/* ------------------------------------------------------------ validation */

static void bad_lists_name_their_field(void **state)
{
    fixture *t = *state;
    struct person learner = person(t, USER_TYPE_LEARNER);
    ServiceFilter filter = SERVICE_FILTER_INIT;
    ListServicesRequest req = list_of(SERVICE_KIND_OFFERED, &filter);

    req.order_by = "title";
    assert_field_violation(call_as(t, NULL, LIST, &req), "order_by");
    req.order_by = "distance";
    assert_field_violation(call_as(t, NULL, LIST, &req), "filter.near");
    req.order_by = "";
    req.page_size = 101;
    assert_field_violation(call_as(t, NULL, LIST, &req), "page_size");
    req.page_size = -1;
    assert_field_violation(call_as(t, NULL, LIST, &req), "page_size");
    req.page_size = 0;
    req.kind = SERVICE_KIND_UNSPECIFIED;
    assert_field_violation(call_as(t, NULL, LIST, &req), "kind");
    req.kind = (ServiceKind)7;
    assert_field_violation(call_as(t, NULL, LIST, &req), "kind");
    req.kind = SERVICE_KIND_OFFERED;
    filter.owner_id = "me";
    assert_field_violation(call_as(t, NULL, LIST, &req), "filter.owner_id");
    filter.owner_id = "";
    filter.radius_km = 201;
    assert_field_violation(call_as(t, NULL, LIST, &req), "filter.radius_km");
    filter.radius_km = 0;
    filter.min_price = money(t, 1, "DZD");
    filter.max_price = money(t, 1, "USD");
    assert_field_violation(call_as(t, NULL, LIST, &req),
                           "filter.max_price.currency");
    filter.max_price = NULL;
    filter.min_price = money(t, 1, "XYZ");
    assert_field_violation(call_as(t, NULL, LIST, &req),
                           "filter.min_price.currency");
    filter.min_price = NULL;
    no_courses(t, &filter);
    BrowseServicesRequest browse = BROWSE_SERVICES_REQUEST_INIT;
    browse.filter = &filter;
    assert_field_violation(call_as(t, &learner, BROWSE, &browse),
                           "filter.is_course");
    browse.view = (BrowseView)9;
    assert_field_violation(call_as(t, &learner, BROWSE, &browse), "view");
}

TEST_MAIN("service_filter", TEST(each_filter_narrows_to_what_it_says),
          TEST(each_order_is_what_it_says), TEST(the_best_rated_come_first),
          TEST(misspelt_words_find_similar_titles),
          TEST(a_renamed_owner_or_category_is_found_by_the_new_name),
          TEST(bad_lists_name_their_field))
