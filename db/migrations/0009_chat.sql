-- Rooms, their members and messages. Key space: room_id; only the two-person
-- keys of chat_room and the caller's list in room_member reach across it.
create table chat_room (
  room_id         uuid primary key default uuid7(),
  kind            text not null check (kind in ('DIRECT', 'GROUP', 'CONTEXT')),
  name            text check (length(name) <= 120),
  description     text check (length(description) <= 500),
  is_private      boolean not null default true,
  creator_id      uuid,
  -- The two people of a DIRECT or CONTEXT room, the smaller id first.
  low_id          uuid,
  high_id         uuid,
  service_id      uuid,
  bid_id          uuid,
  booking_id      uuid,
  -- What a CONTEXT room was first opened for.
  context_id      uuid,
  -- The number of messages: the counter that numbers them without gaps.
  last_seq        bigint not null default 0 check (last_seq >= 0),
  -- The latest message's time, or the room's own: the order of the list.
  active_at       timestamptz not null default now(),
  is_active       boolean not null default true,
  created_at      timestamptz not null default now(),
  updated_at      timestamptz not null default now(),
  constraint chat_room_pair check (
    (kind = 'GROUP') = (low_id is null)
    and (low_id is null) = (high_id is null)
    and (low_id is null or low_id < high_id)),
  constraint chat_room_context check ((kind = 'CONTEXT') = (context_id is not null)),
  constraint chat_room_group_name check (kind <> 'GROUP' or name is not null)
) with (fillfactor = 70); -- last_seq changes with every message

create unique index chat_room_one_direct on chat_room (low_id, high_id)
  where kind = 'DIRECT';
create unique index chat_room_one_per_context
  on chat_room (context_id, low_id, high_id)
  where kind = 'CONTEXT';

create table room_member (
  room_id     uuid not null references chat_room on delete cascade,
  user_id     uuid not null references account on delete cascade,
  role        text not null default 'MEMBER' check (role in ('CREATOR', 'MEMBER')),
  -- Everything up to this message is read. Unread messages are counted from
  -- here, never stored.
  read_seq    bigint not null default 0 check (read_seq >= 0),
  read_at     timestamptz,
  added_by    uuid,
  muted_until timestamptz,
  joined_at   timestamptz not null default now(),
  left_at     timestamptz,
  primary key (room_id, user_id)
) with (fillfactor = 80);

create index room_member_rooms on room_member (user_id) where left_at is null;

create table chat_message (
  message_id        uuid primary key default uuid7(),
  room_id           uuid not null references chat_room on delete cascade,
  seq               bigint not null check (seq > 0),
  sender_id         uuid not null references account,
  message_type      text not null check (message_type in
                      ('TEXT', 'IMAGE', 'FILE', 'AUDIO', 'VIDEO', 'SYSTEM')),
  content           text not null check (length(content) <= 8000),
  media_id          uuid,
  reply_to_id       uuid,
  client_message_id text check (length(client_message_id) between 1 and 64),
  moderation_status text not null default 'NONE'
                    check (moderation_status in ('NONE', 'REPORTED', 'HIDDEN')),
  sent_at           timestamptz not null default clock_timestamp(),
  edited_at         timestamptz,
  deleted_at        timestamptz,
  updated_at        timestamptz not null default now(),
  constraint chat_message_seq unique (room_id, seq),
  -- A message that is sent again is the same message.
  constraint chat_message_client_id unique (sender_id, client_message_id)
);
