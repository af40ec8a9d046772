/* What is removed when its time has passed, and what is kept. */
#include "rpc/loop.h"
#include "services/jobs/handlers.h"
#include "tests/testkit/testkit.h"

struct sweeping {
    rpc_status (*handler)(struct db *tx, struct job_run *run);
    rpc_code code;
    bool done;
};

static void run(struct rpc_call *call, void *argument)
{
    struct sweeping *job = argument;
    struct db *tx;
    struct job_run nothing = {0};
    job->code = db_begin(call->db, &tx).code;
    if (job->code == RPC_OK)
        job->code = job->handler(tx, &nothing).code;
    if (job->code == RPC_OK)
        job->code = db_commit(tx).code;
    job->done = true;
}

static void sweep_by(fixture *t,
                     rpc_status (*handler)(struct db *tx, struct job_run *run))
{
    struct sweeping job = {.handler = handler};
    struct loop *loop = rpc_server_loop(t->server, 0);
    assert_non_null(rpc_task(t->server, loop, run, &job));
    loop_run_until(loop, &job.done);
    assert_int_equal(job.code, RPC_OK);
}

static void sweep(fixture *t)
{
    sweep_by(t, auth_sweep);
}

static const char *status_of(fixture *t, const struct person *who)
{
    return text(t, "select account_status from account where user_id = '%s'",
                who->user_id);
}

static void suspend(fixture *t, const struct person *who, const char *until)
{
    sql(t,
        "update account set account_status = 'SUSPENDED', suspended_until ="
        " %s where user_id = '%s'",
        until, who->user_id);
}

static void a_suspension_ends_at_its_time(void **state)
{
    fixture *t = *state;
    struct person over = person(t, USER_TYPE_SEEKER);
    struct person unverified = pending_person(t, USER_TYPE_SEEKER);
    struct person longer = person(t, USER_TYPE_SEEKER);
    struct person for_good = person(t, USER_TYPE_SEEKER);
    suspend(t, &over, "now() - interval '1 second'");
    suspend(t, &unverified, "now() - interval '1 second'");
    suspend(t, &longer, "now() + interval '1 hour'");
    suspend(t, &for_good, "null");
    sweep(t);
    assert_string_equal(status_of(t, &over), "ACTIVE");
    assert_string_equal(status_of(t, &unverified), "INACTIVE");
    assert_string_equal(status_of(t, &longer), "SUSPENDED");
    assert_string_equal(status_of(t, &for_good), "SUSPENDED");
}

static void old_rows_go_and_young_ones_stay(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    sql(t,
        "insert into session (user_id, refresh_hash, expires_at) values"
        " ('%s', sha256('old'), now() - interval '31 days'),"
        " ('%s', sha256('young'), now() - interval '29 days')",
        who.user_id, who.user_id);
    sql(t, "insert into otp_challenge (purpose, channel, destination,"
           " code_hash, expires_at) values"
           " ('VERIFY_EMAIL', 'EMAIL', 'old@x', sha256(''),"
           "  now() - interval '25 hours'),"
           " ('VERIFY_EMAIL', 'EMAIL', 'young@x', sha256(''),"
           "  now() - interval '23 hours')");
    sql(t, "insert into login_throttle (bucket, window_started_at, tries,"
           " failures, updated_at) values"
           " ('old', now(), 1, 1, now() - interval '25 hours'),"
           " ('young', now(), 1, 1, now() - interval '23 hours')");
    sql(t,
        "insert into revocation (user_id, created_at) values"
        " ('%s', now() - interval '26 hours'),"
        " ('%s', now() - interval '24 hours')",
        who.user_id, who.user_id);
    sweep(t);
    assert_int_equal(number(t,
                            "select count(*) from session where user_id = '%s'"
                            " and expires_at < now()",
                            who.user_id),
                     1);
    assert_int_equal(
        number(t, "select count(*) from otp_challenge where destination in"
                  " ('old@x', 'young@x')"),
        1);
    assert_int_equal(number(t, "select count(*) from login_throttle where"
                               " bucket in ('old', 'young')"),
                     1);
    assert_int_equal(
        number(t, "select count(*) from revocation where user_id = '%s'",
               who.user_id),
        1);
}

static void an_idempotency_key_is_kept_for_a_day(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    sql(t,
        "insert into idempotent_reply (user_id, method, key, request_hash,"
        " reply, created_at)"
        " select '%s', '/m', n::text, sha256(''), '',"
        " now() - n * interval '1 hour' from unnest(array[0, 23, 25, 48]) n",
        who.user_id);
    sweep_by(t, idempotency_sweep);
    assert_string_equal(text(t,
                             "select string_agg(key, ' ' order by key) from"
                             " idempotent_reply where user_id = '%s'",
                             who.user_id),
                        "0 23");
}

TEST_MAIN("sweep", TEST(a_suspension_ends_at_its_time),
          TEST(old_rows_go_and_young_ones_stay),
          TEST(an_idempotency_key_is_kept_for_a_day))
