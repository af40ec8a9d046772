-- What others wrote behind the watermark of `m`, up to 100: counted each time,
-- so that it cannot drift.
-- fragment: unread
(select count(*)::integer
          from (select 1
                  from chat_message u
                 where u.room_id = m.room_id
                   and u.seq > m.read_seq
                   and u.sender_id <> m.user_id
                   and u.deleted_at is null
                 limit 100) unread);

-- A room as its member `m` sees it.
-- fragment: room_columns
r.room_id,
       r.kind,
       case r.kind when 'DIRECT' then peer.full_name else r.name end as name,
       r.description,
       r.is_private,
       r.creator_id,
       r.service_id,
       r.bid_id,
       r.booking_id,
       peer.user_id      as "peer.user_id",
       peer.full_name    as "peer.full_name",
       peer.user_type    as "peer.user_type",
       pp.avatar_url     as "peer.avatar_url",
       pp.rating_avg     as "peer.rating_avg",
       pp.total_reviews  as "peer.total_reviews",
       (select count(*)::integer
          from room_member o
         where o.room_id = r.room_id
           and o.left_at is null) as members_count,
       r.last_seq,
       latest.message_id   as "latest_message.message_id",
       latest.sender_id    as "latest_message.sender_id",
       case when latest.deleted_at is null then left(latest.content, 200)
            else 'This message has been deleted'
        end                as "latest_message.content",
       latest.message_type as "latest_message.message_type",
       latest.sent_at      as "latest_message.send_time",
       {{unread}} as unread_count,
       m.read_seq          as last_read_seq,
       r.created_at        as create_time,
       r.active_at         as update_time;

-- fragment: room_tables
room_member m
  join chat_room r on r.room_id = m.room_id and r.is_active
  left join account peer
    on peer.user_id = case m.user_id when r.low_id then r.high_id
                                     when r.high_id then r.low_id end
  left join profile pp on pp.user_id = peer.user_id
  left join chat_message latest
    on latest.room_id = r.room_id and latest.seq = r.last_seq;

-- name: chat_person :one ChatPersonRow
select user_id, full_name, user_type
  from account
 where user_id = $1
   and account_status = 'ACTIVE';

-- name: room_direct_of :one ChatRoomIdRow
select room_id, false as is_new
  from chat_room
 where kind = 'DIRECT'
   and low_id = least($1::uuid, $2::uuid)
   and high_id = greatest($1::uuid, $2::uuid);

-- name: room_open_direct :one ChatRoomIdRow
-- No row when the two have a room already: a twin that is just being opened is
-- waited for.
with opened as (
  insert into chat_room (kind, creator_id, low_id, high_id)
  values ('DIRECT', $1, least($1::uuid, $2::uuid), greatest($1::uuid, $2::uuid))
  on conflict (low_id, high_id) where kind = 'DIRECT' do nothing
  returning room_id
),
joined as (
  insert into room_member (room_id, user_id, role, added_by)
  select room_id, person, case person when $1 then 'CREATOR' else 'MEMBER' end,
         $1
    from opened
   cross join unnest(array[$1::uuid, $2::uuid]) person
)
select room_id, true as is_new
  from opened;

-- name: room_open_context :one ChatRoomIdRow
-- $1, $2 the people, $3 the title, $4 service, $5 bid, $6 booking. The room
-- stays the same when a bid becomes a booking.
insert into chat_room as r
       (kind, name, low_id, high_id, service_id, bid_id, booking_id, context_id)
values ('CONTEXT', $3, least($1::uuid, $2::uuid), greatest($1::uuid, $2::uuid),
        $4::uuid, $5::uuid, $6::uuid,
        coalesce($5::uuid, $6::uuid, $4::uuid))
on conflict (context_id, low_id, high_id) where kind = 'CONTEXT' do update
   set service_id = coalesce(r.service_id, excluded.service_id),
       bid_id = coalesce(r.bid_id, excluded.bid_id),
       booking_id = coalesce(r.booking_id, excluded.booking_id),
       updated_at = now()
returning room_id, xmax = 0 as is_new;

-- name: room_join :exec
insert into room_member (room_id, user_id)
select $1, person
  from unnest(array[$2::uuid, $3::uuid]) person
    on conflict (room_id, user_id) do nothing;

-- name: room_by_id :one ChatRoom
select {{room_columns}}
  from {{room_tables}}
 where m.room_id = $1
   and m.user_id = $2
   and m.left_at is null;

-- $1 the caller; $2 kind, $3 booking, $4 service, $5 a part of the name narrow.
-- fragment: room_filter
m.user_id = $1
   and m.left_at is null
   and ($2::text is null or r.kind = $2)
   and ($3::uuid is null or r.booking_id = $3)
   and ($4::uuid is null or r.service_id = $4)
   and ($5::text is null
        or position(lower($5) in lower(
             case r.kind when 'DIRECT' then peer.full_name
                         else r.name end)) > 0);

-- name: rooms_count :one ChatCountRow :replan
-- Up to $6; counting on would cost more than anybody gains.
select count(*) as total
  from (select
          from {{room_tables}}
         where {{room_filter}}
         limit $6) counted;

-- name: room_list :many ChatRoom :replan
-- $6, $7 the row that the page starts behind.
select {{room_columns}}
  from {{room_tables}}
 where {{room_filter}}
   and ($6::timestamptz is null or (r.active_at, r.room_id) < ($6, $7::uuid))
 order by r.active_at desc, r.room_id desc
 limit $8;

-- name: room_membership :one ChatMembershipRow
select r.room_id, r.kind, r.name, r.last_seq, m.read_seq
  from room_member m
  join chat_room r on r.room_id = m.room_id and r.is_active
 where m.room_id = $1
   and m.user_id = $2
   and m.left_at is null;

-- name: room_lock :one ChatMembershipRow
-- The room's row is held until the end of the transaction: its messages are
-- written one after the other.
select r.room_id, r.kind, r.name, r.last_seq, m.read_seq
  from room_member m
  join chat_room r on r.room_id = m.room_id and r.is_active
 where m.room_id = $1
   and m.user_id = $2
   and m.left_at is null
   for no key update of r;

-- name: room_reader_lock :one ChatMembershipRow
-- The same for the reader's watermark.
select r.room_id, r.kind, r.name, r.last_seq, m.read_seq
  from room_member m
  join chat_room r on r.room_id = m.room_id and r.is_active
 where m.room_id = $1
   and m.user_id = $2
   and m.left_at is null
   for no key update of m;

-- name: room_members :many ChatMemberRow
select m.user_id, a.full_name,
       coalesce(m.muted_until > now(), false) as is_muted
  from room_member m
  join account a on a.user_id = m.user_id
 where m.room_id = $1
   and m.left_at is null
 order by m.user_id
 limit 1000;

-- name: room_mark_read :exec
-- The watermark never goes back.
update room_member
   set read_seq = $3,
       read_at = now()
 where room_id = $1
   and user_id = $2
   and left_at is null
   and read_seq < $3;

-- name: room_unread :one RoomUnread
select m.room_id, {{unread}} as unread_count
  from room_member m
 where m.room_id = $1
   and m.user_id = $2
   and m.left_at is null;

-- name: rooms_unread :many RoomUnread
select counted.room_id, counted.unread_count
  from (select m.room_id, r.active_at, {{unread}} as unread_count
          from room_member m
          join chat_room r on r.room_id = m.room_id and r.is_active
         where m.user_id = $1
           and m.left_at is null
           and m.read_seq < r.last_seq) counted
 where counted.unread_count > 0
 order by counted.active_at desc, counted.room_id desc
 limit 500;
