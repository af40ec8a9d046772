-- The queue as its own workers see it.  All times are the database's: a server
-- whose clock is wrong runs jobs when everybody does.

-- name: job_insert :exec
-- One row for each element; $3 "" is no key.  A job whose key is taken is
-- dropped.
insert into job (job_id, kind, unique_key, arguments, run_at, attempts_max)
select j.job_id,
       j.kind,
       nullif(j.unique_key, ''),
       j.arguments,
       greatest(to_timestamp(j.run_us / 1000000.0), now()),
       j.attempts_max
  from unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[], $5::bigint[],
              $6::int[])
       as j (job_id, kind, unique_key, arguments, run_us, attempts_max)
on conflict (kind, unique_key) where unique_key is not null do nothing;

-- name: job_fetch :many JobRow :bounded by $5
-- Takes due jobs, oldest first: $2 kinds that this process knows, $3 of each the
-- queue, $4 how many of it may be taken, $5 how many of all.  A kind with a long
-- backlog keeps no other from being seen.
with room as (
  select k.kind, k.room
    from unnest($2::text[], $3::text[], $4::int[]) as k (kind, queue, room)
   where not exists (select from job_pause p where p.queue = k.queue)
), due as (
  select d.job_id
    from room
   cross join lateral (
         select j.job_id, j.run_at
           from job j
          where j.kind = room.kind
            and j.status = 'QUEUED'
            and j.run_at <= now()
          order by j.run_at
          limit room.room
            for update skip locked
         ) d
   order by d.run_at
   limit $5
)
update job j
   set status     = 'RUNNING',
       attempt    = j.attempt + 1,
       lease      = nextval('job_lease'),
       worker_id  = $1,
       started_at = now()
  from due
 where j.job_id = due.job_id
returning j.job_id,
          j.kind,
          j.lease,
          j.attempt,
          j.attempts_max,
          j.arguments;

-- name: job_next :one JobNextRow :read
-- When to look again: $1 kinds, $2 of each the queue.
select (extract(epoch from min(w.at) - now()) * 1000)::bigint as wait_ms
  from (select (select min(j.run_at)
                  from job j
                 where j.kind = k.kind
                   and j.status = 'QUEUED'
                   and j.run_at > now()) as at
          from unnest($1::text[], $2::text[]) as k (kind, queue)
        union all
        select min(s.next_at)
          from job_schedule s
         where s.kind = any ($1)) w;

-- What is over moves out of the way.  Arguments are kept with what can be run
-- again.
-- fragment: ended_columns
job_id, kind, status, run_at, attempt, attempts_max, started_at, unique_key,
        arguments, last_error, created_at;

-- fragment: kept_columns
job.job_id, job.kind, job.run_at, job.attempt, job.attempts_max,
            job.started_at, job.unique_key, job.arguments, job.created_at;

-- name: job_succeed :exec
-- In the transaction of the job's effect.  No row: the lease ($2) is lost, and
-- whoever has it now does the work; this transaction must not commit.
with gone as (
  delete from job
   where job_id = $1
     and lease = $2
     and status = 'RUNNING'
  returning {{kept_columns}}
)
insert into job_ended ({{ended_columns}})
select job_id, kind, 'SUCCEEDED', run_at, attempt, attempts_max, started_at,
       unique_key, null, '', created_at
  from gone;

-- name: job_snooze :exec
-- The same for a job that is to go on later, in $3 milliseconds; this was no
-- attempt.
update job
   set status    = 'QUEUED',
       attempt   = attempt - 1,
       run_at    = now() + $3::bigint * interval '1 millisecond',
       worker_id = null
 where job_id = $1
   and lease = $2
   and status = 'RUNNING';

-- name: job_settle :exec
-- How runs ended that did not end in a transaction of their own: $1 ids, $2
-- leases, $3 DONE, FAILED, LATER or BACK, $4 milliseconds to wait before the
-- next try, $5 what went wrong.  BACK and LATER were no attempts.
with mine as (
  select j.job_id,
         r.outcome,
         r.delay_ms,
         left(r.error, 1000) as error,
         case when r.outcome = 'DONE' then 'SUCCEEDED'
              when r.outcome = 'FAILED' and j.attempt >= j.attempts_max
              then 'DEAD'
              else 'QUEUED' end as becomes
    from unnest($1::uuid[], $2::bigint[], $3::text[], $4::bigint[], $5::text[])
         as r (job_id, lease, outcome, delay_ms, error)
    join job j on j.job_id = r.job_id
   where j.lease = r.lease
     and j.status = 'RUNNING'
   order by j.job_id
     for update of j
), again as (
  update job j
     set status     = 'QUEUED',
         attempt    = j.attempt - (m.outcome <> 'FAILED')::int,
         run_at     = now() + m.delay_ms * (1 + random() * 0.25)
                              * interval '1 millisecond',
         last_error = case when m.error = '' then j.last_error
                           else m.error end,
         worker_id  = null
    from mine m
   where j.job_id = m.job_id
     and m.becomes = 'QUEUED'
), gone as (
  delete from job
   using mine m
   where job.job_id = m.job_id
     and m.becomes <> 'QUEUED'
  returning {{kept_columns}},
            m.becomes,
            m.error
)
insert into job_ended ({{ended_columns}})
select job_id, kind, becomes, run_at, attempt, attempts_max, started_at,
       unique_key, case when becomes = 'DEAD' then arguments end,
       error, created_at
  from gone;

-- name: job_beat :exec
-- A sign of life of the worker ($1), good for $2 milliseconds.  Jobs that it
-- was given and does not know of ($3: the leases that it has) go back: their
-- fetch was answered into a broken connection.
with beat as (
  insert into job_worker (worker_id, expires_at)
  values ($1, now() + $2::bigint * interval '1 millisecond')
  on conflict (worker_id) do update
     set expires_at = excluded.expires_at
), tidy as (
  delete from job_worker
   where expires_at < now() - interval '1 hour'
)
update job
   set status    = 'QUEUED',
       attempt   = attempt - 1,
       run_at    = now(),
       worker_id = null
 where worker_id = $1
   and status = 'RUNNING'
   and lease <> all ($3::bigint[]);

-- name: job_leave :exec
-- The worker is gone; whatever it still had is anybody's.
delete from job_worker
 where worker_id = $1;

-- name: job_rescue :exec
-- Jobs of workers that are gone run again at once, elsewhere, or are dead when
-- this was the last attempt: a job that ends its process must not do so for
-- ever.
with lost as (
  select j.job_id,
         j.attempt >= j.attempts_max as is_last
    from job j
   where j.status = 'RUNNING'
     and not exists (select
                       from job_worker w
                      where w.worker_id = j.worker_id
                        and w.expires_at > now())
   order by j.job_id
   limit 500
     for update skip locked
), again as (
  update job j
     set status     = 'QUEUED',
         run_at     = now(),
         last_error = 'The process that ran it was lost.',
         worker_id  = null
    from lost
   where j.job_id = lost.job_id
     and not lost.is_last
), gone as (
  delete from job
   using lost
   where job.job_id = lost.job_id
     and lost.is_last
  returning {{kept_columns}}
)
insert into job_ended ({{ended_columns}})
select job_id, kind, 'DEAD', run_at, attempt, attempts_max, started_at,
       unique_key, arguments, 'The process that ran it was lost.', created_at
  from gone;

-- name: job_schedule_put :exec
-- What the program says of its periodic jobs, an array element each: $2 seconds
-- (0: none), $3 a time of day (""), $4 a day of the week (0: all).  A rule that
-- has not changed keeps its next tick.
insert into job_schedule as s
       (kind, every_seconds, time_of_day, weekday, zone, next_at)
select r.kind, r.every_seconds, r.time_of_day, r.weekday, $5,
       job_next_tick(now(), r.every_seconds, r.time_of_day, r.weekday, $5)
  from (select u.kind,
               nullif(u.every_seconds, 0)::int as every_seconds,
               nullif(u.time_of_day, '')::time as time_of_day,
               nullif(u.weekday, 0)::smallint as weekday
          from unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[])
               as u (kind, every_seconds, time_of_day, weekday)) r
on conflict (kind) do update
   set every_seconds = excluded.every_seconds,
       time_of_day   = excluded.time_of_day,
       weekday       = excluded.weekday,
       zone          = excluded.zone,
       next_at       = excluded.next_at
 where (s.every_seconds, s.time_of_day, s.weekday, s.zone)
       is distinct from
       (excluded.every_seconds, excluded.time_of_day, excluded.weekday,
        excluded.zone);

-- name: job_tick :exec
-- Enqueues the ticks that are due, of kinds $1 with at most $2 attempts.  Rivals
-- pass over each other's rows, and who comes later finds next_at moved on.  Of
-- ticks that were missed, the last one is made up for.
with due as (
  select s.kind, s.next_at
    from job_schedule s
   where s.kind = any ($1)
     and s.next_at <= now()
   order by s.kind
   limit 100
     for update skip locked
), moved as (
  update job_schedule s
     set next_at = job_next_tick(now(), s.every_seconds, s.time_of_day,
                                 s.weekday, s.zone)
    from due
   where s.kind = due.kind
)
insert into job (kind, unique_key, arguments, run_at, attempts_max)
select due.kind,
       to_char(due.next_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
       '',
       now(),
       k.attempts_max
  from due
  join unnest($1, $2::int[]) as k (kind, attempts_max) on k.kind = due.kind
on conflict (kind, unique_key) where unique_key is not null do nothing;

-- name: job_purge :exec
-- Forgets what ended longer than $1 seconds ago, a bite at a time.
delete from job_ended
 where job_id in (select job_id
                    from job_ended
                   where ended_at < now() - $1::float8 * interval '1 second'
                   order by ended_at
                   limit $2);

-- name: job_depths :many JobDepthRow :bounded one row a kind
-- How many jobs of each kind ($1) are due, counted to 1,000, and for how long
-- the oldest has been.
select k.kind,
       (select count(*)
          from (select
                  from job j
                 where j.kind = k.kind
                   and j.status = 'QUEUED'
                   and j.run_at <= now()
                 limit 1000) counted) as due_count,
       coalesce((select extract(epoch from now() - min(j.run_at))::bigint
                   from job j
                  where j.kind = k.kind
                    and j.status = 'QUEUED'
                    and j.run_at <= now()), 0) as oldest_seconds
  from unnest($1::text[]) as k (kind)
 order by k.kind;
