-- name: otp_lock :exec :write
-- Codes for one address are asked for one after the other, so that the budget
-- is exact.
select pg_advisory_xact_lock(hashtextextended('otp ' || lower($1::text), 0));

-- name: otp_budget :one OtpBudgetRow :write
-- How long the address must wait for its next code: $2 seconds after the last
-- one, and $3 codes an hour. After otp_lock, with a snapshot of its own.
select coalesce(ceil(extract(epoch from greatest(
         max(created_at) + $2 * interval '1 second',
         case when count(*) >= $3
              then min(created_at) + interval '1 hour'
         end) - clock_timestamp()) * 1000), 0)::bigint as wait_ms
  from (select created_at
          from otp_challenge
         where destination = $1::citext
           and created_at > clock_timestamp() - interval '1 hour'
         order by created_at desc
         limit $3) as sent;

-- name: otp_supersede :exec
update otp_challenge
   set superseded_at = now()
 where destination = $1::citext
   and purpose = $2
   and consumed_at is null
   and superseded_at is null;

-- name: otp_insert :one OtpSentRow
insert into otp_challenge (challenge_id, purpose, channel, destination, user_id,
                           code_hash, expires_at)
values ($1, $2, 'EMAIL', $3::citext, $4, $5,
        clock_timestamp() + $6 * interval '1 second')
returning expires_at                               as expire_time,
          created_at + $7 * interval '1 second'    as resend_time;

-- name: otp_try :one OtpTryRow
-- A try is counted before it is looked at: five guesses side by side are five.
update otp_challenge
   set attempts = attempts + 1
 where destination = $1::citext
   and purpose = $2
   and consumed_at is null
   and superseded_at is null
   and expires_at > now()
   and attempts < 5
returning challenge_id,
          user_id,
          code_hash;

-- name: otp_state :one OtpStateRow
select exists (select 1
                 from otp_challenge
                where destination = $1::citext
                  and purpose = $2
                  and consumed_at is null
                  and superseded_at is null
                  and expires_at > now()
                  and attempts >= 5) as is_exhausted;

-- name: otp_consume :exec
update otp_challenge
   set consumed_at = now()
 where challenge_id = $1
   and consumed_at is null
   and superseded_at is null;

-- name: otp_sweep :exec
delete from otp_challenge
 where challenge_id in (select challenge_id
                          from otp_challenge
                         where expires_at < now() - interval '1 day'
                         limit 10000);
