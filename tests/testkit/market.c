#include "tests/testkit/market.h"

static const char *insert_service(fixture *t, const struct person *owner,
                                  const char *title, const char *kind,
                                  bool is_course)
{
    return text(
        t,
        "insert into service (owner_id, kind, is_course, title, description,"
        " price_minor, price_currency, category_ids, coordinates, owner_name)"
        " values ('%s',"
        " '%s', %s, '%s', 'As the title says.', 10000, 'USD', "
        "array[gen_random_uuid()],"
        " st_setsrid(st_makepoint(31.2357, 30.0444), 4326)::geography, '%s')"
        " returning service_id",
        owner->user_id, kind, is_course ? "true" : "false", title,
        owner->full_name);
}

const char *needed_service(fixture *t, const struct person *owner,
                           const char *title)
{
    return insert_service(t, owner, title, "NEEDED", false);
}

const char *offered_service(fixture *t, const struct person *owner,
                            const char *title)
{
    return insert_service(t, owner, title, "OFFERED", false);
}

const char *course(fixture *t, const struct person *owner, const char *title)
{
    return insert_service(t, owner, title, "OFFERED", true);
}
