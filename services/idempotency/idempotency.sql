-- name: idempotent_reply_find :one IdempotentReplyRow
select request_hash, reply
  from idempotent_reply
 where user_id = $1
   and method = $2
   and key = $3;

-- name: idempotent_reply_seen :exec :write
-- Writes nothing, but as what writes it tells prbal-read-after: who is given a
-- reply again shall see what it speaks of.
select;

-- name: idempotent_reply_claim :one IdempotentClaimRow
-- The first statement of a call's transaction. Not new: a twin has committed,
-- or is at work and holds the lock $5. Nobody waits here: a transaction that
-- waits holds a link.
with turn as materialized (
  select pg_try_advisory_xact_lock($5) as is_mine
),
claimed as (
  insert into idempotent_reply (user_id, method, key, request_hash)
  select $1, $2, $3, $4
    from turn
   where is_mine
  on conflict (user_id, method, key) do nothing
  returning key
)
select exists (select from claimed) as is_new;

-- name: idempotent_reply_keep :exec
-- When the same transaction is about to commit.
update idempotent_reply
   set reply = $4
 where user_id = $1
   and method = $2
   and key = $3;

-- name: idempotent_reply_sweep :exec
-- Deletes what is older than $1 seconds, $2 at a time.
delete from idempotent_reply
 where (user_id, method, key) in (
       select user_id, method, key
         from idempotent_reply
        where created_at < now() - make_interval(secs => $1)
        order by created_at
        limit $2
          for update skip locked);
