/* Lists of services: whose feed has what, pages, and one's own. */
#include "tests/testkit/listings.h"

#define LIST "/prbal.v1.ListingService/ListServices"
#define BROWSE "/prbal.v1.ListingService/BrowseServices"
#define MINE "/prbal.v1.ListingService/ListMyServices"

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

TEST_MAIN("service_list", TEST(each_role_has_its_own_feed),
          TEST(nobody_meets_their_own_services_in_the_feed),
          TEST(a_feed_has_only_what_is_open_and_listed),
          TEST(needed_work_is_listed_for_providers_only),
          TEST(outsiders_do_not_see_the_exact_place_in_a_list),
          TEST(equal_keys_are_paged_once_each_while_rows_come_and_go),
          TEST(the_total_is_counted_once_and_told_on_each_page),
          TEST(a_token_of_another_list_is_refused),
          TEST(my_services_are_there_in_every_state))
