#include "services/listings/filter.h"

#include "services/listings/service_list.sql.h"
#include "services/listings/service_row.rpc.h"
#include "services/money.h"

#include <string.h>

static const double RADIUS_KM_DEFAULT = 10;

void filter_circle(const LatLng *point, double radius_km,
                   db_arg args[FILTER_ARGS])
{
    double kilometres = radius_km > 0 ? radius_km : RADIUS_KM_DEFAULT;
    args[FILTER_CIRCLE] = db_double(point->latitude);
    args[FILTER_CIRCLE + 1] = db_double(point->longitude);
    args[FILTER_CIRCLE + 2] = db_double(kilometres * 1000);
}

/* Null for an empty list. */
static db_arg any_of(const char *const *texts, size_t count)
{
    return count > 0 ? db_texts(texts, count) : db_null();
}

static db_arg if_positive(int64_t number)
{
    return number > 0 ? db_int(number) : db_null();
}

/* The filter's words, or, when no service has them, services with similar
 * titles: *words and *ids, of which one is null. */
static rpc_status search_args(struct rpc_call *call, const char *search,
                              db_arg *words, db_arg *ids)
{
    size_t count;
    ServiceIdRow **rows;
    *words = db_text_or_null(search);
    *ids = db_null();
    if (search[0] == '\0')
        return RPC_SUCCESS;
    TRY(db_many(call->db, &services_spelt_like, &count, &rows,
                db_text(search)));
    if (count == 0)
        return RPC_SUCCESS;
    const char **similar = arena_array(call->arena, count, sizeof(char *));
    for (size_t i = 0; i < count; i++)
        similar[i] = rows[i]->service_id;
    *words = db_null();
    *ids = db_texts(similar, count);
    return RPC_SUCCESS;
}

/* The categories that the filter names and their children.  None at all is an
 * empty array, which no service has anything in common with. */
static rpc_status category_args(struct rpc_call *call, const ServiceFilter *f,
                                db_arg *categories)
{
    size_t count;
    CategoryIdRow **rows;
    *categories = db_null();
    if (f->n_category_ids == 0 && f->category_slug[0] == '\0')
        return RPC_SUCCESS;
    TRY(db_many(call->db, &category_family, &count, &rows,
                any_of(f->category_ids, f->n_category_ids),
                db_text_or_null(f->category_slug)));
    const char **ids = arena_array(call->arena, count + 1, sizeof(char *));
    for (size_t i = 0; i < count; i++)
        ids[i] = rows[i]->category_id;
    *categories = db_texts(ids, count);
    return RPC_SUCCESS;
}

/* Currency, least and most. */
static rpc_status price_args(struct rpc_call *call, const ServiceFilter *f,
                             db_arg args[3])
{
    const Money *min = f->min_price, *max = f->max_price;
    const Money *any = min != NULL ? min : max;
    args[0] = args[1] = args[2] = db_null();
    if (any == NULL)
        return RPC_SUCCESS;
    TRY(money_check(call, min != NULL ? "filter.min_price" : "filter.max_price",
                    any));
    if (max != NULL && strcmp(max->currency, any->currency) != 0)
        return rpc_fail_field(call, "filter.max_price.currency",
                              "must be that of min_price");
    args[0] = db_text(any->currency);
    if (min != NULL)
        args[1] = db_int(min->amount_minor);
    if (max != NULL)
        args[2] = db_int(max->amount_minor);
    return RPC_SUCCESS;
}

static int64_t hours_of(DurationUnit unit)
{
    switch (unit) {
    case DURATION_UNIT_DAYS:
        return 24;
    case DURATION_UNIT_WEEKS:
        return 7 * 24;
    case DURATION_UNIT_MONTHS:
        return 30 * 24;
    default:
        return 1;
    }
}

static db_arg course_arg(const ServiceFilter *f, const struct list_scope *scope)
{
    if (scope->courses != scope->others)
        return db_bool(scope->courses);
    return f->_is_course_case ? db_bool(f->is_course) : db_null();
}

static rpc_status check_course(struct rpc_call *call, const ServiceFilter *f,
                               const struct list_scope *scope)
{
    if (!f->_is_course_case || (f->is_course ? scope->courses : scope->others))
        return RPC_SUCCESS;
    return rpc_fail_field(call, "filter.is_course",
                          "contradicts the feed, which has %s courses",
                          scope->courses ? "only" : "no");
}

/* What reads straight from the message. */
static void plain_args(struct rpc_call *call, const ServiceFilter *f,
                       db_arg args[FILTER_ARGS])
{
    int64_t hours = hours_of(f->duration_unit);
    args[5] = db_text_or_null(f->owner_id);
    args[9] = db_text_or_null(f->city);
    args[10] = any_of(f->region_codes, f->n_region_codes);
    args[17] = db_enums_or_all(call->arena, DELIVERY_METHOD_DESCRIPTOR,
                               f->delivery_methods, f->n_delivery_methods);
    args[18] = db_enum(OCCURRENCE_DESCRIPTOR, f->occurrence);
    args[19] = f->_is_remote_case ? db_bool(f->is_remote) : db_null();
    args[20] = f->min_rating > 0 ? db_double(f->min_rating) : db_null();
    args[21] = if_positive(f->min_duration * hours);
    args[22] = if_positive(f->max_duration * hours);
    args[23] = db_time(f->created_after);
    args[24] = db_time(f->created_before);
    args[25] = f->_is_featured_case ? db_bool(f->is_featured) : db_null();
}

rpc_status filter_args(struct rpc_call *call, const ServiceFilter *filter,
                       const struct list_scope *scope, db_arg args[FILTER_ARGS])
{
    static const ServiceFilter none = SERVICE_FILTER_INIT;
    const ServiceFilter *f = filter != NULL ? filter : &none;
    ServiceStatus status = f->status != SERVICE_STATUS_UNSPECIFIED
                               ? f->status
                               : SERVICE_STATUS_OPEN;
    TRY(check_course(call, f, scope));
    args[0] = db_text(call->caller.id);
    args[1] = db_enum(SERVICE_STATUS_DESCRIPTOR, status);
    args[2] = db_enum(SERVICE_KIND_DESCRIPTOR, scope->kind);
    args[3] = course_arg(f, scope);
    args[4] = db_bool(scope->not_own || f->exclude_own);
    for (int i = 0; i < 3; i++)
        args[FILTER_CIRCLE + i] = db_null();
    if (f->near != NULL)
        filter_circle(f->near, f->radius_km, args);
    plain_args(call, f, args);
    TRY(price_args(call, f, &args[14]));
    TRY(search_args(call, f->search, &args[6], &args[7]));
    return category_args(call, f, &args[8]);
}
