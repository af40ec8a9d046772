#include "tests/testkit/jobs.h"

#include "rpc/loop.h"
#include "services/app.h"
#include "services/mail/mail_row.rpc.h"

#include <stdio.h>
#include <unistd.h>

enum { WAIT_MS = 60000, STEP_MS = 5 };

struct enqueuing {
    fixture *t;
    const struct job *job;
    const char *id;
    rpc_code code;
    bool commit, done;
};

static rpc_status do_enqueue(struct rpc_call *call, struct enqueuing *e)
{
    struct db *tx;
    TRY(db_begin(call->db, &tx));
    e->id = arena_strdup(e->t->arena, job_enqueue(tx, e->job));
    if (e->commit)
        return db_commit(tx);
    db_rollback(tx);
    return RPC_SUCCESS;
}

static void enqueue_task(struct rpc_call *call, void *argument)
{
    struct enqueuing *e = argument;
    e->code = do_enqueue(call, e).code;
    e->done = true;
}

const char *enqueue(fixture *t, const struct job *job, bool commit)
{
    struct enqueuing e = {.t = t, .job = job, .commit = commit};
    struct loop *loop = rpc_server_loop(t->server, 0);
    assert_non_null(rpc_task(t->server, loop, enqueue_task, &e));
    loop_run_until(loop, &e.done);
    assert_int_equal(e.code, RPC_OK);
    return e.id;
}

const char *enqueue_mail(fixture *t, const char *to, const char *unique_key)
{
    MailLetter letter = MAIL_LETTER_INIT;
    letter.to = to;
    letter.subject = "A subject";
    letter.text = "A text.\n";
    return enqueue(t,
                   &(struct job){.kind = JOB_MAIL_DELIVER,
                                 .arguments = &letter.base,
                                 .unique_key = unique_key},
                   true);
}

void until(fixture *t, int64_t want, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *query = arena_vprintf(t->arena, format, args);
    va_end(args);
    int64_t got = number(t, "%s", query);
    for (int waited = 0; got != want && waited < WAIT_MS; waited += STEP_MS) {
        run_for(t, STEP_MS);
        got = number(t, "%s", query);
    }
    if (got != want)
        fail_msg("%lld, not %lld: %s", (long long)got, (long long)want, query);
}

const char *job_status(fixture *t, const char *job_id)
{
    return text(t,
                "select coalesce((select status from job where job_id = '%s'),"
                " (select status from job_ended where job_id = '%s'), '')",
                job_id, job_id);
}

void until_status(fixture *t, const char *job_id, const char *status)
{
    until(t, 1,
          "select count(*) from (select job_id, status from job union all"
          " select job_id, status from job_ended) j"
          " where job_id = '%s' and status = '%s'",
          job_id, status);
}

void stop_schedule(fixture *t)
{
    until(t, (int64_t)job_rule_count, "select count(*) from job_schedule");
    sql(t, "update job_schedule set next_at = now() + interval '1 day'");
    until(t, 0, "select count(*) from job where unique_key like '20%%Z'");
}

void break_outbox(bool on)
{
    char path[256], aside[256];
    snprintf(path, sizeof path, "%s/outbox", app_data_folder());
    snprintf(aside, sizeof aside, "%s/outbox.aside", app_data_folder());
    if (on) { /* a file where the folder was */
        (void)rename(path, aside);
        FILE *file = fopen(path, "we");
        assert_non_null(file);
        fclose(file);
        return;
    }
    assert_int_equal(unlink(path), 0);
    (void)rename(aside, path);
}
