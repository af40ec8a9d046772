/* A job from the transaction that asks for it to its end. */
#include "rpc/clock.h"
#include "tests/testkit/jobs.h"
#include "tests/testkit/mailbox.h"

static int64_t waiting(fixture *t, const char *job_id)
{
    return number(t, "select count(*) from job where job_id = '%s'", job_id);
}

static const char *ended(fixture *t, const char *job_id, const char *column)
{
    return text(t, "select %s::text from job_ended where job_id = '%s'", column,
                job_id);
}

static void a_job_exists_only_when_its_transaction_has_committed(void **state)
{
    fixture *t = *state;
    const struct job sweep = {.kind = JOB_AUTH_SWEEP};
    const char *dropped = enqueue(t, &sweep, false);
    const char *kept = enqueue(t, &sweep, true);
    until_status(t, kept, "SUCCEEDED");
    assert_string_equal(job_status(t, dropped), "");
}

static void a_job_runs_once_and_is_kept_as_history(void **state)
{
    fixture *t = *state;
    const char *id = enqueue_mail(t, "once@example.org", NULL);
    until_status(t, id, "SUCCEEDED");
    run_for(t, 50);
    assert_int_equal(mail_count(t, "once@example.org"), 1);
    assert_int_equal(waiting(t, id), 0);
    assert_string_equal(ended(t, id, "kind"), "mail_deliver");
    assert_string_equal(ended(t, id, "attempt"), "1");
    assert_string_equal(ended(t, id, "last_error"), "");
    assert_null(ended(t, id, "arguments")); /* there may be a secret in them */
}

static void a_mail_of_the_same_job_is_written_once(void **state)
{
    fixture *t = *state;
    const char *id = enqueue_mail(t, "again@example.org", NULL);
    until_status(t, id, "SUCCEEDED");
    /* As after a crash between the writing and its record. */
    sql(t,
        "insert into job (job_id, kind, run_at, attempts_max, arguments)"
        " select job_id, kind, now(), 6, '\\x0a11616761696e406578616d706c652e"
        "6f7267'::bytea from job_ended where job_id = '%s'",
        id);
    sql(t, "delete from job_ended where job_id = '%s'", id);
    until_status(t, id, "SUCCEEDED");
    assert_int_equal(mail_count(t, "again@example.org"), 1);
}

static void a_job_waits_for_its_time(void **state)
{
    fixture *t = *state;
    const struct job late = {.kind = JOB_AUTH_SWEEP,
                             .run_at_us = clock_wall_us() + 3600000000};
    const char *id = enqueue(t, &late, true);
    const char *now = enqueue(t, &(struct job){.kind = JOB_AUTH_SWEEP}, true);
    until_status(t, now, "SUCCEEDED");
    assert_string_equal(job_status(t, id), "QUEUED");
    sql(t,
        "update job set run_at = now() + interval '100 milliseconds' where"
        " job_id = '%s'",
        id);
    until_status(t, id, "SUCCEEDED");
}

static void of_two_jobs_with_one_key_the_first_is_kept(void **state)
{
    fixture *t = *state;
    const struct job late = {.kind = JOB_AUTH_SWEEP,
                             .unique_key = "a key",
                             .run_at_us = clock_wall_us() + 3600000000};
    const char *first = enqueue(t, &late, true);
    const char *second = enqueue(t, &late, true);
    assert_string_equal(job_status(t, first), "QUEUED");
    assert_string_equal(job_status(t, second), "");

    sql(t, "update job set run_at = now() where job_id = '%s'", first);
    until_status(t, first, "SUCCEEDED");
    const char *third = enqueue(t, &late, true);
    assert_string_equal(job_status(t, third), "QUEUED");
    sql(t, "delete from job where job_id = '%s'", third);
}

static void make_due(fixture *t, const char *job_id)
{
    sql(t, "update job set run_at = now() where job_id = '%s'", job_id);
}

static void a_failed_job_comes_again_later(void **state)
{
    fixture *t = *state;
    break_outbox(true);
    const char *id = enqueue_mail(t, "later@example.org", NULL);
    until(t, 1,
          "select count(*) from job where job_id = '%s' and last_error <> ''",
          id);
    /* A minute and up to a quarter more, less what has passed since. */
    assert_int_equal(
        number(t,
               "select (run_at - now() between '20 s' and '75 s')::int from"
               " job where job_id = '%s'",
               id),
        1);
    break_outbox(false);
    make_due(t, id);
    until_status(t, id, "SUCCEEDED");
    assert_string_equal(ended(t, id, "attempt"), "2");
    assert_int_equal(mail_count(t, "later@example.org"), 1);
}

static void each_failure_waits_longer(void **state)
{
    (void)state;
    for (int attempt = 1; attempt < 5; attempt++)
        assert_true(job_backoff_ms(attempt) < job_backoff_ms(attempt + 1));
    assert_int_equal(job_backoff_ms(5), job_backoff_ms(50));
}

static void the_last_failure_is_kept_with_its_reason(void **state)
{
    fixture *t = *state;
    break_outbox(true);
    const char *id = enqueue_mail(t, "dead@example.org", NULL);
    until(t, 1,
          "select count(*) from job where job_id = '%s' and last_error <> ''",
          id);
    sql(t, "update job set attempt = 5 where job_id = '%s'", id);
    make_due(t, id);
    until_status(t, id, "DEAD");
    break_outbox(false);
    assert_string_equal(ended(t, id, "attempt"), "6");
    assert_non_null(strstr(ended(t, id, "last_error"), "UNAVAILABLE: "));
    assert_non_null(ended(t, id, "arguments"));
}

static void arguments_that_cannot_be_read_are_a_failure(void **state)
{
    fixture *t = *state;
    const char *id =
        text(t, "insert into job (kind, run_at, attempts_max, arguments)"
                " values ('mail_deliver', now(), 1, '\\xff') returning job_id");
    until_status(t, id, "DEAD");
    assert_non_null(strstr(ended(t, id, "last_error"), "arguments: "));
}

static void a_kind_of_another_version_waits_for_who_knows_it(void **state)
{
    fixture *t = *state;
    const char *id =
        text(t, "insert into job (kind, run_at, attempts_max, arguments)"
                " values ('of_tomorrow', now(), 1, '') returning job_id");
    const char *known = enqueue(t, &(struct job){.kind = JOB_AUTH_SWEEP}, true);
    until_status(t, known, "SUCCEEDED");
    assert_string_equal(job_status(t, id), "QUEUED");
    sql(t, "delete from job where job_id = '%s'", id);
}

static void a_queue_that_is_paused_stands_still(void **state)
{
    fixture *t = *state;
    sql(t, "insert into job_pause (queue) values ('mail')");
    const char *mail = enqueue_mail(t, "paused@example.org", NULL);
    const char *other = enqueue(t, &(struct job){.kind = JOB_AUTH_SWEEP}, true);
    until_status(t, other, "SUCCEEDED");
    assert_string_equal(job_status(t, mail), "QUEUED");
    sql(t, "delete from job_pause");
    until_status(t, mail, "SUCCEEDED");
}

static void a_backlog_of_one_kind_keeps_no_other_waiting(void **state)
{
    fixture *t = *state;
    enum { BACKLOG = 300 };
    sql(t,
        "insert into job (kind, run_at, attempts_max, arguments)"
        " select 'mail_deliver', now() - interval '1 hour', 6,"
        " '\\x0a106d616e79406578616d706c652e6f7267'::bytea"
        " from generate_series(1, %d)",
        BACKLOG);
    const char *other = enqueue(t, &(struct job){.kind = JOB_AUTH_SWEEP}, true);
    until_status(t, other, "SUCCEEDED");
    until(t, 0, "select count(*) from job where kind = 'mail_deliver'");
    assert_int_equal(mail_count(t, "many@example.org"), BACKLOG);
}

static void history_is_purged_by_age(void **state)
{
    fixture *t = *state;
    const char *old = enqueue_mail(t, "old@example.org", NULL);
    const char *young = enqueue_mail(t, "young@example.org", NULL);
    until_status(t, old, "SUCCEEDED");
    until_status(t, young, "SUCCEEDED");
    sql(t,
        "update job_ended set ended_at = now() - interval '8 days' where"
        " job_id = '%s'",
        old);
    const char *purge = enqueue(t, &(struct job){.kind = JOB_JOB_PURGE}, true);
    until_status(t, purge, "SUCCEEDED");
    assert_string_equal(job_status(t, old), "");
    assert_string_equal(job_status(t, young), "SUCCEEDED");
}

TEST_MAIN("job", TEST(a_job_exists_only_when_its_transaction_has_committed),
          TEST(a_job_runs_once_and_is_kept_as_history),
          TEST(a_mail_of_the_same_job_is_written_once),
          TEST(a_job_waits_for_its_time),
          TEST(of_two_jobs_with_one_key_the_first_is_kept),
          TEST(a_failed_job_comes_again_later), TEST(each_failure_waits_longer),
          TEST(the_last_failure_is_kept_with_its_reason),
          TEST(arguments_that_cannot_be_read_are_a_failure),
          TEST(a_kind_of_another_version_waits_for_who_knows_it),
          TEST(a_queue_that_is_paused_stands_still),
          TEST(a_backlog_of_one_kind_keeps_no_other_waiting),
          TEST(history_is_purged_by_age))
