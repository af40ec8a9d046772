-- Each event gets a random mark and is chained to the one before it, so that a
-- reader who comes back notices when the log is not the one that it has read:
-- a backup was restored, or a standby took over that had not got all. 0 is an
-- event from before there were marks, and is not compared.
alter table user_event
  add column mark       integer not null default 0,
  -- The mark of the event before this one, also when that is trimmed.
  add column after_mark integer not null default 0;

alter table user_event_cursor
  -- The marks of the last event, and of the last one before its transaction.
  add column last_mark  integer not null default 0,
  add column after_mark integer not null default 0;
