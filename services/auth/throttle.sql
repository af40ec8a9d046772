-- name: login_try :one LoginTryRow
-- Counts a try before it is made: ten tries side by side are ten. At most $2 a
-- minute; after $3 failures in a row none for $4 seconds.
insert into login_throttle as t (bucket, window_started_at, tries, failures)
values ($1, now(), 1, 1)
on conflict (bucket) do update
   set window_started_at = case when t.window_started_at <= now() - interval '1 minute'
                                then now()
                                else t.window_started_at
                           end,
       tries             = case when t.window_started_at <= now() - interval '1 minute'
                                then 1
                                else t.tries + 1
                           end,
       failures          = case when t.locked_until <= now()
                                  or t.updated_at <= now() - $4 * interval '1 second'
                                then 1
                                else t.failures + 1
                           end,
       locked_until      = case when t.locked_until > now()
                                then t.locked_until
                                when t.failures >= $3
                                 and t.locked_until is null
                                 and t.updated_at > now() - $4 * interval '1 second'
                                then now() + $4 * interval '1 second'
                           end,
       updated_at        = now()
returning greatest(0, coalesce(ceil(extract(epoch from greatest(
            t.locked_until,
            case when t.tries > $2
                 then t.window_started_at + interval '1 minute'
            end) - now()) * 1000), 0))::bigint as wait_ms;

-- name: login_succeeded :exec
update login_throttle
   set failures = 0
 where bucket = $1;

-- name: login_unlock :exec
delete from login_throttle
 where bucket = $1;

-- name: login_sweep :exec
delete from login_throttle
 where bucket in (select bucket
                    from login_throttle
                   where updated_at < now() - interval '1 day'
                   limit 10000);
