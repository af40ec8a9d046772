-- The queue as administrators see it.

-- $1 kinds, $2 statuses, each null for all; $3 the job that the page starts
-- behind.
-- fragment: job_filter
($1::text[] is null or kind = any ($1))
          and ($2::text[] is null or status = any ($2))
          and ($3::uuid is null or job_id < $3)
        order by job_id desc
        limit $4;

-- fragment: job_shown
job_id,
       kind,
       status,
       run_at       as run_time,
       attempt,
       attempts_max as max_attempts,
       unique_key,
       last_error,
       created_at   as create_time,
       started_at   as start_time;

-- name: admin_jobs :many Job :replan
-- Ids grow with time, so each half is read backwards along its key.
select j.job_id,
       j.kind,
       j.status,
       j.run_time,
       j.attempt,
       j.max_attempts,
       j.unique_key,
       j.last_error,
       j.create_time,
       j.start_time,
       j.end_time
  from ((select {{job_shown}},
                null::timestamptz as end_time
           from job
          where {{job_filter}})
        union all
        (select {{job_shown}},
                ended_at as end_time
           from job_ended
          where {{job_filter}})) j
 order by j.job_id desc
 limit $4;

-- name: admin_job_by_id :one Job
select {{job_shown}},
       null::timestamptz as end_time
  from job
 where job_id = $1
 union all
select {{job_shown}},
       ended_at as end_time
  from job_ended
 where job_id = $1
 limit 1;

-- name: admin_job_hurry :exec
-- One that waits need not wait any longer.
update job
   set run_at = least(run_at, now())
 where job_id = $1
   and status = 'QUEUED';

-- name: admin_job_revive :exec
-- One that is over and was not done begins anew.
with gone as (
  delete from job_ended
   where job_id = $1
     and status in ('DEAD', 'CANCELLED')
  returning job_id, kind, attempts_max, unique_key, arguments, last_error,
            created_at
)
insert into job (job_id, kind, run_at, attempts_max, unique_key, arguments,
                 last_error, created_at)
select job_id, kind, now(), attempts_max, unique_key, arguments, last_error,
       created_at
  from gone;

-- name: admin_job_cancel :exec
-- Without its row, whoever runs it has lost the lease.
with gone as (
  delete from job
   where job_id = $1
  returning job_id, kind, run_at, attempt, attempts_max, started_at, unique_key,
            arguments, last_error, created_at
)
insert into job_ended (job_id, kind, status, run_at, attempt, attempts_max,
                       started_at, unique_key, arguments, last_error,
                       created_at)
select job_id, kind, 'CANCELLED', run_at, attempt, attempts_max, started_at,
       unique_key, arguments, last_error, created_at
  from gone;

-- name: admin_job_queues :many JobQueue :bounded one row a queue
-- $1 kinds, $2 of each the queue.
select k.queue,
       exists (select from job_pause p where p.queue = k.queue) as is_paused,
       sum(w.waiting)::bigint as waiting_count,
       sum(w.due)::bigint     as due_count,
       sum(w.running)::bigint as running_count,
       sum(w.dead)::bigint    as dead_count,
       min(w.oldest)          as oldest_due_time
  from unnest($1::text[], $2::text[]) as k (kind, queue)
 cross join lateral (
       select (select count(*)
                 from (select
                         from job
                        where kind = k.kind
                          and status = 'QUEUED'
                        limit 1000) c) as waiting,
              (select count(*)
                 from (select
                         from job
                        where kind = k.kind
                          and status = 'QUEUED'
                          and run_at <= now()
                        limit 1000) c) as due,
              (select count(*)
                 from job
                where kind = k.kind
                  and status = 'RUNNING') as running,
              (select count(*)
                 from (select
                         from job_ended
                        where kind = k.kind
                          and status = 'DEAD'
                        limit 1000) c) as dead,
              (select min(run_at)
                 from job
                where kind = k.kind
                  and status = 'QUEUED'
                  and run_at <= now()) as oldest) w
 group by k.queue
 order by k.queue;

-- name: admin_queue_pause :exec
insert into job_pause (queue)
values ($1)
on conflict do nothing;

-- name: admin_queue_resume :exec
delete from job_pause
 where queue = $1;
