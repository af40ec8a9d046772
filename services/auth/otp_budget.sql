-- name: otp_budget_lock :exec :write
-- Sends that count in one bucket are counted one after the other, so that the
-- budget is exact.
select pg_advisory_xact_lock(hashtextextended('otp_budget ' || $1::text, 0));

-- name: otp_budget_take :one OtpBudgetRow :write
-- Counts a send in bucket $1 unless $2 of them went out in the last hour; $3
-- false only looks. How long to wait otherwise. After otp_budget_lock, with a
-- snapshot of its own. A minute counts until all of it is an hour ago.
with last_hour as (
  select coalesce(sum(sent), 0) as sent,
         min(minute)            as since
    from otp_budget
   where bucket = $1
     and minute >= date_trunc('minute', clock_timestamp()) - interval '1 hour'
), taken as (
  insert into otp_budget as b (bucket, minute, sent)
  select $1, date_trunc('minute', clock_timestamp()), 1
    from last_hour
   where sent < $2::bigint
     and $3::boolean
      on conflict (bucket, minute) do update
     set sent = b.sent + 1
)
select case when sent < $2::bigint then 0
            else ceil(extract(epoch from coalesce(since, clock_timestamp())
                   + interval '61 minutes' - clock_timestamp()) * 1000)
       end::bigint as wait_ms
  from last_hour;

-- name: otp_budget_sweep :exec
delete from otp_budget
 where (bucket, minute) in (select bucket, minute
                              from otp_budget
                             where minute < now() - interval '2 hours'
                             limit 10000);
