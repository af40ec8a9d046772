/* Jobs that come by the clock, each tick once over all processes. */
#include "prbal/v1/registry.rpc.h"
#include "rpc/loop.h"
#include "services/app.h"
#include "services/jobs/kinds.h"
#include "tests/testkit/jobs.h"

static const char *next_tick(fixture *t, const char *after, const char *rule)
{
    return text(t,
                "select to_char(job_next_tick('%s', %s) at time zone 'UTC',"
                " 'YYYY-MM-DD HH24:MI')",
                after, rule);
}

/* Cairo is two hours ahead of UTC in winter, three in summer: in 2026 the
 * clocks leave out 00:00 to 01:00 on April 24, and show 23:00 to 24:00 twice on
 * October 29. */
static void the_next_tick_follows_the_zones_clock(void **state)
{
    fixture *t = *state;
    static const struct {
        const char *after, *rule, *want;
    } rows[] = {
        {"2026-01-01 00:00:00Z", "60, null, null, 'UTC'", "2026-01-01 00:01"},
        {"2026-01-01 00:00:59Z", "60, null, null, 'UTC'", "2026-01-01 00:01"},
        {"2026-01-01 00:07:30Z", "600, null, null, 'UTC'", "2026-01-01 00:10"},
        {"2026-01-01 00:00:00Z", "null, '02:00', null, 'Africa/Cairo'",
         "2026-01-02 00:00"}, /* this very moment is past */
        {"2025-12-31 23:59:00Z", "null, '02:00', null, 'Africa/Cairo'",
         "2026-01-01 00:00"},
        {"2026-07-01 12:00:00Z", "null, '02:00', null, 'Africa/Cairo'",
         "2026-07-01 23:00"},
        {"2026-04-23 12:00:00Z", "null, '00:30', null, 'Africa/Cairo'",
         "2026-04-23 22:30"}, /* shown as 01:30 there */
        {"2026-04-23 22:30:00Z", "null, '00:30', null, 'Africa/Cairo'",
         "2026-04-24 21:30"},
        {"2026-01-01 12:00:00Z", "null, '03:00', 1::smallint, 'UTC'",
         "2026-01-05 03:00"}, /* a Monday */
        {"2026-01-05 03:00:00Z", "null, '03:00', 1::smallint, 'UTC'",
         "2026-01-12 03:00"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(next_tick(t, rows[i].after, rows[i].rule),
                            rows[i].want);
}

static void a_time_that_comes_twice_has_one_tick(void **state)
{
    fixture *t = *state;
    static const char rule[] = "null, '23:30', null, 'Africa/Cairo'";
    const char *first = next_tick(t, "2026-10-29 12:00:00Z", rule);
    assert_true(strncmp(first, "2026-10-29 2", 12) == 0);
    const char *second =
        next_tick(t, arena_printf(t->arena, "%sZ", first), rule);
    assert_string_equal(second, "2026-10-30 21:30");
}

static int64_t rules_written(fixture *t)
{
    return number(t, "select count(*) from job_schedule");
}

static void the_programs_rules_are_written_once(void **state)
{
    fixture *t = *state;
    until(t, (int64_t)job_rule_count, "select count(*) from job_schedule");
    assert_int_equal(rules_written(t), (int64_t)job_rule_count);
    for (size_t i = 0; i < job_rule_count; i++)
        assert_int_equal(
            number(t,
                   "select every_seconds from job_schedule where kind ="
                   " '%s' and next_at > now() - interval '1 minute'",
                   job_kinds[job_rules[i].kind].name),
            job_rules[i].every_seconds);
}

/* ---- Two servers, each on threads of its own. */

enum { SERVERS = 2, TICKS = 12 };

static struct rpc_server *start_server(struct app *app)
{
    static const struct rpc_registry *const registries[] = {&prbal_registry,
                                                            NULL};
    struct rpc_server *server =
        rpc_server_create(&(struct rpc_server_options){.registries = registries,
                                                       .hooks = app_hooks(),
                                                       .application = app,
                                                       .error_domain = "prbal",
                                                       .loop_count = 2});
    assert_int_equal(rpc_server_start(server).code, RPC_OK);
    return server;
}

static void a_tick_comes_once_over_all_processes(void **state)
{
    fixture *t = *state;
    struct app app = {.database_url = t->url};
    struct rpc_server *servers[SERVERS];
    for (int i = 0; i < SERVERS; i++)
        servers[i] = start_server(&app);
    until(t, SERVERS + 1, "select count(*) from job_worker");

    for (int i = 0; i < TICKS; i++) {
        sql(t,
            "update job_schedule set next_at = timestamptz '2020-01-01Z' +"
            " interval '1 minute' * %d where kind = 'auth_sweep'",
            i);
        until(t, i + 1,
              "select count(*) from job_ended where kind = 'auth_sweep' and"
              " status = 'SUCCEEDED' and unique_key like '2020-%%'");
    }
    for (int i = 0; i < SERVERS; i++) {
        rpc_server_stop(servers[i]);
        rpc_server_destroy(servers[i]);
    }
    assert_int_equal(
        number(t, "select count(*) from job_ended where kind = 'auth_sweep'"
                  " and unique_key like '2020-%%'"),
        TICKS);
    assert_int_equal(
        number(t, "select count(distinct unique_key) from job_ended where"
                  " kind = 'auth_sweep' and unique_key like '2020-%%'"),
        TICKS);
    assert_int_equal(
        number(t, "select (next_at > now())::int from job_schedule where"
                  " kind = 'auth_sweep'"),
        1);
}

TEST_MAIN("job_schedule", TEST(the_next_tick_follows_the_zones_clock),
          TEST(a_time_that_comes_twice_has_one_tick),
          TEST(the_programs_rules_are_written_once),
          TEST(a_tick_comes_once_over_all_processes))
