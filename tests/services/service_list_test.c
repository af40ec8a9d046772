#include "prbal/v1/listing.rpc.h"
#include "tests/testkit/testkit.h"

#define LIST "/prbal.v1.ListingService/ListServices"
#define BROWSE "/prbal.v1.ListingService/BrowseServices"
#define MINE "/prbal.v1.ListingService/ListMyServices"

/* A service with a title; `columns` and `values` add to it: ", city", ", 'X'".
 */
static const char *post(fixture *t, const struct person *owner,
                        const char *kind, const char *title,
                        const char *columns, const char *values)
{
    return text(
        t,
        "with made as ("
        " insert into service (owner_id, kind, title, description,"
        "  category_ids, category_names, price_minor, price_currency %s)"
        " select '%s', '%s', '%s', 'Words', array[category_id], name,"
        "  5000, 'DZD' %s from category where slug = 'translation'"
        " returning service_id)"
        " select service_id from made",
        columns, owner->user_id, kind, title, values);
}

/* Titles of what a list answered: "alpha beta". */
static const char *titles(fixture *t, size_t count, Service *const *services)
{
    const char *all = "";
    for (size_t i = 0; i < count; i++)
        all = arena_printf(t->arena, "%s%s%s", all, i > 0 ? " " : "",
                           services[i]->title);
    return all;
}

static ServiceFilter owned_by(const struct person *owner)
{
    ServiceFilter filter = SERVICE_FILTER_INIT;
    filter.owner_id = owner->user_id;
    return filter;
}

static ListServicesRequest list_of(ServiceKind kind, ServiceFilter *filter)
{
    ListServicesRequest req = LIST_SERVICES_REQUEST_INIT;
    req.kind = kind;
    req.filter = filter;
    return req;
}

static const ListServicesResponse *list(fixture *t, const struct person *who,
                                        const ListServicesRequest *req)
{
    return ANSWER(ListServicesResponse, call_as(t, who, LIST, req));
}

static const char *listed(fixture *t, const struct person *who,
                          const ListServicesRequest *req)
{
    const ListServicesResponse *res = list(t, who, req);
    return titles(t, res->n_services, res->services);
}

/* ----------------------------------------------------------------- feeds */

/* One of each kind by one owner, who is both. */
static void post_one_of_each(fixture *t, const struct person *owner)
{
    post(t, owner, "OFFERED", "offer", ", created_at",
         ", now() - interval '1 minute'");
    post(t, owner, "OFFERED", "course", ", is_course, created_at",
         ", true, now() - interval '2 minutes'");
    post(t, owner, "NEEDED", "needed", ", created_at",
         ", now() - interval '3 minutes'");
}

static void each_role_has_its_own_feed(void **state)
{
    fixture *t = *state;
    static const struct {
        UserType type;
        BrowseView view;
        rpc_code want;
        const char *titles;
    } cases[] = {
        {USER_TYPE_SEEKER, 0, RPC_OK, "offer"},
        {USER_TYPE_SEEKER, BROWSE_VIEW_OFFERED, RPC_OK, "offer"},
        {USER_TYPE_SEEKER, BROWSE_VIEW_NEEDED, RPC_PERMISSION_DENIED, NULL},
        {USER_TYPE_SEEKER, BROWSE_VIEW_COURSES, RPC_PERMISSION_DENIED, NULL},
        {USER_TYPE_PROVIDER, 0, RPC_OK, "needed"},
        {USER_TYPE_PROVIDER, BROWSE_VIEW_OFFERED, RPC_PERMISSION_DENIED, NULL},
        {USER_TYPE_LEARNER, 0, RPC_OK, "course"},
        {USER_TYPE_LEARNER, BROWSE_VIEW_NEEDED, RPC_PERMISSION_DENIED, NULL},
        {USER_TYPE_BOTH, 0, RPC_OK, "offer course needed"},
        {USER_TYPE_BOTH, BROWSE_VIEW_OFFERED, RPC_OK, "offer"},
        {USER_TYPE_BOTH, BROWSE_VIEW_NEEDED, RPC_OK, "needed"},
        {USER_TYPE_BOTH, BROWSE_VIEW_COURSES, RPC_OK, "course"},
        {USER_TYPE_ADMIN, 0, RPC_OK, "offer course needed"},
    };
    struct person owner = person(t, USER_TYPE_BOTH);
    post_one_of_each(t, &owner);
    ServiceFilter filter = owned_by(&owner);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct person who = person(t, cases[i].type);
        BrowseServicesRequest req = BROWSE_SERVICES_REQUEST_INIT;
        req.view = cases[i].view;
        req.filter = &filter;
        struct rpc_reply reply = call_as(t, &who, BROWSE, &req);
        assert_code(reply, cases[i].want);
        if (cases[i].want != RPC_OK)
            continue;
        const BrowseServicesResponse *res =
            ANSWER(BrowseServicesResponse, reply);
        assert_string_equal(titles(t, res->n_services, res->services),
                            cases[i].titles);
        assert_int_equal(res->total_size, (int64_t)res->n_services);
    }
    BrowseServicesRequest req = BROWSE_SERVICES_REQUEST_INIT;
    assert_code(call_as(t, NULL, BROWSE, &req), RPC_UNAUTHENTICATED);
    struct person pending = pending_person(t, USER_TYPE_SEEKER);
    assert_code(call_as(t, &pending, BROWSE, &req), RPC_PERMISSION_DENIED);
}

static void nobody_meets_their_own_services_in_the_feed(void **state)
{
    fixture *t = *state;
    struct person owner = person(t, USER_TYPE_BOTH);
    post_one_of_each(t, &owner);
    ServiceFilter filter = owned_by(&owner);
    BrowseServicesRequest req = BROWSE_SERVICES_REQUEST_INIT;
    req.filter = &filter;
    const BrowseServicesResponse *res =
        ANSWER(BrowseServicesResponse, call_as(t, &owner, BROWSE, &req));
    assert_int_equal(res->n_services, 0);
    assert_int_equal(res->total_size, 0);
}

static void a_feed_has_only_what_is_open_and_listed(void **state)
{
    fixture *t = *state;
    struct person owner = person(t, USER_TYPE_PROVIDER);
    struct person seeker = person(t, USER_TYPE_SEEKER);
    post(t, &owner, "OFFERED", "shown", "", "");
    post(t, &owner, "OFFERED", "paused", ", is_active", ", false");
    post(t, &owner, "OFFERED", "removed", ", moderation_status", ", 'REMOVED'");
    post(t, &owner, "OFFERED", "ended", ", status", ", 'CANCELLED'");
    ServiceFilter filter = owned_by(&owner);
    BrowseServicesRequest req = BROWSE_SERVICES_REQUEST_INIT;
    req.filter = &filter;
    const BrowseServicesResponse *res =
        ANSWER(BrowseServicesResponse, call_as(t, &seeker, BROWSE, &req));
    assert_string_equal(titles(t, res->n_services, res->services), "shown");

    filter.status = SERVICE_STATUS_CANCELLED;
    assert_field_violation(call_as(t, &seeker, BROWSE, &req), "filter.status");
    ListServicesRequest any = list_of(SERVICE_KIND_OFFERED, &filter);
    assert_string_equal(listed(t, NULL, &any), "ended");
    sql(t,
        "update account set account_status = 'SUSPENDED' where user_id = '%s'",
        owner.user_id);
    assert_string_equal(listed(t, NULL, &any), "");
}

static void needed_work_is_listed_for_providers_only(void **state)
{
    fixture *t = *state;
    struct person owner = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person learner = person(t, USER_TYPE_LEARNER);
    post(t, &owner, "NEEDED", "needed", "", "");
    ServiceFilter filter = owned_by(&owner);
    ListServicesRequest req = list_of(SERVICE_KIND_NEEDED, &filter);

    assert_string_equal(listed(t, &provider, &req), "needed");
    assert_code(call_as(t, &seeker, LIST, &req), RPC_PERMISSION_DENIED);
    assert_code(call_as(t, &learner, LIST, &req), RPC_PERMISSION_DENIED);
    assert_reason(call_as(t, NULL, LIST, &req), RPC_UNAUTHENTICATED,
                  "TOKEN_MISSING");
}

static void outsiders_do_not_see_the_exact_place_in_a_list(void **state)
{
    fixture *t = *state;
    struct person owner = person(t, USER_TYPE_PROVIDER);
    post(t, &owner, "OFFERED", "there", ", location_text, coordinates",
         ", '12 rue Didouche', st_point(3.06, 36.75)");
    ServiceFilter filter = owned_by(&owner);
    ListServicesRequest req = list_of(SERVICE_KIND_OFFERED, &filter);
    const Service *outside = list(t, NULL, &req)->services[0];
    assert_string_equal(outside->location_text, "");
    assert_null(outside->coordinates);
    assert_string_equal(outside->owner->full_name, owner.full_name);
    const Service *inside = list(t, &owner, &req)->services[0];
    assert_string_equal(inside->location_text, "12 rue Didouche");
    assert_true(inside->coordinates->longitude == 3.06);
}

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

static Money *money(fixture *t, int64_t amount_minor, const char *currency)
{
    Money *money = ARENA_NEW(t->arena, Money);
    *money = (Money)MONEY_INIT;
    money->amount_minor = amount_minor;
    money->currency = currency;
    return money;
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
    /* What has no deadline comes last, in the order of the ids. */
    ServiceFilter filter = owned_by(&owner);
    ListServicesRequest req = list_of(SERVICE_KIND_OFFERED, &filter);
    req.order_by = "deadline";
    assert_string_equal(listed(t, NULL, &req), "delta bravo alpha carol echo5");
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

/* ---------------------------------------------------------------- paging */

enum { ROWS = 23 };

/* So many services that no order can tell apart; ids[i] is that of "row i". */
static void post_equals(fixture *t, const struct person *owner,
                        const char **ids)
{
    for (int i = 0; i < ROWS; i++)
        ids[i] =
            post(t, owner, "OFFERED", arena_printf(t->arena, "row %02d", i),
                 ", created_at, deadline, estimated_duration, coordinates",
                 ", '2026-01-02 03:04:05.678901+00',"
                 " '2099-01-02 03:04:05.678901+00', 3,"
                 " st_point(4.0, 36.0)");
}

static int index_of(const char *const *ids, const char *id)
{
    for (int i = 0; i < ROWS; i++)
        if (strcmp(ids[i], id) == 0)
            return i;
    return -1;
}

/* Reads all pages; between two of them a row that was seen goes, and new ones
 * come before and behind.  Counts how often each row was seen. */
static void walk(fixture *t, const struct person *owner, const char *order_by,
                 const char *const *ids, int seen[ROWS])
{
    ServiceFilter filter = owned_by(owner);
    LatLng place = LAT_LNG_INIT;
    place.latitude = 36.0;
    place.longitude = 4.001;
    if (strcmp(order_by, "distance") == 0)
        filter.near = &place;
    ListServicesRequest req = list_of(SERVICE_KIND_OFFERED, &filter);
    req.order_by = order_by;
    req.page_size = 4;
    memset(seen, 0, ROWS * sizeof *seen);
    for (int pages = 0; pages < 20; pages++) {
        const ListServicesResponse *res = list(t, NULL, &req);
        for (size_t i = 0; i < res->n_services; i++) {
            int index = index_of(ids, res->services[i]->service_id);
            if (index >= 0)
                seen[index]++;
        }
        if (res->next_page_token[0] == '\0')
            return;
        req.page_token = res->next_page_token;
        sql(t, "update service set is_active = false where service_id = '%s'",
            res->services[0]->service_id);
        post(t, owner, "OFFERED", "a new one", ", coordinates",
             ", st_point(4.0, 36.0)");
    }
    fail_msg("no end of pages by \"%s\"", order_by);
}

static void equal_keys_are_paged_once_each_while_rows_come_and_go(void **state)
{
    fixture *t = *state;
    static const char *const orders[] = {
        "",       "create_time",        "price",    "-price",
        "rating", "estimated_duration", "deadline", "distance"};
    struct person owner = person(t, USER_TYPE_PROVIDER);
    for (size_t o = 0; o < sizeof orders / sizeof *orders; o++) {
        const char *ids[ROWS];
        int seen[ROWS];
        post_equals(t, &owner, ids);
        walk(t, &owner, orders[o], ids, seen);
        for (int i = 0; i < ROWS; i++)
            if (seen[i] != 1)
                fail_msg("by \"%s\" row %d was seen %d times", orders[o], i,
                         seen[i]);
        sql(t, "delete from service where owner_id = '%s'", owner.user_id);
    }
}

static void the_total_is_counted_once_and_told_on_each_page(void **state)
{
    fixture *t = *state;
    struct person owner = person(t, USER_TYPE_PROVIDER);
    const char *ids[ROWS];
    post_equals(t, &owner, ids);
    ServiceFilter filter = owned_by(&owner);
    ListServicesRequest req = list_of(SERVICE_KIND_OFFERED, &filter);
    const ListServicesResponse *first = list(t, NULL, &req);
    assert_int_equal(first->n_services, 12); /* the default */
    assert_int_equal(first->total_size, ROWS);
    req.page_token = first->next_page_token;
    req.page_size = 100;
    const ListServicesResponse *rest = list(t, NULL, &req);
    assert_int_equal(rest->n_services, ROWS - 12);
    assert_int_equal(rest->total_size, ROWS);
    assert_string_equal(rest->next_page_token, "");
}

static void a_token_of_another_list_is_refused(void **state)
{
    fixture *t = *state;
    struct person owner = person(t, USER_TYPE_PROVIDER);
    struct person seeker = person(t, USER_TYPE_SEEKER);
    const char *ids[ROWS];
    post_equals(t, &owner, ids);
    ServiceFilter filter = owned_by(&owner);
    ListServicesRequest req = list_of(SERVICE_KIND_OFFERED, &filter);
    req.page_token = list(t, &seeker, &req)->next_page_token;
    assert_ok(call_as(t, &seeker, LIST, &req));

    assert_reason(call_as(t, NULL, LIST, &req), RPC_INVALID_ARGUMENT,
                  "PAGE_TOKEN_INVALID");
    assert_field_violation(call_as(t, &owner, LIST, &req), "page_token");
    req.order_by = "price";
    assert_field_violation(call_as(t, &seeker, LIST, &req), "page_token");
    req.order_by = "";
    filter.city = "Oran";
    assert_field_violation(call_as(t, &seeker, LIST, &req), "page_token");
    BrowseServicesRequest browse = BROWSE_SERVICES_REQUEST_INIT;
    browse.page_token = req.page_token;
    assert_field_violation(call_as(t, &seeker, BROWSE, &browse), "page_token");
}

/* ------------------------------------------------------------------ mine */

static void my_services_are_there_in_every_state(void **state)
{
    fixture *t = *state;
    struct person me = person(t, USER_TYPE_BOTH);
    struct person other = person(t, USER_TYPE_BOTH);
    post(t, &me, "OFFERED", "fourth", ", is_active, created_at",
         ", false, now() - interval '4 hours'");
    post(t, &me, "OFFERED", "third", ", moderation_status, created_at",
         ", 'REMOVED', now() - interval '3 hours'");
    post(t, &me, "NEEDED", "second", ", status, created_at",
         ", 'COMPLETED', now() - interval '2 hours'");
    post(t, &me, "NEEDED", "first", "", "");
    post(t, &other, "OFFERED", "theirs", "", "");

    ListMyServicesRequest req = LIST_MY_SERVICES_REQUEST_INIT;
    req.page_size = 3;
    const ListMyServicesResponse *res =
        ANSWER(ListMyServicesResponse, call_as(t, &me, MINE, &req));
    assert_string_equal(titles(t, res->n_services, res->services),
                        "first second third");
    assert_int_equal(res->total_size, 4);
    req.page_token = res->next_page_token;
    res = ANSWER(ListMyServicesResponse, call_as(t, &me, MINE, &req));
    assert_string_equal(titles(t, res->n_services, res->services), "fourth");
    assert_false(res->services[0]->is_active);
    assert_string_equal(res->next_page_token, "");

    req.page_token = "";
    req.kind = SERVICE_KIND_NEEDED;
    req.status = SERVICE_STATUS_COMPLETED;
    res = ANSWER(ListMyServicesResponse, call_as(t, &me, MINE, &req));
    assert_string_equal(titles(t, res->n_services, res->services), "second");
    assert_code(call_as(t, NULL, MINE, &req), RPC_UNAUTHENTICATED);
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

TEST_MAIN("service_list", TEST(each_role_has_its_own_feed),
          TEST(nobody_meets_their_own_services_in_the_feed),
          TEST(a_feed_has_only_what_is_open_and_listed),
          TEST(needed_work_is_listed_for_providers_only),
          TEST(outsiders_do_not_see_the_exact_place_in_a_list),
          TEST(each_filter_narrows_to_what_it_says),
          TEST(each_order_is_what_it_says), TEST(the_best_rated_come_first),
          TEST(misspelt_words_find_similar_titles),
          TEST(a_renamed_owner_or_category_is_found_by_the_new_name),
          TEST(equal_keys_are_paged_once_each_while_rows_come_and_go),
          TEST(the_total_is_counted_once_and_told_on_each_page),
          TEST(a_token_of_another_list_is_refused),
          TEST(my_services_are_there_in_every_state),
          TEST(bad_lists_name_their_field))
