#include "services/listings/draft.h"

#include "rpc/enum_name.h"
#include "services/listings/service.sql.h"
#include "services/listings/service_row.rpc.h"
#include "services/money.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>

enum { BUDGET_MIN_UNITS = 10 };
static const int64_t AMOUNT_MINOR_MAX = INT64_C(1000000000000);

void draft_set_defaults(Service *draft)
{
    if (draft->pricing_unit == PRICING_UNIT_UNSPECIFIED)
        draft->pricing_unit = PRICING_UNIT_FIXED;
    if (draft->duration_unit == DURATION_UNIT_UNSPECIFIED)
        draft->duration_unit = DURATION_UNIT_HOURS;
    if (draft->delivery_method == DELIVERY_METHOD_UNSPECIFIED)
        draft->delivery_method = DELIVERY_METHOD_ONSITE;
    if (draft->occurrence == OCCURRENCE_UNSPECIFIED)
        draft->occurrence = OCCURRENCE_ONE_TIME;
    if (draft->payment_policy == PAYMENT_POLICY_UNSPECIFIED)
        draft->payment_policy = PAYMENT_POLICY_PREPAY;
}

static rpc_status check_price(struct rpc_call *call, const Service *draft)
{
    const Money *price = draft->price;
    if (price == NULL)
        return rpc_fail_field(call, "price", "is required");
    TRY(money_check(call, "price", price));
    if (price->amount_minor < 0 || price->amount_minor > AMOUNT_MINOR_MAX)
        return rpc_fail_field(call, "price.amount_minor",
                              "must be between 0 and %lld",
                              (long long)AMOUNT_MINOR_MAX);
    Money least = MONEY_INIT;
    least.currency = price->currency;
    least.amount_minor = money_from_units(BUDGET_MIN_UNITS, price->currency);
    if (draft->kind == SERVICE_KIND_NEEDED &&
        price->amount_minor < least.amount_minor)
        return rpc_fail_field(call, "price.amount_minor",
                              "must be at least %s for work that is needed",
                              money_format(call->arena, &least));
    return RPC_SUCCESS;
}

rpc_status draft_check(struct rpc_call *call, const Service *draft)
{
    /* An update can clear what a new service had to have. */
    if (draft->title[0] == '\0')
        return rpc_fail_field(call, "title", "is required");
    if (draft->description[0] == '\0')
        return rpc_fail_field(call, "description", "is required");
    TRY(check_price(call, draft));
    if (draft->is_course && draft->kind != SERVICE_KIND_OFFERED)
        return rpc_fail_field(call, "is_course",
                              "must be false for work that is needed");
    if (draft->instant_book && draft->kind != SERVICE_KIND_OFFERED)
        return rpc_fail_field(call, "instant_book",
                              "must be false for work that is needed");
    if (draft->max_hours > 0 && draft->min_hours > draft->max_hours)
        return rpc_fail_field(call, "max_hours",
                              "must not be less than min_hours");
    if (draft->n_category_ids == 0)
        return rpc_fail_field(call, "category_ids",
                              "must name a category at least");
    return RPC_SUCCESS;
}

rpc_status draft_name_categories(struct db *db, const Service *draft,
                                 const char **names)
{
    struct rpc_call *call = db_call(db);
    ServiceCategoriesRow *row;
    TRY(db_one(db, &service_categories, &row, db_text(call->caller.id),
               db_texts(draft->category_ids, draft->n_category_ids)));
    if ((size_t)row->found != draft->n_category_ids)
        return rpc_fail_field(call, "category_ids",
                              "names a category that there is not");
    *names = row->names;
    return RPC_SUCCESS;
}

/* Keys are the fields' names: so the column comes back as messages. */
static json_t *option_json(const PricingOption *option)
{
    const char *unit = option->unit == PRICING_UNIT_UNSPECIFIED
                           ? "FIXED"
                           : enum_name(PRICING_UNIT_DESCRIPTOR, option->unit);
    return json_pack("{s:s, s:s, s:I, s:s, s:s}", "name", option->name,
                     "description", option->description, "amount_minor",
                     (json_int_t)option->amount_minor, "unit", unit, "duration",
                     option->duration);
}

static const char *options_json(struct arena *arena, const Service *draft)
{
    json_t *list = json_array();
    for (size_t i = 0; i < draft->n_pricing_options; i++)
        json_array_append_new(list, option_json(draft->pricing_options[i]));
    char *text = json_dumps(list, JSON_COMPACT);
    assert(text != NULL);
    const char *kept = arena_strdup(arena, text);
    free(text);
    json_decref(list);
    return kept;
}

void draft_args(struct rpc_call *call, const Service *draft,
                const char *category_names, db_arg args[DRAFT_ARGS])
{
    const LatLng *place = draft->coordinates;
    const db_arg terms[DRAFT_ARGS - DRAFT_FIRST_ARG] = {
        db_text(draft->title),
        db_text(draft->description),
        db_texts(draft->category_ids, draft->n_category_ids),
        db_text(category_names),
        db_texts(draft->tags, draft->n_tags),
        db_int(draft->price->amount_minor),
        db_text(draft->price->currency),
        db_enum(PRICING_UNIT_DESCRIPTOR, draft->pricing_unit),
        db_text(options_json(call->arena, draft)),
        db_text(draft->price_description),
        db_bool(draft->is_negotiable),
        db_int(draft->min_hours),
        db_int(draft->max_hours),
        db_int(draft->estimated_duration),
        db_enum(DURATION_UNIT_DESCRIPTOR, draft->duration_unit),
        db_text(draft->duration_description),
        db_enum(DELIVERY_METHOD_DESCRIPTOR, draft->delivery_method),
        db_enum(OCCURRENCE_DESCRIPTOR, draft->occurrence),
        db_text(draft->location_text),
        place != NULL ? db_double(place->latitude) : db_null(),
        place != NULL ? db_double(place->longitude) : db_null(),
        db_text(draft->region_code),
        db_text(draft->city),
        db_text(draft->coverage_area),
        db_texts(draft->required_tools, draft->n_required_tools),
        db_texts(draft->tasks_and_responsibilities,
                 draft->n_tasks_and_responsibilities),
        db_texts(draft->conditions_requirements,
                 draft->n_conditions_requirements),
        db_texts(draft->required_skills, draft->n_required_skills),
        db_time(draft->deadline),
        db_bool(draft->instant_book),
        db_enum(PAYMENT_POLICY_DESCRIPTOR, draft->payment_policy),
    };
    for (int i = DRAFT_FIRST_ARG; i < DRAFT_ARGS; i++)
        args[i] = terms[i - DRAFT_FIRST_ARG];
}
