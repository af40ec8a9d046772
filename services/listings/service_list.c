/* Lists of services.  Each is a scope, what it shows at all, and an order: a
 * row of orders[].  Places come first, then the services that stand there. */
#include "services/caller.h"
#include "services/listings/filter.h"
#include "services/listings/service.h"
#include "services/listings/service.sql.h"
#include "services/listings/service_list.sql.h"
#include "services/listings/service_row.rpc.h"
#include "services/page.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Counting a list costs more than reading its page: up to 10,000 was nine
 * tenths of a call. */
enum { SERVICES_DEFAULT = 12, TOTAL_MAX = 1000 };

/* The keys in a page token: the total, counted once, and the last place. */
enum { KEY_TOTAL, KEY_PLACE, KEY_ID };

typedef enum { BY_TIME, BY_NUMBER, BY_REAL } key_type;

static const struct order {
    const char *name;
    const struct db_query *query;
    key_type key;
} orders[] = {
    {"", &services_newest, BY_TIME},
    {"-create_time", &services_newest, BY_TIME},
    {"create_time", &services_oldest, BY_TIME},
    {"price", &services_cheapest, BY_NUMBER},
    {"-price", &services_dearest, BY_NUMBER},
    {"estimated_duration", &services_quickest, BY_NUMBER},
    {"deadline", &services_most_urgent, BY_TIME},
    {"rating", &services_best_rated, BY_REAL},
    {"distance", &services_nearest, BY_REAL},
};

/* The statement's own arguments come after the filter's: key, id, limit, and
 * the circle for services_nearest. */
enum {
    PLACE_ARGS = FILTER_ARGS + 3,
    NEAREST_ARGS = PLACE_ARGS + 3,
};

/* What the list methods have in common. */
struct list {
    const ProtobufCMessage *request;
    const ServiceFilter *filter;
    const struct order *order;
    struct list_scope scope;
    const LatLng *point; /* of ListNearbyServices, else NULL */
    double radius_km;
};

struct listed {
    size_t count;
    Service **services;
    char *next_page_token;
    int64_t total;
};

/* Copies a struct listed into one of the responses, which all look alike. */
#define ANSWER(res, listed)                                    \
    do {                                                       \
        (res)->n_services = (listed).count;                    \
        (res)->services = (listed).services;                   \
        if ((listed).next_page_token != NULL)                  \
            (res)->next_page_token = (listed).next_page_token; \
        (res)->total_size = (listed).total;                    \
    } while (0)

static const struct order *find_order(const char *name)
{
    const struct order *order = orders;
    while (strcmp(order->name, name) != 0)
        order++; /* the .proto lets only these names through */
    return order;
}

static const char *place_key(struct rpc_call *call, key_type type,
                             const ServicePlaceRow *place)
{
    if (type == BY_TIME)
        return page_time_key(call, place->time_key);
    if (type == BY_NUMBER)
        return arena_printf(call->arena, "%" PRId64, place->number_key);
    return arena_printf(call->arena, "%.17g", place->real_key);
}

static db_arg place_arg(const struct page *page, key_type type)
{
    const char *key = page_key(page, KEY_PLACE);
    if (key == NULL)
        return db_null();
    if (type == BY_TIME)
        return page_time(page, KEY_PLACE);
    if (type == BY_NUMBER)
        return db_int(strtoll(key, NULL, 10));
    return db_double(strtod(key, NULL));
}

/* Counted with the first page, and carried along by the tokens. */
static rpc_status count_all(struct rpc_call *call, const struct page *page,
                            const struct db_query *query, const db_arg *args,
                            size_t count, int64_t *total)
{
    const char *known = page_key(page, KEY_TOTAL);
    if (known != NULL) {
        *total = strtoll(known, NULL, 10);
        return RPC_SUCCESS;
    }
    ServiceCountRow *row;
    TRY(db_one_args(call->db, query, &row, args, count));
    *total = row->total;
    return RPC_SUCCESS;
}

/* The services that stand at `places`, in their order. */
static rpc_status read_services(struct rpc_call *call, size_t place_count,
                                ServicePlaceRow **places, struct listed *listed)
{
    const char **ids = arena_array(call->arena, place_count + 1, sizeof *ids);
    for (size_t i = 0; i < place_count; i++)
        ids[i] = places[i]->service_id;
    return db_many(call->db, &service_by_ids, &listed->count, &listed->services,
                   db_text(call->caller.id), db_bool(caller_is_admin(call)),
                   db_texts(ids, place_count));
}

/* A place whose service has just become invisible has no match. */
static void tell_distances(ServicePlaceRow **places,
                           const struct listed *listed)
{
    for (size_t i = 0; i < listed->count; i++, places++) {
        Service *service = listed->services[i];
        while (strcmp((*places)->service_id, service->service_id) != 0)
            places++;
        service->_distance_km_case = SERVICE_DISTANCE_KM_CASE;
        service->distance_km = (*places)->real_key / 1000;
    }
}

/* The circle moves from the filter to where services_nearest has it. */
static void move_circle(db_arg args[NEAREST_ARGS])
{
    for (int i = 0; i < 3; i++) {
        args[PLACE_ARGS + i] = args[FILTER_CIRCLE + i];
        args[FILTER_CIRCLE + i] = db_null();
    }
}

static rpc_status count_listed(struct rpc_call *call, const struct page *page,
                               const db_arg args[FILTER_ARGS], int64_t *total)
{
    db_arg count_args[FILTER_ARGS + 1];
    memcpy(count_args, args, FILTER_ARGS * sizeof *args);
    count_args[FILTER_ARGS] = db_int(TOTAL_MAX);
    return count_all(call, page, &service_count, count_args, FILTER_ARGS + 1,
                     total);
}

static rpc_status find_places(struct rpc_call *call, const struct list *list,
                              const struct page *page, struct listed *listed,
                              size_t *count, ServicePlaceRow ***places)
{
    bool is_nearest = list->order->query == &services_nearest;
    db_arg args[NEAREST_ARGS];
    TRY(filter_args(call, list->filter, &list->scope, args));
    if (list->point != NULL)
        filter_circle(list->point, list->radius_km, args);
    TRY(count_listed(call, page, args, &listed->total));

    args[FILTER_ARGS] = place_arg(page, list->order->key);
    args[FILTER_ARGS + 1] = page_text(page, KEY_ID);
    args[FILTER_ARGS + 2] = page_limit(page);
    if (is_nearest)
        move_circle(args);
    return db_many_args(call->db, list->order->query, count, places, args,
                        is_nearest ? NEAREST_ARGS : PLACE_ARGS);
}

static char *next_token(struct rpc_call *call, const struct page *page,
                        key_type type, int64_t total,
                        const ServicePlaceRow *last)
{
    return page_next(call, page, arena_printf(call->arena, "%" PRId64, total),
                     place_key(call, type, last), last->service_id);
}

static rpc_status check_point(struct rpc_call *call, const struct list *list)
{
    bool filter_has_point = list->filter != NULL && list->filter->near != NULL;
    if (list->order->query == &services_nearest && list->point == NULL &&
        !filter_has_point)
        return rpc_fail_field(call, "filter.near",
                              "is required for the order by distance");
    if (list->point != NULL && filter_has_point)
        return rpc_fail_field(call, "filter.near",
                              "must be unset beside a point");
    return RPC_SUCCESS;
}

static rpc_status read_list(struct rpc_call *call, const struct list *list,
                            struct listed *listed)
{
    struct page page;
    size_t count;
    ServicePlaceRow **places;
    *listed = (struct listed){0};
    TRY(check_point(call, list));
    TRY(page_open(call, list->request, SERVICES_DEFAULT, &page));
    TRY(find_places(call, list, &page, listed, &count, &places));
    if (page_cut(&page, &count))
        listed->next_page_token = next_token(call, &page, list->order->key,
                                             listed->total, places[count - 1]);
    TRY(read_services(call, count, places, listed));
    if (list->order->query == &services_nearest)
        tell_distances(places, listed);
    return RPC_SUCCESS;
}

/* Needed work is shown to those who could do it. */
static rpc_status check_may_list(struct rpc_call *call, ServiceKind kind)
{
    TRY(listing_check_reader(call));
    if (kind == SERVICE_KIND_OFFERED || caller_is(call, ROLE_PROVIDER))
        return RPC_SUCCESS;
    if (call->caller.id == NULL)
        return rpc_fail_reason(call, RPC_UNAUTHENTICATED, "TOKEN_MISSING",
                               "sign in to see what is needed");
    return rpc_fail(call, RPC_PERMISSION_DENIED,
                    "only providers list what is needed; your own is in "
                    "ListMyServices");
}

rpc_status listing_list_services(struct rpc_call *call,
                                 const ListServicesRequest *req,
                                 ListServicesResponse *res)
{
    const struct list list = {
        .request = &req->base,
        .filter = req->filter,
        .order = find_order(req->order_by),
        .scope = {.kind = req->kind, .courses = true, .others = true},
    };
    struct listed listed;
    TRY(check_may_list(call, req->kind));
    TRY(read_list(call, &list, &listed));
    ANSWER(res, listed);
    return RPC_SUCCESS;
}

/* The feed that a caller has, and `view` as far as they may choose. */
static rpc_status pick_view(struct rpc_call *call, BrowseView *view)
{
    bool seeks = caller_is(call, ROLE_SEEKER);
    bool provides = caller_is(call, ROLE_PROVIDER);
    if (seeks && provides)
        return RPC_SUCCESS;
    BrowseView own = seeks      ? BROWSE_VIEW_OFFERED
                     : provides ? BROWSE_VIEW_NEEDED
                                : BROWSE_VIEW_COURSES;
    if (*view != BROWSE_VIEW_UNSPECIFIED && *view != own)
        return rpc_fail(call, RPC_PERMISSION_DENIED,
                        "your account does not have this view");
    *view = own;
    return RPC_SUCCESS;
}

static struct list_scope view_scope(BrowseView view)
{
    switch (view) {
    case BROWSE_VIEW_OFFERED:
        return (struct list_scope){
            .kind = SERVICE_KIND_OFFERED, .others = true, .not_own = true};
    case BROWSE_VIEW_NEEDED:
        return (struct list_scope){.kind = SERVICE_KIND_NEEDED,
                                   .courses = true,
                                   .others = true,
                                   .not_own = true};
    case BROWSE_VIEW_COURSES:
        return (struct list_scope){
            .kind = SERVICE_KIND_OFFERED, .courses = true, .not_own = true};
    default:
        return (struct list_scope){
            .courses = true, .others = true, .not_own = true};
    }
}

static rpc_status check_open(struct rpc_call *call, const ServiceFilter *filter)
{
    if (filter == NULL || filter->status == SERVICE_STATUS_UNSPECIFIED ||
        filter->status == SERVICE_STATUS_OPEN)
        return RPC_SUCCESS;
    return rpc_fail_field(call, "filter.status",
                          "must be OPEN: a feed has nothing else");
}

rpc_status listing_browse_services(struct rpc_call *call,
                                   const BrowseServicesRequest *req,
                                   BrowseServicesResponse *res)
{
    BrowseView view = req->view;
    struct listed listed;
    TRY(check_open(call, req->filter));
    TRY(pick_view(call, &view));
    const struct list list = {
        .request = &req->base,
        .filter = req->filter,
        .order = find_order(req->order_by),
        .scope = view_scope(view),
    };
    TRY(read_list(call, &list, &listed));
    ANSWER(res, listed);
    return RPC_SUCCESS;
}

rpc_status listing_list_nearby_services(struct rpc_call *call,
                                        const ListNearbyServicesRequest *req,
                                        ListNearbyServicesResponse *res)
{
    ServiceKind kind = req->kind != SERVICE_KIND_UNSPECIFIED
                           ? req->kind
                           : SERVICE_KIND_OFFERED;
    const struct list list = {
        .request = &req->base,
        .filter = req->filter,
        .order = find_order("distance"),
        .scope = {.kind = kind, .courses = true, .others = true},
        .point = req->point,
        .radius_km = req->radius_km,
    };
    struct listed listed;
    TRY(check_may_list(call, kind));
    TRY(read_list(call, &list, &listed));
    ANSWER(res, listed);
    return RPC_SUCCESS;
}

rpc_status listing_list_my_services(struct rpc_call *call,
                                    const ListMyServicesRequest *req,
                                    ListMyServicesResponse *res)
{
    const db_arg id = db_text(call->caller.id);
    const db_arg kind = db_enum(SERVICE_KIND_DESCRIPTOR, req->kind);
    const db_arg status = db_enum(SERVICE_STATUS_DESCRIPTOR, req->status);
    const db_arg count_args[] = {id, kind, status, db_int(TOTAL_MAX)};
    struct page page;
    struct listed listed = {0};
    size_t count;
    ServicePlaceRow **places;
    TRY(page_open(call, &req->base, SERVICES_DEFAULT, &page));
    TRY(count_all(call, &page, &services_mine_count, count_args, 4,
                  &listed.total));
    TRY(db_many(call->db, &services_mine, &count, &places, id, kind, status,
                page_time(&page, KEY_PLACE), page_text(&page, KEY_ID),
                page_limit(&page)));
    if (page_cut(&page, &count))
        listed.next_page_token =
            next_token(call, &page, BY_TIME, listed.total, places[count - 1]);
    TRY(read_services(call, count, places, &listed));
    ANSWER(res, listed);
    return RPC_SUCCESS;
}
