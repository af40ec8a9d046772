#include "services/listings/service_list.sql.h"
#include "tests/testkit/testkit.h"

/* The common lists walk along an index; a plan that reads all services would
 * pass every other test.  Each statement is planned for its arguments, as the
 * server plans it (:replan), over some thousands of services. */

enum { FILTER_ARGS = 26, ARGS_MAX = 32 };

static void fill_market(fixture *t)
{
    struct person provider = person(t, USER_TYPE_PROVIDER);
    struct person seeker = person(t, USER_TYPE_SEEKER);
    sql(t,
        "insert into service (owner_id, kind, is_course, title, description,"
        "  category_ids, price_minor, price_currency, estimated_duration,"
        "  deadline, city, coordinates, created_at)"
        " select case when i %% 2 = 0 then '%s'::uuid else '%s' end,"
        "  case when i %% 2 = 0 then 'OFFERED' else 'NEEDED' end,"
        "  i %% 2 = 0 and i %% 20 = 0, 'Work number ' || i,"
        "  md5(i::text) || ' ' || md5((i %% 997)::text),"
        "  array[c.ids[1 + i %% array_length(c.ids, 1)]], 1000 + i * 7 %% 9973,"
        "  'DZD', i %% 40, now() + i * interval '1 minute',"
        "  'City ' || i %% 200,"
        "  st_point(2 + (i * 31 %% 4000) / 1000.0,"
        "           35 + (i * 17 %% 2000) / 1000.0),"
        "  now() - i * interval '1 minute'"
        " from generate_series(1, 20000) i,"
        "  (select array_agg(category_id) as ids from category) c",
        provider.user_id, seeker.user_id);
    sql(t, "vacuum analyze service");
    sql(t, "set plan_cache_mode = force_custom_plan");
}

struct argument {
    int number;
    const char *value;
};

/* The plan of a statement, as JSON: what is not given is null. */
static const char *plan(fixture *t, const struct db_query *query,
                        const struct argument *given)
{
    const char *values[ARGS_MAX + 1];
    for (int i = 1; i <= query->param_count; i++)
        values[i] = "null";
    values[2] = "'OPEN'";
    values[5] = "false";
    values[query->param_count > FILTER_ARGS + 1 ? 29 : 27] = "13";
    for (; given->number != 0; given++)
        values[given->number] = given->value;

    const char *list = values[1];
    for (int i = 2; i <= query->param_count; i++)
        list = arena_printf(t->arena, "%s, %s", list, values[i]);
    sql(t, "deallocate all");
    sql(t, "prepare listing as %s", query->sql);
    return text(t, "explain (format json) execute listing (%s)", list);
}

static void each_common_list_walks_along_an_index(void **state)
{
    fixture *t = *state;
    static const struct {
        const struct db_query *query;
        struct argument given[6];
        const char *index; /* NULL: any that gives the order */
    } cases[] = {
        {&services_newest, {{0}}, "service_by_age"},
        {&services_newest, {{3, "'OFFERED'"}, {4, "false"}}, NULL},
        {&services_newest, {{3, "'OFFERED'"}, {4, "true"}}, "service_feed"},
        {&services_newest,
         {{3, "'OFFERED'"},
          {4, "false"},
          {27, "now() - interval '1 hour'"},
          {28, "uuid7()"}},
         NULL},
        {&services_oldest, {{3, "'NEEDED'"}, {4, "false"}}, NULL},
        {&services_newest, {{10, "'City 7'"}}, "service_by_city"},
        {&services_newest,
         {{7, "'c4ca4238a0b923820dcc509a6f75849b'"}},
         "service_by_words"},
        {&services_newest,
         {{12, "36"}, {13, "3"}, {14, "5000"}},
         "service_by_place"},
        {&services_cheapest, {{3, "'OFFERED'"}}, "service_by_price"},
        {&services_dearest,
         {{27, "5000"}, {28, "uuid7()"}},
         "service_by_price"},
        {&services_best_rated, {{3, "'OFFERED'"}}, "service_by_rating"},
        {&services_quickest, {{3, "'OFFERED'"}}, "service_by_duration"},
        {&services_most_urgent, {{3, "'NEEDED'"}}, "service_by_deadline"},
        {&services_nearest,
         {{3, "'OFFERED'"}, {30, "36"}, {31, "3"}, {32, "200000"}},
         "service_by_place"},
        {&service_count,
         {{3, "'OFFERED'"}, {4, "true"}, {27, "1000"}},
         "service_feed"},
    };
    fill_market(t);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = plan(t, cases[i].query, cases[i].given);
        const char *index = cases[i].index;
        bool walks = index == NULL ? strstr(got, "\"Sort\"") == NULL
                                   : strstr(got, index) != NULL;
        if (!walks || strstr(got, "Seq Scan") != NULL)
            fail_msg("case %zu, %s, not along %s: %s", i, cases[i].query->name,
                     index != NULL ? index : "an index", got);
    }
}

TEST_MAIN("service_plan", TEST(each_common_list_walks_along_an_index))
