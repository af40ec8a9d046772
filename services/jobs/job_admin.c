/* AdminService, as far as it is about jobs. */
#include "prbal/v1/admin.rpc.h"
#include "rpc/enum_name.h"
#include "services/audit.h"
#include "services/jobs/job_admin.sql.h"
#include "services/jobs/jobs.h"
#include "services/page.h"

#include <string.h>

enum { JOBS_DEFAULT = 20 };

/* What the table does not have: it follows from the kind. */
static void name_queue(Job *job)
{
    job_type kind = job_kind_of(job->kind);
    job->queue = kind == JOB_KIND_COUNT ? "" : job_kinds[kind].queue;
}

static rpc_status read_job(struct db *db, const char *id, Job **job)
{
    TRY(db_one(db, &admin_job_by_id, job, db_text(id)));
    name_queue(*job);
    return RPC_SUCCESS;
}

/* ---- Looking. */

/* The kinds that a request is about; *all when it names neither queue nor
 * kind. */
static size_t kinds_asked_for(const ListJobsRequest *req,
                              const char *kinds[JOB_KIND_COUNT], bool *all)
{
    size_t count = 0;
    *all = req->queue[0] == '\0' && req->kind[0] == '\0';
    for (int i = 0; i < JOB_KIND_COUNT; i++) {
        bool is_in =
            (req->queue[0] == '\0' ||
             strcmp(job_kinds[i].queue, req->queue) == 0) &&
            (req->kind[0] == '\0' || strcmp(job_kinds[i].name, req->kind) == 0);
        if (is_in)
            kinds[count++] = job_kinds[i].name;
    }
    return count;
}

static rpc_status read_queues(struct db *db, size_t *count, JobQueue ***queues)
{
    const char *kinds[JOB_KIND_COUNT], *of_queues[JOB_KIND_COUNT];
    for (int i = 0; i < JOB_KIND_COUNT; i++) {
        kinds[i] = job_kinds[i].name;
        of_queues[i] = job_kinds[i].queue;
    }
    return db_many(db, &admin_job_queues, count, queues,
                   db_texts(kinds, JOB_KIND_COUNT),
                   db_texts(of_queues, JOB_KIND_COUNT));
}

rpc_status admin_list_jobs(struct rpc_call *call, const ListJobsRequest *req,
                           ListJobsResponse *res)
{
    struct page page;
    const char *kinds[JOB_KIND_COUNT];
    bool all;
    TRY(page_open(call, &req->base, JOBS_DEFAULT, &page));
    size_t count = kinds_asked_for(req, kinds, &all);
    TRY(db_many(call->db, &admin_jobs, &res->n_jobs, &res->jobs,
                all ? db_null() : db_texts(kinds, count),
                db_enums_or_all(call->arena, JOB_STATUS_DESCRIPTOR,
                                req->statuses, req->n_statuses),
                page_text(&page, 0), page_limit(&page)));
    for (size_t i = 0; i < res->n_jobs; i++)
        name_queue(res->jobs[i]);
    if (page_cut(&page, &res->n_jobs))
        res->next_page_token =
            page_next(call, &page, res->jobs[res->n_jobs - 1]->job_id);
    if (page.key_count > 0)
        return RPC_SUCCESS;
    return read_queues(call->db, &res->n_queues, &res->queues);
}

rpc_status admin_get_job(struct rpc_call *call, const GetJobRequest *req,
                         GetJobResponse *res)
{
    return read_job(call->db, req->job_id, &res->job);
}

/* ---- Stepping in. */

static rpc_status wrong_state(struct rpc_call *call, const Job *job,
                              const char *verb)
{
    return rpc_fail_reason(call, RPC_FAILED_PRECONDITION, "WRONG_STATE",
                           "cannot %s a job that is %s", verb,
                           enum_name(JOB_STATUS_DESCRIPTOR, job->status));
}

rpc_status admin_retry_job(struct rpc_call *call, const RetryJobRequest *req,
                           RetryJobResponse *res)
{
    struct db *tx;
    int64_t hurried = 0, revived = 0;
    TRY(db_begin(call->db, &tx));
    TRY(db_exec(tx, &admin_job_hurry, &hurried, db_text(req->job_id)));
    if (hurried == 0)
        TRY(db_exec(tx, &admin_job_revive, &revived, db_text(req->job_id)));
    TRY(read_job(tx, req->job_id, &res->job));
    if (hurried + revived == 0)
        return wrong_state(call, res->job, "retry");
    TRY(audit(tx, "job.retried", "Job", req->job_id, NULL));
    job_wake_at_commit(tx);
    return db_commit(tx);
}

rpc_status admin_cancel_job(struct rpc_call *call, const CancelJobRequest *req,
                            CancelJobResponse *res)
{
    struct db *tx;
    int64_t cancelled;
    TRY(db_begin(call->db, &tx));
    TRY(db_exec(tx, &admin_job_cancel, &cancelled, db_text(req->job_id)));
    TRY(read_job(tx, req->job_id, &res->job));
    if (cancelled == 0)
        return res->job->status == JOB_STATUS_CANCELLED
                   ? db_commit(tx)
                   : wrong_state(call, res->job, "cancel");
    TRY(audit(tx, "job.cancelled", "Job", req->job_id, NULL));
    return db_commit(tx);
}

static rpc_status read_queue(struct db *db, const char *name, JobQueue **queue)
{
    size_t count;
    JobQueue **queues;
    TRY(read_queues(db, &count, &queues));
    for (size_t i = 0; i < count; i++)
        if (strcmp(queues[i]->queue, name) == 0)
            *queue = queues[i];
    return RPC_SUCCESS;
}

rpc_status admin_pause_queue(struct rpc_call *call,
                             const PauseQueueRequest *req,
                             PauseQueueResponse *res)
{
    if (!job_queue_is_known(req->queue))
        return rpc_fail_field(call, "queue", "no job has the queue \"%s\"",
                              req->queue);
    struct db *tx;
    int64_t changed;
    TRY(db_begin(call->db, &tx));
    TRY(db_exec(tx, req->paused ? &admin_queue_pause : &admin_queue_resume,
                &changed, db_text(req->queue)));
    if (changed > 0)
        TRY(audit(tx, req->paused ? "queue.paused" : "queue.resumed", "Queue",
                  req->queue, NULL));
    TRY(read_queue(tx, req->queue, &res->queue));
    job_wake_at_commit(tx);
    return db_commit(tx);
}
