-- name: presence_renew :one PresenceLeaseRow :write
-- Keeps holder $1 for $2 more seconds, unless that is too late.
with kept as (
  update presence_holder
     set expires_at = now() + make_interval(secs => $2)
   where holder_id = $1
     and expires_at > now()
  returning holder_id
)
select exists (select from kept) as is_kept,
       exists (select from presence_holder where expires_at < now()) as has_dead;

-- name: presence_register :exec
insert into presence_holder (holder_id, expires_at)
values ($1, now() + make_interval(secs => $2));

-- name: presence_write :exec :write
-- Holder $1 has streams of the users $2 or, where $3 is 0, none any more.
select presence_write($1, $2::uuid[], $3::integer[]);

-- name: presence_reap :exec :write
-- Ends the holders that are dead; $1 the seconds of a lease.
select presence_reap(make_interval(secs => $1));

-- name: presence_version :one PresenceVersionRow
select version
  from presence_clock;

-- name: presence_news :many PresenceNewsRow
-- What changed behind version $1 and user $2, and who may know of it: those who
-- share a room with the user.
select p.user_id,
       a.full_name,
       p.is_online,
       p.last_seen_at as last_seen_time,
       p.version,
       w.watcher_ids
  from user_presence p
  join account a using (user_id)
 cross join lateral (
       select array_agg(distinct o.user_id) as watcher_ids
         from room_member m
         join chat_room r on r.room_id = m.room_id and r.is_active
         join room_member o on o.room_id = m.room_id and o.left_at is null
        where m.user_id = p.user_id
          and m.left_at is null
          and o.user_id <> p.user_id) w
 where (p.version, p.user_id) > ($1::bigint, $2::uuid)
 order by p.version, p.user_id
 limit $3;

-- name: presence_of_others :many UserPresence
-- Of the users $2 those with whom $1 shares a room. The lease counts, not what
-- was told last.
select a.user_id,
       case when s.is_online then 'ONLINE' else 'OFFLINE' end as status,
       case when not s.is_online then p.last_seen_at end as last_seen_time
  from account a
 cross join lateral (
       select exists (select
                        from presence_hold h
                        join presence_holder o using (holder_id)
                       where h.user_id = a.user_id
                         and o.expires_at > now()) as is_online) s
  left join user_presence p on p.user_id = a.user_id
 where a.user_id = any ($2::uuid[])
   and exists (select
                 from room_member m
                 join chat_room r on r.room_id = m.room_id and r.is_active
                 join room_member o on o.room_id = m.room_id
                where m.user_id = $1
                  and m.left_at is null
                  and o.user_id = a.user_id
                  and o.left_at is null)
 limit 100;
