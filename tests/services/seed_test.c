#include "services/seed/seed.h"

#include "db/admin.h"
#include "tests/testkit/scratch.h"

#include <argon2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct scratch *scratch;
static struct db_admin *database;
static struct seed_result first;

static const char *answer(const char *sql)
{
    static char text[512];
    char error[512];
    if (!db_admin_text(database, sql, NULL, text, sizeof text, error,
                       sizeof error))
        fail_msg("%s", error);
    return text;
}

static int setup(void **state)
{
    (void)state;
    char error[512];
    scratch = scratch_create();
    if (scratch == NULL)
        return -1;
    database = db_admin_open(scratch_url(scratch), error, sizeof error);
    if (database != NULL &&
        seed_demo_if_empty(scratch_url(scratch), &first, error, sizeof error))
        return 0;
    print_error("%s\n", error);
    return -1;
}

static int teardown(void **state)
{
    (void)state;
    db_admin_close(database);
    scratch_destroy(scratch);
    return 0;
}

static void an_empty_database_gets_the_whole_set(void **state)
{
    (void)state;
    assert_int_equal(first.account_count, 101);
    assert_int_equal(first.service_count, 200);
    assert_in_range(first.bid_count, 400, 1330);
    assert_true(first.booking_count > 100);
    assert_true(first.message_count > 140);
    assert_string_equal(
        answer("select string_agg(user_type || count, ' ' order "
               "by user_type) from (select user_type, count(*) "
               "from account group by 1) t"),
        "ADMIN1 BOTH20 PROVIDER40 SEEKER40");
    assert_string_equal(
        answer("select string_agg(status || count, ' ' order by status) from "
               "(select status, count(*) from service group by 1) t"),
        "CANCELLED10 COMPLETED30 IN_PROGRESS40 OPEN120");
}

static void a_second_run_changes_nothing(void **state)
{
    (void)state;
    struct seed_result second;
    char error[512], before[512];
    static const char everything[] =
        "select md5(string_agg(t::text, '' order by t::text)) from (select "
        "row(s.*)::text from service s union all select row(b.*)::text from "
        "bid b union all select row(k.*)::text from booking k union all select "
        "row(r.*)::text from chat_room r) t";
    strcpy(before, answer(everything));
    if (!seed_demo(scratch_url(scratch), SEED_NUMBER, &second, error,
                   sizeof error))
        fail_msg("%s", error);
    assert_memory_equal(&first, &second, sizeof first);
    assert_string_equal(answer(everything), before);
}

static void a_database_with_people_is_left_alone(void **state)
{
    (void)state;
    struct seed_result result;
    char error[512];
    assert_true(
        seed_demo_if_empty(scratch_url(scratch), &result, error, sizeof error));
    assert_int_equal(result.account_count, 0);
}

static void the_demo_password_signs_in(void **state)
{
    (void)state;
    const char *hash = answer("select password_hash from account where email = "
                              "'" SEED_DEMO_EMAIL "'");
    assert_int_equal(
        argon2id_verify(hash, SEED_DEMO_PASSWORD, strlen(SEED_DEMO_PASSWORD)),
        ARGON2_OK);
    assert_non_null(strstr(hash, "$m=19456,t=2,p=1$"));
}

static void what_belongs_together_agrees(void **state)
{
    /* Each finds what would be wrong. */
    static const char *const wrong[] = {
        "select count(*) from service s where bids_count <> (select count(*) "
        "from bid b where b.service_id = s.service_id)",
        "select count(*) from service s where status in ('IN_PROGRESS', "
        "'COMPLETED') and kind = 'NEEDED' and not exists (select from bid b "
        "where b.service_id = s.service_id and b.provider_id = s.assigned_to "
        "and b.status in ('ACCEPTED', 'COMPLETED'))",
        "select count(*) from bid b where status in ('ACCEPTED', 'COMPLETED') "
        "and not exists (select from booking k where k.bid_id = b.bid_id)",
        "select count(*) from chat_room r where last_seq <> (select count(*) "
        "from chat_message m where m.room_id = r.room_id)",
        "select count(*) from booking b where not exists (select from "
        "booking_timeline_event e where e.booking_id = b.booking_id and e.type "
        "= 'CREATED')",
        "select count(*) from service where coordinates is null or city = ''",
        "select count(*) from service where not search @@ plainto_tsquery("
        "'simple', city)",
        "select count(*) from booking where status = 'CONFIRMED' and start_at "
        "< now()",
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (strcmp(answer(wrong[i]), "0") != 0)
            fail_msg("%s: %s", wrong[i], answer(wrong[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_database_gets_the_whole_set),
        cmocka_unit_test(a_second_run_changes_nothing),
        cmocka_unit_test(a_database_with_people_is_left_alone),
        cmocka_unit_test(the_demo_password_signs_in),
        cmocka_unit_test(what_belongs_together_agrees),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
