/* Who has a job: leases, fences, and workers that come and go. */
#include "prbal/v1/registry.rpc.h"
#include "rpc/loop.h"
#include "services/app.h"
#include "services/jobs/job.sql.h"
#include "services/jobs/worker.h"
#include "tests/testkit/jobs.h"
#include "tests/testkit/mailbox.h"

#include <stdlib.h>

#define STRANGER "01234567-0000-7000-8000-000000000001"

/* A job that another process has taken, and that process's lease. */
static const char *taken_by_stranger(fixture *t, int attempt, const char *until)
{
    sql(t,
        "insert into job_worker (worker_id, expires_at) values ('" STRANGER
        "', now() + interval '%s') on conflict (worker_id) do update set"
        " expires_at = excluded.expires_at",
        until);
    return text(t,
                "insert into job (kind, status, run_at, attempt, attempts_max,"
                " lease, worker_id, started_at, arguments)"
                " values ('auth_sweep', 'RUNNING', now(), %d, 2,"
                " nextval('job_lease'), '" STRANGER "', now(), '')"
                " returning job_id",
                attempt);
}

static void a_job_of_a_live_worker_is_left_alone(void **state)
{
    fixture *t = *state;
    const char *id = taken_by_stranger(t, 1, "1 hour");
    const char *own = enqueue(t, &(struct job){.kind = JOB_AUTH_SWEEP}, true);
    until_status(t, own, "SUCCEEDED");
    assert_string_equal(job_status(t, id), "RUNNING");

    sql(t, "update job_worker set expires_at = now() - interval '1 second'"
           " where worker_id = '" STRANGER "'");
    until_status(t, id, "SUCCEEDED");
    assert_int_equal(
        number(t, "select attempt from job_ended where job_id = '%s'", id), 2);
}

static void a_job_that_ends_its_process_is_dead_in_the_end(void **state)
{
    fixture *t = *state;
    const char *id = taken_by_stranger(t, 2, "-1 second");
    until_status(t, id, "DEAD");
    assert_string_equal(
        text(t, "select last_error from job_ended where job_id = '%s'", id),
        "The process that ran it was lost.");
}

static void a_job_that_was_fetched_into_a_lost_answer_goes_back(void **state)
{
    fixture *t = *state;
    const char *known = enqueue(t, &(struct job){.kind = JOB_AUTH_SWEEP}, true);
    until_status(t, known, "SUCCEEDED");
    const char *id =
        text(t, "insert into job (kind, status, run_at, attempt, attempts_max,"
                " lease, worker_id, started_at, arguments)"
                " select 'auth_sweep', 'RUNNING', now(), 1, 2,"
                " nextval('job_lease'), worker_id, now(), ''"
                " from job_worker where worker_id <> '" STRANGER "'"
                " order by expires_at desc limit 1 returning job_id");
    until_status(t, id, "SUCCEEDED");
    assert_int_equal(
        number(t, "select attempt from job_ended where job_id = '%s'", id), 1);
}

/* ---- The fence. */

struct zombie {
    bool over;
};

static struct zombie *watched;

static void on_over(void *run)
{
    (void)run;
    watched->over = true;
}

/* Runs a job as somebody who has held this lease since long ago. */
static struct run *run_with_lease(fixture *t, const char *job_id, int64_t lease)
{
    struct loop *loop = rpc_server_loop(t->server, 0);
    const JobRow row = {.job_id = job_id,
                        .kind = "auth_sweep",
                        .lease = lease,
                        .attempt = 1,
                        .attempts_max = 2};
    struct run *run = run_create(t->server, loop, &row);
    struct zombie zombie = {false};
    watched = &zombie;
    run->loop = loop;
    run_start(run, on_over);
    loop_run_until(loop, &zombie.over);
    return run;
}

static int64_t old_codes(fixture *t)
{
    return number(t, "select count(*) from otp_challenge where destination ="
                     " 'fence@example.org'");
}

static void what_a_zombie_did_is_rolled_back(void **state)
{
    fixture *t = *state;
    const char *id = taken_by_stranger(t, 1, "1 hour");
    int64_t lease = number(t, "select lease from job where job_id = '%s'", id);
    sql(t, "insert into otp_challenge (purpose, channel, destination,"
           " code_hash, expires_at) values ('VERIFY_EMAIL', 'EMAIL',"
           " 'fence@example.org', sha256(''), now() - interval '25 hours')");

    struct run *late = run_with_lease(t, id, lease - 1);
    assert_int_equal(late->outcome, RUN_FENCED);
    assert_int_equal(old_codes(t), 1);
    assert_string_equal(job_status(t, id), "RUNNING");
    free(late);

    struct run *owner = run_with_lease(t, id, lease);
    assert_int_equal(owner->outcome, RUN_COMMITTED);
    assert_int_equal(old_codes(t), 0);
    assert_string_equal(job_status(t, id), "SUCCEEDED");
    free(owner);

    struct run *again = run_with_lease(t, id, lease);
    assert_int_equal(again->outcome, RUN_FENCED);
    free(again);
}

/* ---- Going down. */

static struct rpc_server *other_server(struct app *app)
{
    static const struct rpc_registry *const registries[] = {&prbal_registry,
                                                            NULL};
    return rpc_server_create(
        &(struct rpc_server_options){.registries = registries,
                                     .hooks = app_hooks(),
                                     .application = app,
                                     .error_domain = "prbal"});
}

struct look {
    struct loop_timer timer;
    struct loop *loop;
    bool has_fetched;
};

static void look(struct loop_timer *timer)
{
    struct look *l = (struct look *)timer;
    l->has_fetched = jobs_stats(l->loop).fetched > 0;
    loop_timer_start(l->loop, timer, 1);
}

static void run_until_it_has_fetched(struct rpc_server *server)
{
    struct look l = {.loop = rpc_server_loop(server, 0)};
    loop_timer_init(&l.timer, look);
    loop_timer_start(l.loop, &l.timer, 1);
    loop_run_until(l.loop, &l.has_fetched);
    loop_timer_stop(&l.timer);
}

static void a_worker_that_goes_down_leaves_nothing_behind(void **state)
{
    fixture *t = *state;
    struct app app = {.database_url = t->url};
    struct rpc_server *other = other_server(&app);
    int64_t before = number(t, "select count(*) from job_worker");
    assert_int_equal(rpc_server_start_here(other).code, RPC_OK);
    /* The fixture's server stands still: the mails are the other one's. */
    sql(t, "insert into job (kind, run_at, attempts_max, arguments)"
           " select 'mail_deliver', now(), 6,"
           " '\\x0a10646f776e406578616d706c652e6f7267'::bytea"
           " from generate_series(1, 100)");
    run_until_it_has_fetched(other);
    rpc_server_stop_here(other);
    rpc_server_destroy(other);

    assert_int_equal(number(t, "select count(*) from job where status ="
                               " 'RUNNING' and kind = 'mail_deliver'"),
                     0);
    assert_int_equal(number(t, "select count(*) from job_worker"), before);
    until(t, 0, "select count(*) from job where kind = 'mail_deliver'");
    assert_int_equal(mail_count(t, "down@example.org"), 100);
}

TEST_MAIN("job_lease", TEST(a_job_of_a_live_worker_is_left_alone),
          TEST(a_job_that_ends_its_process_is_dead_in_the_end),
          TEST(a_job_that_was_fetched_into_a_lost_answer_goes_back),
          TEST(what_a_zombie_did_is_rolled_back),
          TEST(a_worker_that_goes_down_leaves_nothing_behind))
