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

-- name: presence_tick :one PresenceVersionRow
-- Held until the end of the transaction: one changes presence at a time.
update presence_clock
   set version = version + 1
returning version;

-- name: presence_write :exec
-- Holder $1 has streams of the users $2 or, where $3 is 0, none any more; $4 is
-- the version. Who has some at another holder stays online.
with given as (
  select g.user_id, g.here = 1 as is_here
    from unnest($2::uuid[], $3::integer[]) as g(user_id, here)
    join account using (user_id)
),
let_go as (
  delete from presence_hold h
   using given g
   where h.holder_id = $1
     and h.user_id = g.user_id
     and not g.is_here
),
taken as (
  insert into presence_hold (user_id, holder_id)
  select user_id, $1
    from given
   where is_here
  on conflict (user_id, holder_id) do nothing
)
insert into user_presence as p (user_id, is_online, last_seen_at, version)
select g.user_id,
       g.is_here or exists (select
                              from presence_hold h
                              join presence_holder o using (holder_id)
                             where h.user_id = g.user_id
                               and h.holder_id <> $1
                               and o.expires_at > now()),
       now(),
       $4
  from given g
on conflict (user_id) do update
   set is_online = excluded.is_online,
       last_seen_at = excluded.last_seen_at,
       version = excluded.version
 where p.is_online <> excluded.is_online;

-- name: presence_reap :exec
-- Ends the holders that are dead, $1 the version, $2 the seconds of a lease.
with dead as (
  select holder_id, expires_at - make_interval(secs => $2) as seen_at
    from presence_holder
   where expires_at < now()
     for update skip locked
),
gone as (
  delete from presence_hold h
   using dead d
   where h.holder_id = d.holder_id
  returning h.user_id, d.seen_at
),
buried as (
  delete from presence_holder o
   using dead d
   where o.holder_id = d.holder_id
)
update user_presence p
   set is_online = false,
       last_seen_at = g.seen_at,
       version = $1
  from (select user_id, max(seen_at) as seen_at
          from gone
         group by user_id) g
 where p.user_id = g.user_id
   and p.is_online
   and not exists (select
                     from presence_hold h
                     join presence_holder o using (holder_id)
                    where h.user_id = p.user_id
                      and o.expires_at > now());

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
