-- Who is online: whoever has an event stream somewhere, by lease. Nothing here
-- depends on hearing that a connection or a process has ended. Key space:
-- user_id; presence_clock and presence_holder are one for all.

-- One row. Whoever changes presence_hold or user_presence bumps it first, so
-- that versions are in the order of the commits: who has read up to n has seen
-- everything before n. Writers come a few times a second from each process.
create table presence_clock (
  is_only boolean primary key default true check (is_only),
  version bigint not null default 0
) with (fillfactor = 10);
insert into presence_clock default values;

-- A loop of a process, alive for as long as it renews this.
create table presence_holder (
  holder_id  uuid primary key,
  expires_at timestamptz not null
) with (fillfactor = 50);

-- The user has streams there.
create table presence_hold (
  user_id   uuid not null references account on delete cascade,
  holder_id uuid not null references presence_holder on delete cascade,
  primary key (user_id, holder_id)
);
create index presence_hold_holder on presence_hold (holder_id);

-- What was told of the user last.
create table user_presence (
  user_id      uuid primary key references account on delete cascade,
  is_online    boolean not null,
  last_seen_at timestamptz not null,
  version      bigint not null -- of presence_clock, when it changed
);
create index user_presence_version on user_presence (version, user_id);
