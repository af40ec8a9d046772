-- Work that is done after the call that asked for it. Key space: job_id.

-- Numbers that fence: each taking of a job draws a new one, and whoever ends the
-- job has to show it.
create sequence job_lease;

-- Jobs that wait or run. What is over moves to job_ended at once, so this table
-- stays as small as the backlog is.
create table job (
  job_id       uuid        primary key default uuid7(),
  kind         text        not null,
  status       text        not null default 'QUEUED',
  run_at       timestamptz not null,
  attempt      smallint    not null default 0,
  attempts_max smallint    not null,
  lease        bigint      not null default 0,
  worker_id    uuid,
  started_at   timestamptz,
  -- Of all jobs of a kind that wait or run, one has this key.
  unique_key   text,
  -- A message of the kind's own.
  arguments    bytea       not null,
  last_error   text        not null default '',
  created_at   timestamptz not null default clock_timestamp(),

  constraint job_status_is_known check (status in ('QUEUED', 'RUNNING')),
  constraint job_is_run_by_somebody check (
    (status = 'RUNNING') = (worker_id is not null)),
  constraint job_attempts_are_sane check (
    attempts_max > 0 and attempt between 0 and attempts_max),
  constraint job_texts_are_bounded check (
    length(kind) <= 60 and length(unique_key) <= 200
    and length(last_error) <= 1000 and octet_length(arguments) <= 1048576)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0,
        autovacuum_vacuum_threshold = 1000);

create index job_due on job (kind, run_at) where status = 'QUEUED';
create index job_running on job (worker_id) where status = 'RUNNING';
create unique index job_is_unique on job (kind, unique_key)
  where unique_key is not null;

comment on index job_is_unique is
  'FAILED_PRECONDITION JOB_WAITS: Another job with the same key waits already.';

-- Jobs that are over, for who wants to know what happened. The arguments stay
-- with those that can be run again.
create table job_ended (
  job_id       uuid        primary key,
  kind         text        not null,
  status       text        not null,
  run_at       timestamptz not null,
  attempt      smallint    not null,
  attempts_max smallint    not null,
  started_at   timestamptz,
  unique_key   text,
  arguments    bytea,
  last_error   text        not null,
  created_at   timestamptz not null,
  ended_at     timestamptz not null default clock_timestamp(),

  constraint job_end_is_known check (
    status in ('SUCCEEDED', 'DEAD', 'CANCELLED'))
);
create index job_ended_by_kind on job_ended (kind, job_id desc);
create index job_ended_by_age on job_ended (ended_at);
create index job_dead on job_ended (job_id desc) where status = 'DEAD';

-- Processes that run jobs. One that has not renewed its row in time is taken for
-- gone, and its jobs are taken from it: one row a process is renewed, however
-- many jobs it runs.
create table job_worker (
  worker_id  uuid        primary key,
  expires_at timestamptz not null
) with (fillfactor = 50);

-- Jobs that come round by the clock: every so many seconds, or at a time of day
-- in a zone, on one day of the week (ISO: Monday is 1) or on all. Who moves
-- next_at on enqueues the tick, so each comes once.
create table job_schedule (
  kind          text        primary key,
  every_seconds integer     check (every_seconds > 0),
  time_of_day   time,
  weekday       smallint    check (weekday between 1 and 7),
  zone          text        not null check (timezone_is_known(zone)),
  next_at       timestamptz not null,

  constraint job_schedule_has_one_rule check (
    (every_seconds is null) <> (time_of_day is null))
);

-- The first tick after a moment. Where a change of the clocks leaves a time of
-- day out, its tick comes an hour later; where it comes twice, once.
create function job_next_tick(after timestamptz, every_seconds integer,
                              time_of_day time, weekday smallint, zone text)
  returns timestamptz
  language sql stable
as $$
  select case when every_seconds is not null
         then to_timestamp((floor(extract(epoch from after) / every_seconds) + 1)
                           * every_seconds)
         else (select min((d.day + time_of_day) at time zone zone)
                 from (select (after at time zone zone)::date + n as day
                         from generate_series(0, 8) n) d
                where (d.day + time_of_day) at time zone zone > after
                  and (weekday is null
                       or extract(isodow from d.day) = weekday)) end
$$;

-- What ends by the clock is found by it.
create index bid_by_expiry on bid (expires_at)
  where status in ('REQUESTED', 'PENDING', 'COUNTERED');
create index service_needed_until on service (deadline)
  where status = 'OPEN' and kind = 'NEEDED';
create index booking_pending_by_start on booking (start_at)
  where status = 'PENDING';

-- Queues that stand still until they are let go on.
create table job_pause (
  queue     text        primary key check (length(queue) <= 60),
  paused_at timestamptz not null default now()
);
