/* What administrators see of jobs, and what they can do. */
#include "prbal/v1/admin.rpc.h"
#include "rpc/clock.h"
#include "tests/testkit/jobs.h"
#include "tests/testkit/mailbox.h"

#define ADMIN "/prbal.v1.AdminService/"

static const char *late_sweep(fixture *t, const char *unique_key)
{
    return enqueue(t,
                   &(struct job){.kind = JOB_AUTH_SWEEP,
                                 .unique_key = unique_key,
                                 .run_at_us = clock_wall_us() + 3600000000},
                   true);
}

static const ListJobsResponse *list(fixture *t, const struct person *admin,
                                    const ListJobsRequest *req)
{
    return ANSWER(ListJobsResponse, call_as(t, admin, ADMIN "ListJobs", req));
}

static const Job *get(fixture *t, const struct person *admin, const char *id)
{
    GetJobRequest req = GET_JOB_REQUEST_INIT;
    req.job_id = id;
    return ANSWER(GetJobResponse, call_as(t, admin, ADMIN "GetJob", &req))->job;
}

static struct rpc_reply retry(fixture *t, const struct person *admin,
                              const char *id)
{
    RetryJobRequest req = RETRY_JOB_REQUEST_INIT;
    req.job_id = id;
    return call_as(t, admin, ADMIN "RetryJob", &req);
}

static struct rpc_reply cancel(fixture *t, const struct person *admin,
                               const char *id)
{
    CancelJobRequest req = CANCEL_JOB_REQUEST_INIT;
    req.job_id = id;
    return call_as(t, admin, ADMIN "CancelJob", &req);
}

static struct rpc_reply set_paused(fixture *t, const struct person *admin,
                                   const char *queue, bool paused)
{
    PauseQueueRequest req = PAUSE_QUEUE_REQUEST_INIT;
    req.queue = queue;
    req.paused = paused;
    return call_as(t, admin, ADMIN "PauseQueue", &req);
}

static int64_t audited(fixture *t, const struct person *admin,
                       const char *action, const char *object_id)
{
    return number(t,
                  "select count(*) from audit_log where actor_id = '%s' and"
                  " action = '%s' and object_id = '%s'",
                  admin->user_id, action, object_id);
}

static void a_job_is_shown_while_it_waits_and_when_it_is_over(void **state)
{
    fixture *t = *state;
    struct person admin = person(t, USER_TYPE_ADMIN);
    const Job *waits = get(t, &admin, late_sweep(t, "a key"));
    assert_string_equal(waits->kind, "auth_sweep");
    assert_string_equal(waits->queue, "upkeep");
    assert_int_equal(waits->status, JOB_STATUS_QUEUED);
    assert_string_equal(waits->unique_key, "a key");
    assert_int_equal(waits->attempt, 0);
    assert_int_equal(waits->max_attempts, 2);
    assert_non_null(waits->run_time);
    assert_null(waits->end_time);

    const char *id = enqueue_mail(t, "shown@example.org", NULL);
    until_status(t, id, "SUCCEEDED");
    const Job *over = get(t, &admin, id);
    assert_string_equal(over->queue, "mail");
    assert_int_equal(over->status, JOB_STATUS_SUCCEEDED);
    assert_int_equal(over->attempt, 1);
    assert_non_null(over->start_time);
    assert_non_null(over->end_time);

    GetJobRequest nothing = GET_JOB_REQUEST_INIT;
    nothing.job_id = "01234567-0000-7000-8000-000000000009";
    assert_code(call_as(t, &admin, ADMIN "GetJob", &nothing), RPC_NOT_FOUND);
}

static void only_administrators_see_jobs(void **state)
{
    fixture *t = *state;
    struct person provider = person(t, USER_TYPE_PROVIDER);
    ListJobsRequest req = LIST_JOBS_REQUEST_INIT;
    assert_reason(call_as(t, &provider, ADMIN "ListJobs", &req),
                  RPC_PERMISSION_DENIED, "ROLE_REQUIRED");
    const char *id = late_sweep(t, NULL);
    assert_code(cancel(t, &provider, id), RPC_PERMISSION_DENIED);
    assert_string_equal(job_status(t, id), "QUEUED");
}

static void lists_are_filtered_and_paged_over_both_tables(void **state)
{
    fixture *t = *state;
    enum { MAILS = 5, WAITING = 3 };
    struct person admin = person(t, USER_TYPE_ADMIN);
    stop_schedule(t);
    sql(t, "delete from job where kind = 'auth_sweep'");
    sql(t, "delete from job_ended");
    for (int i = 0; i < MAILS; i++)
        until_status(t, enqueue_mail(t, "page@example.org", NULL), "SUCCEEDED");
    for (int i = 0; i < WAITING; i++)
        late_sweep(t, NULL);

    ListJobsRequest req = LIST_JOBS_REQUEST_INIT;
    req.page_size = 2;
    int seen = 0;
    const char *last = "ffffffff-ffff-ffff-ffff-ffffffffffff";
    do {
        const ListJobsResponse *res = list(t, &admin, &req);
        for (size_t i = 0; i < res->n_jobs; i++) {
            assert_true(strcmp(res->jobs[i]->job_id, last) < 0);
            last = res->jobs[i]->job_id;
            seen++;
        }
        assert_true((res->n_queues > 0) == (req.page_token[0] == '\0'));
        req.page_token = res->next_page_token;
    } while (req.page_token[0] != '\0');
    assert_int_equal(seen, MAILS + WAITING);

    ListJobsRequest mails = LIST_JOBS_REQUEST_INIT;
    mails.queue = "mail";
    assert_int_equal(list(t, &admin, &mails)->n_jobs, MAILS);
    ListJobsRequest waiting = LIST_JOBS_REQUEST_INIT;
    waiting.kind = "auth_sweep";
    JobStatus queued[] = {JOB_STATUS_QUEUED};
    waiting.statuses = queued;
    waiting.n_statuses = 1;
    assert_int_equal(list(t, &admin, &waiting)->n_jobs, WAITING);
    mails.kind = "auth_sweep"; /* which is in another queue */
    assert_int_equal(list(t, &admin, &mails)->n_jobs, 0);
}

static const JobQueue *queue_of(const ListJobsResponse *res, const char *name)
{
    for (size_t i = 0; i < res->n_queues; i++)
        if (strcmp(res->queues[i]->queue, name) == 0)
            return res->queues[i];
    fail_msg("no queue %s", name);
    return NULL;
}

static void queues_tell_how_deep_they_are(void **state)
{
    fixture *t = *state;
    struct person admin = person(t, USER_TYPE_ADMIN);
    stop_schedule(t);
    sql(t, "delete from job where kind = 'auth_sweep'");
    late_sweep(t, NULL);
    assert_ok(set_paused(t, &admin, "mail", true));
    const char *mail = enqueue_mail(t, "deep@example.org", NULL);
    run_for(t, 50);

    ListJobsRequest req = LIST_JOBS_REQUEST_INIT;
    const ListJobsResponse *res = list(t, &admin, &req);
    const JobQueue *mails = queue_of(res, "mail");
    assert_true(mails->is_paused);
    assert_int_equal(mails->waiting_count, 1);
    assert_int_equal(mails->due_count, 1);
    assert_non_null(mails->oldest_due_time);
    const JobQueue *upkeep = queue_of(res, "upkeep");
    assert_false(upkeep->is_paused);
    assert_int_equal(upkeep->waiting_count, 1);
    assert_int_equal(upkeep->due_count, 0);

    const PauseQueueResponse *on =
        ANSWER(PauseQueueResponse, set_paused(t, &admin, "mail", false));
    assert_false(on->queue->is_paused);
    until_status(t, mail, "SUCCEEDED");
    assert_int_equal(audited(t, &admin, "queue.paused", "mail"), 1);
    assert_int_equal(audited(t, &admin, "queue.resumed", "mail"), 1);
    assert_field_violation(set_paused(t, &admin, "nothing", true), "queue");
}

static void a_dead_job_begins_anew(void **state)
{
    fixture *t = *state;
    struct person admin = person(t, USER_TYPE_ADMIN);
    break_outbox(true);
    const char *id = enqueue_mail(t, "anew@example.org", NULL);
    until(t, 1,
          "select count(*) from job where job_id = '%s' and last_error <> ''",
          id);
    sql(t,
        "update job set attempt = attempts_max - 1, run_at = now()"
        " where job_id = '%s'",
        id);
    until_status(t, id, "DEAD");
    assert_int_equal(get(t, &admin, id)->status, JOB_STATUS_DEAD);
    break_outbox(false);

    const Job *job = ANSWER(RetryJobResponse, retry(t, &admin, id))->job;
    assert_int_equal(job->status, JOB_STATUS_QUEUED);
    assert_int_equal(job->attempt, 0);
    until_status(t, id, "SUCCEEDED");
    assert_int_equal(mail_count(t, "anew@example.org"), 1);
    assert_int_equal(audited(t, &admin, "job.retried", id), 1);
    assert_reason(retry(t, &admin, id), RPC_FAILED_PRECONDITION, "WRONG_STATE");
}

static void a_job_that_waits_can_be_hurried(void **state)
{
    fixture *t = *state;
    struct person admin = person(t, USER_TYPE_ADMIN);
    const char *id = late_sweep(t, NULL);
    assert_ok(retry(t, &admin, id));
    until_status(t, id, "SUCCEEDED");
}

static void a_cancelled_job_does_not_run_unless_it_is_retried(void **state)
{
    fixture *t = *state;
    struct person admin = person(t, USER_TYPE_ADMIN);
    const char *id = late_sweep(t, "cancelled");
    assert_ok(cancel(t, &admin, id));
    assert_string_equal(job_status(t, id), "CANCELLED");
    assert_ok(cancel(t, &admin, id)); /* a retry of the call */
    assert_int_equal(audited(t, &admin, "job.cancelled", id), 1);

    const char *twin = late_sweep(t, "cancelled"); /* the key is free again */
    assert_reason(retry(t, &admin, id), RPC_FAILED_PRECONDITION, "JOB_WAITS");
    assert_string_equal(job_status(t, id), "CANCELLED");
    assert_ok(cancel(t, &admin, twin));
    assert_ok(retry(t, &admin, id));
    until_status(t, id, "SUCCEEDED");
    assert_reason(cancel(t, &admin, id), RPC_FAILED_PRECONDITION,
                  "WRONG_STATE");
}

TEST_MAIN("job_admin", TEST(a_job_is_shown_while_it_waits_and_when_it_is_over),
          TEST(only_administrators_see_jobs),
          TEST(lists_are_filtered_and_paged_over_both_tables),
          TEST(queues_tell_how_deep_they_are), TEST(a_dead_job_begins_anew),
          TEST(a_job_that_waits_can_be_hurried),
          TEST(a_cancelled_job_does_not_run_unless_it_is_retried))
