/* Changes of a service: what holds for them, and who hears of them. */
#include "services/app.h"
#include "tests/testkit/listings.h"
#include "tests/testkit/market.h"

#define UPDATE "/prbal.v1.ListingService/UpdateService"

static UpdateServiceRequest update_of(const Service *service)
{
    UpdateServiceRequest req = UPDATE_SERVICE_REQUEST_INIT;
    req.service_id = service->service_id;
    return req;
}

static void set_title(UpdateServiceRequest *req, const char *title)
{
    req->_title_case = UPDATE_SERVICE_REQUEST_TITLE_CASE;
    req->title = title;
}

static void set_description(UpdateServiceRequest *req, const char *words)
{
    req->_description_case = UPDATE_SERVICE_REQUEST_DESCRIPTION_CASE;
    req->description = words;
}

/* ---------------------------------------------------------------- update */

static void an_update_changes_what_it_names(void **state)
{
    fixture *t = *state;
    struct person provider = person(t, USER_TYPE_PROVIDER);
    CreateServiceRequest req = leaking_tap(t);
    const Service *before = create_service(t, &provider, &req);
    const char *categories[] = {category(t, "electrical"),
                                category(t, "plumbing")};
    UpdateServiceRequest update = update_of(before);
    set_title(&update, "Two leaking taps");
    update.n_category_ids = 2;
    update.category_ids = categories;
    update.price = money(t, 700000, "DZD");
    assert_ok(call_as(t, &provider, UPDATE, &update));

    const Service *after = read_service(t, &provider, before->service_id);
    assert_string_equal(after->title, "Two leaking taps");
    assert_string_equal(after->description, before->description);
    assert_int_equal(after->price->amount_minor, 700000);
    assert_int_equal(after->n_category_ids, 2);
    assert_string_equal(after->category_ids[0], categories[0]);
    assert_string_equal(
        text(t,
             "select string_agg(c.slug, ' ' order by position)"
             " from service_category join category c using (category_id)"
             " where service_id = '%s'",
             before->service_id),
        "electrical plumbing");
}

static void a_named_field_that_is_not_set_is_cleared(void **state)
{
    fixture *t = *state;
    struct person provider = person(t, USER_TYPE_PROVIDER);
    CreateServiceRequest req = leaking_tap(t);
    req.city = "Oran";
    req.deadline = in_minutes(t, 60);
    const Service *before = create_service(t, &provider, &req);
    const char *paths[] = {"city", "deadline"};
    Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
    mask.n_paths = 2;
    mask.paths = paths;
    UpdateServiceRequest update = update_of(before);
    update.update_mask = &mask;
    set_title(&update, "Not named, so not changed");
    assert_ok(call_as(t, &provider, UPDATE, &update));

    const Service *after = read_service(t, &provider, before->service_id);
    assert_string_equal(after->city, "");
    assert_null(after->deadline);
    assert_string_equal(after->title, "A leaking tap");

    paths[0] = "title";
    update._title_case = 0;
    assert_field_violation(call_as(t, &provider, UPDATE, &update), "title");
    paths[0] = "kind";
    assert_field_violation(call_as(t, &provider, UPDATE, &update),
                           "update_mask");
}

static void only_the_owner_and_administrators_change_a_service(void **state)
{
    fixture *t = *state;
    struct person owner = person(t, USER_TYPE_PROVIDER);
    struct person other = person(t, USER_TYPE_PROVIDER);
    struct person learner = person(t, USER_TYPE_LEARNER);
    struct person admin = person(t, USER_TYPE_ADMIN);
    CreateServiceRequest req = leaking_tap(t);
    const Service *service = create_service(t, &owner, &req);
    UpdateServiceRequest update = update_of(service);
    set_title(&update, "Mine now, surely");

    assert_code(call_as(t, &other, UPDATE, &update), RPC_NOT_FOUND);
    assert_code(call_as(t, &learner, UPDATE, &update), RPC_PERMISSION_DENIED);
    assert_code(call_as(t, NULL, UPDATE, &update), RPC_UNAUTHENTICATED);
    assert_code(try_delete_service(t, &other, service->service_id),
                RPC_NOT_FOUND);
    assert_code(try_delete_service(t, NULL, service->service_id),
                RPC_UNAUTHENTICATED);
    assert_string_equal(read_service(t, &owner, service->service_id)->title,
                        "A leaking tap");

    assert_ok(call_as(t, &admin, UPDATE, &update));
    assert_int_equal(number(t,
                            "select count(*) from audit_log"
                            " where action = 'service.updated'"
                            "   and object_id = '%s' and actor_id = '%s'",
                            service->service_id, admin.user_id),
                     1);
}

static void work_under_way_keeps_its_terms(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    CreateServiceRequest req = leaking_tap(t);
    const Service *service = create_service(t, &seeker, &req);
    UpdateServiceRequest terms = update_of(service);
    set_title(&terms, "More taps than before");
    UpdateServiceRequest words = update_of(service);
    set_description(&words, "The blue door.");

    sql(t, "update service set status = 'IN_PROGRESS' where service_id = '%s'",
        service->service_id);
    assert_reason(call_as(t, &seeker, UPDATE, &terms), RPC_FAILED_PRECONDITION,
                  "SERVICE_NOT_OPEN");
    assert_ok(call_as(t, &seeker, UPDATE, &words));
    sql(t, "update service set status = 'CANCELLED' where service_id = '%s'",
        service->service_id);
    assert_reason(call_as(t, &seeker, UPDATE, &words), RPC_FAILED_PRECONDITION,
                  "SERVICE_NOT_OPEN");
    sql(t,
        "update service set status = 'OPEN', is_active = false"
        " where service_id = '%s'",
        service->service_id);
    assert_reason(call_as(t, &seeker, UPDATE, &words), RPC_FAILED_PRECONDITION,
                  "SERVICE_NOT_ACTIVE");
    assert_string_equal(
        read_service(t, &seeker, service->service_id)->description,
        "The blue door.");
}

static void the_rules_of_a_new_service_hold_for_an_update(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    CreateServiceRequest req = leaking_tap(t);
    req.max_hours = 4;
    const Service *service = create_service(t, &seeker, &req);
    UpdateServiceRequest update = update_of(service);
    update.price = money(t, 999, "DZD");
    assert_field_violation(call_as(t, &seeker, UPDATE, &update),
                           "price.amount_minor");
    update = update_of(service);
    update._min_hours_case = UPDATE_SERVICE_REQUEST_MIN_HOURS_CASE;
    update.min_hours = 5;
    assert_field_violation(call_as(t, &seeker, UPDATE, &update), "max_hours");
    update = update_of(service);
    update.deadline = in_minutes(t, -5);
    assert_field_violation(call_as(t, &seeker, UPDATE, &update), "deadline");
    update = update_of(service);
    set_title(&update, "Four");
    assert_field_violation(call_as(t, &seeker, UPDATE, &update), "title");
    update.service_id = "1";
    assert_field_violation(call_as(t, &seeker, UPDATE, &update), "service_id");
}

static void bidders_hear_of_a_change_once(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    CreateServiceRequest req = leaking_tap(t);
    const Service *service = create_service(t, &seeker, &req);
    struct person bidder = bidder_on(t, service);
    UpdateServiceRequest update = update_of(service);
    set_title(&update, "A dripping tap");
    assert_ok(call_as(t, &seeker, UPDATE, &update));
    assert_ok(call_as(t, &seeker, UPDATE, &update)); /* a retry */

    assert_int_equal(notices(t, &bidder, "TASK_UPDATE"), 1);
    assert_int_equal(notices(t, &seeker, "TASK_UPDATE"), 0);
}

static void who_does_the_work_hears_of_a_change(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    CreateServiceRequest req = leaking_tap(t);
    const Service *service = create_service(t, &seeker, &req);
    struct person worker = bidder_on(t, service);
    sql(t, "update bid set status = 'ACCEPTED' where service_id = '%s'",
        service->service_id);
    sql(t, "update service set status = 'IN_PROGRESS' where service_id = '%s'",
        service->service_id);
    UpdateServiceRequest update = update_of(service);
    set_description(&update, "The green door, not the blue one.");
    assert_ok(call_as(t, &seeker, UPDATE, &update));
    assert_int_equal(notices(t, &worker, "TASK_UPDATE"), 1);
}

static void set_public_browse(const char *value)
{
    char error[200];
    assert_true(app_config_set("public_browse", value, error, sizeof error));
}

static void nothing_is_public_where_the_server_says_so(void **state)
{
    fixture *t = *state;
    struct person provider = person(t, USER_TYPE_PROVIDER);
    struct person seeker = person(t, USER_TYPE_SEEKER);
    GetServiceRequest get = GET_SERVICE_REQUEST_INIT;
    get.service_id = offered_service(t, &provider, "For members");
    ListServicesRequest list = LIST_SERVICES_REQUEST_INIT;
    list.kind = SERVICE_KIND_OFFERED;
    LatLng cairo = LAT_LNG_INIT;
    ListNearbyServicesRequest nearby = LIST_NEARBY_SERVICES_REQUEST_INIT;
    nearby.point = &cairo;
    const struct {
        const char *path;
        const void *request;
    } reads[] = {
        {"/prbal.v1.ListingService/GetService", &get},
        {"/prbal.v1.ListingService/ListServices", &list},
        {"/prbal.v1.ListingService/ListNearbyServices", &nearby},
    };
    for (size_t i = 0; i < 3; i++) {
        assert_ok(call_as(t, NULL, reads[i].path, reads[i].request));
        set_public_browse("false");
        struct rpc_reply nobody =
            call_as(t, NULL, reads[i].path, reads[i].request);
        struct rpc_reply member =
            call_as(t, &seeker, reads[i].path, reads[i].request);
        set_public_browse("true");
        assert_reason(nobody, RPC_UNAUTHENTICATED, "TOKEN_MISSING");
        assert_ok(member);
    }
}

TEST_MAIN("listing_update", TEST(an_update_changes_what_it_names),
          TEST(a_named_field_that_is_not_set_is_cleared),
          TEST(only_the_owner_and_administrators_change_a_service),
          TEST(work_under_way_keeps_its_terms),
          TEST(the_rules_of_a_new_service_hold_for_an_update),
          TEST(bidders_hear_of_a_change_once),
          TEST(who_does_the_work_hears_of_a_change),
          TEST(nothing_is_public_where_the_server_says_so))
