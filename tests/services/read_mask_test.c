/* Partial reads as clients of the API use them. */
#include "prbal/v1/listing.rpc.h"
#include "prbal/v1/registry.rpc.h"
#include "rpc/read_mask.h"
#include "tests/testkit/market.h"
#include "tests/testkit/testkit.h"

#define LIST_SERVICES "/prbal.v1.ListingService/ListServices"
#define GET_SERVICE "/prbal.v1.ListingService/GetService"

/* A handful of numbers has no parts. */
static bool has_no_parts(const char *method)
{
    return strcmp(method, "GetUnreadCount") == 0 ||
           strcmp(method, "GetServerInfo") == 0;
}

static void every_get_and_every_list_takes_a_mask(void **state)
{
    (void)state;
    for (size_t s = 0; s < prbal_registry.service_count; s++) {
        const struct rpc_service *service = prbal_registry.services[s];
        for (size_t m = 0; m < service->method_count; m++) {
            const struct rpc_method *method = &service->methods[m];
            const char *name = strrchr(method->path, '/') + 1;
            bool reads = strncmp(name, "Get", 3) == 0 ||
                         strncmp(name, "List", 4) == 0 ||
                         strncmp(name, "Browse", 6) == 0;
            if (!reads || has_no_parts(name))
                continue;
            if (read_mask_field(method->request) == NULL)
                fail_msg("%s has no read_mask", method->path);
        }
    }
}

static Google__Protobuf__FieldMask *mask_of(fixture *t, const char *path)
{
    Google__Protobuf__FieldMask *mask =
        ARENA_NEW(t->arena, Google__Protobuf__FieldMask);
    *mask = (Google__Protobuf__FieldMask)GOOGLE__PROTOBUF__FIELD_MASK__INIT;
    mask->n_paths = 1;
    mask->paths = ARENA_NEW(t->arena, const char *);
    mask->paths[0] = path;
    return mask;
}

static void a_list_answers_what_was_asked_of_each_row(void **state)
{
    fixture *t = *state;
    struct person provider = person(t, USER_TYPE_PROVIDER);
    offered_service(t, &provider, "Drain unblocked");
    ListServicesRequest req = LIST_SERVICES_REQUEST_INIT;
    ServiceFilter filter = SERVICE_FILTER_INIT;
    filter.owner_id = provider.user_id;
    req.filter = &filter;
    req.kind = SERVICE_KIND_OFFERED;
    req.read_mask = mask_of(t, "services.title");
    const ListServicesResponse *res =
        ANSWER(ListServicesResponse, call_as(t, NULL, LIST_SERVICES, &req));
    assert_int_equal(res->n_services, 1);
    assert_int_equal(res->total_size, 1);
    assert_string_equal(res->services[0]->title, "Drain unblocked");
    assert_string_equal(res->services[0]->service_id, "");
    assert_null(res->services[0]->owner);
    assert_null(res->services[0]->price);
}

/* Pages go on under another mask: it chooses columns, not rows. */
static void a_mask_neither_hides_nor_binds_the_next_page(void **state)
{
    fixture *t = *state;
    struct person provider = person(t, USER_TYPE_PROVIDER);
    offered_service(t, &provider, "The older one");
    offered_service(t, &provider, "The newer one");
    ListServicesRequest req = LIST_SERVICES_REQUEST_INIT;
    ServiceFilter filter = SERVICE_FILTER_INIT;
    filter.owner_id = provider.user_id;
    req.filter = &filter;
    req.kind = SERVICE_KIND_OFFERED;
    req.page_size = 1;
    req.read_mask = mask_of(t, "services.title");
    const ListServicesResponse *res =
        ANSWER(ListServicesResponse, call_as(t, NULL, LIST_SERVICES, &req));
    assert_string_equal(res->services[0]->title, "The newer one");
    req.page_token = res->next_page_token;
    req.read_mask = NULL;
    res = ANSWER(ListServicesResponse, call_as(t, NULL, LIST_SERVICES, &req));
    assert_string_equal(res->services[0]->title, "The older one");
    assert_non_null(res->services[0]->price);
}

static void a_wrong_path_is_named_before_anything_is_read(void **state)
{
    fixture *t = *state;
    GetServiceRequest req = GET_SERVICE_REQUEST_INIT;
    req.service_id = NOBODY;
    req.read_mask = mask_of(t, "service.owner.email");
    struct rpc_reply reply = call_as(t, NULL, GET_SERVICE, &req);
    assert_field_violation(reply, "read_mask");
    assert_non_null(strstr(reply.status.message, "service.owner.email"));
}

TEST_MAIN("read mask", TEST(every_get_and_every_list_takes_a_mask),
          TEST(a_list_answers_what_was_asked_of_each_row),
          TEST(a_mask_neither_hides_nor_binds_the_next_page),
          TEST(a_wrong_path_is_named_before_anything_is_read))
