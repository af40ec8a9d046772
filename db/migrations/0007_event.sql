-- What happened to each user, in order: the log behind EventService.Subscribe.
-- Key space: user_id.

-- One row a user: the counter that numbers the user's events. It is bumped in
-- the transaction that writes the event, so the numbers have no gaps and are in
-- commit order: who reads up to n has seen everything before n.
create table user_event_cursor (
  user_id     uuid primary key references account on delete cascade,
  last_seq    bigint not null default 0,
  -- Events up to here have been deleted for age.
  trimmed_seq bigint not null default 0,
  constraint user_event_cursor_order check (trimmed_seq between 0 and last_seq)
) with (fillfactor = 50); -- room for updates in place

create table user_event (
  user_id    uuid not null references user_event_cursor on delete cascade,
  seq        bigint not null check (seq > 0),
  topic      text not null
             check (topic in ('CHAT', 'NOTIFICATION', 'BID', 'BOOKING')),
  -- A prbal.v1.Event without its event_id.
  payload    bytea not null,
  -- The wall clock under the counter's lock, so it grows with seq.
  created_at timestamptz not null default clock_timestamp(),
  primary key (user_id, seq)
);

-- For deleting what is too old.
create index user_event_age on user_event (created_at);
