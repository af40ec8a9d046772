-- What calls with an `idempotency-key` were answered, so that a retry gets the
-- same and does nothing. Key space: user_id.

-- The row is the first thing that the call's transaction writes, its reply comes
-- before the commit: the effect and the row are there together or not at all. No
-- foreign key: its lock on the account would come before the locks of the call
-- itself, in an order of its own.
create table idempotent_reply (
  user_id      uuid not null,
  -- "/prbal.v1.BidService/CreateBid"
  method       text not null,
  key          text not null check (length(key) between 1 and 255),
  -- SHA-256 of the method and the request's fields.
  request_hash bytea not null check (length(request_hash) = 32),
  -- The answer's bytes; null only within the transaction that makes it.
  reply        bytea,
  created_at   timestamptz not null default now(),
  primary key (user_id, method, key)
) with (fillfactor = 70); -- each row is written twice: room beside the first

-- For deleting what is too old.
create index idempotent_reply_age on idempotent_reply (created_at);
