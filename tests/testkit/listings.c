#include "tests/testkit/listings.h"

#define CREATE "/prbal.v1.ListingService/CreateService"
#define GET "/prbal.v1.ListingService/GetService"
#define DELETE "/prbal.v1.ListingService/DeleteService"
#define LIST "/prbal.v1.ListingService/ListServices"

const char *category(fixture *t, const char *slug)
{
    return text(t, "select category_id from category where slug = '%s'", slug);
}

Money *money(fixture *t, int64_t amount_minor, const char *currency)
{
    Money *money = ARENA_NEW(t->arena, Money);
    *money = (Money)MONEY_INIT;
    money->amount_minor = amount_minor;
    money->currency = currency;
    return money;
}

CreateServiceRequest leaking_tap(fixture *t)
{
    const char **categories = arena_array(t->arena, 1, sizeof(char *));
    categories[0] = category(t, "plumbing");
    CreateServiceRequest req = CREATE_SERVICE_REQUEST_INIT;
    req.title = "A leaking tap";
    req.description = "It drips day and night.";
    req.n_category_ids = 1;
    req.category_ids = categories;
    req.price = money(t, 500000, "DZD");
    return req;
}

const Service *create_service(fixture *t, const struct person *who,
                              const CreateServiceRequest *req)
{
    return ANSWER(CreateServiceResponse, call_as(t, who, CREATE, req))->service;
}

struct rpc_reply try_get_service(fixture *t, const struct person *who,
                                 const char *service_id)
{
    GetServiceRequest req = GET_SERVICE_REQUEST_INIT;
    req.service_id = service_id;
    return call_as(t, who, GET, &req);
}

const Service *read_service(fixture *t, const struct person *who,
                            const char *service_id)
{
    return ANSWER(GetServiceResponse, try_get_service(t, who, service_id))
        ->service;
}

struct rpc_reply try_delete_service(fixture *t, const struct person *who,
                                    const char *service_id)
{
    DeleteServiceRequest req = DELETE_SERVICE_REQUEST_INIT;
    req.service_id = service_id;
    return call_as(t, who, DELETE, &req);
}

struct person bidder_on(fixture *t, const Service *service)
{
    struct person bidder = person(t, USER_TYPE_PROVIDER);
    sql(t,
        "insert into bid (service_id, seeker_id, provider_id, origin,"
        " amount_minor, currency, message, status)"
        " values ('%s', '%s', '%s', 'PROVIDER_PROPOSAL', 400000, 'DZD', 'Me',"
        " 'PENDING')",
        service->service_id, service->owner->user_id, bidder.user_id);
    return bidder;
}

int64_t notices(fixture *t, const struct person *who, const char *type)
{
    return number(t,
                  "select count(*) from notification"
                  " where recipient_id = '%s' and type = '%s'",
                  who->user_id, type);
}

void book_service(fixture *t, const Service *service,
                  const struct person *seeker, const char *status)
{
    sql(t,
        "insert into booking (service_id, seeker_id, provider_id, origin,"
        " status, total_minor, platform_fee_minor, currency, payment_policy)"
        " values ('%s', '%s', '%s', 'DIRECT', '%s', 1000, 0, 'DZD', 'OFFLINE')",
        service->service_id, seeker->user_id, service->owner->user_id, status);
}

const char *post(fixture *t, const struct person *owner, const char *kind,
                 const char *title, const char *columns, const char *values)
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

const char *titles(fixture *t, size_t count, Service *const *services)
{
    const char *all = "";
    for (size_t i = 0; i < count; i++)
        all = arena_printf(t->arena, "%s%s%s", all, i > 0 ? " " : "",
                           services[i]->title);
    return all;
}

ServiceFilter owned_by(const struct person *owner)
{
    ServiceFilter filter = SERVICE_FILTER_INIT;
    filter.owner_id = owner->user_id;
    return filter;
}

ListServicesRequest list_of(ServiceKind kind, ServiceFilter *filter)
{
    ListServicesRequest req = LIST_SERVICES_REQUEST_INIT;
    req.kind = kind;
    req.filter = filter;
    return req;
}

const ListServicesResponse *list(fixture *t, const struct person *who,
                                 const ListServicesRequest *req)
{
    return ANSWER(ListServicesResponse, call_as(t, who, LIST, req));
}

const char *listed(fixture *t, const struct person *who,
                   const ListServicesRequest *req)
{
    const ListServicesResponse *res = list(t, who, req);
    return titles(t, res->n_services, res->services);
}
