-- name: event_write :many EventCursorRow :bounded one row for each user given
-- Writes a transaction's events in one go. Counters are bumped in user-id
-- order, so that writers queue and never wait for each other in a circle. A
-- user's events keep the order in which they are given, and each is chained to
-- the one before it by that one's mark.
with marked as materialized (
  select user_id, topic, payload, place,
         1 + floor(random() * 2147483646)::integer as mark
    from unnest($1::uuid[], $2::text[], $3::bytea[])
         with ordinality as g(user_id, topic, payload, place)
),
given as (
  select user_id, topic, payload, mark,
         row_number() over by_user as nth,
         lag(mark) over by_user as after_mark,
         count(*) over (partition by user_id) as many
    from marked
  window by_user as (partition by user_id order by place)
),
bumped as (
  insert into user_event_cursor as c (user_id, last_seq, last_mark)
  select user_id, many, mark
    from given
   where nth = many
   order by user_id
  on conflict (user_id) do update
     set last_seq = c.last_seq + excluded.last_seq,
         after_mark = c.last_mark,
         last_mark = excluded.last_mark
  returning user_id, last_seq, after_mark
),
written as (
  insert into user_event (user_id, seq, topic, payload, mark, after_mark)
  select g.user_id, b.last_seq - g.many + g.nth, g.topic, g.payload, g.mark,
         coalesce(g.after_mark, b.after_mark)
    from given g
    join bumped b using (user_id)
   order by g.user_id, g.nth
)
select user_id, last_seq
  from bumped;

-- name: event_cursor :one EventCursorRow
select user_id, last_seq, last_mark, trimmed_seq
  from user_event_cursor
 where user_id = $1;

-- name: event_cursors :many EventCursorRow
-- The safety poll: where the logs of these users stand. Who has none is at 0: it
-- may be gone, as after a restore.
select user_id,
       coalesce(c.last_seq, 0)    as last_seq,
       coalesce(c.last_mark, 0)   as last_mark,
       coalesce(c.trimmed_seq, 0) as trimmed_seq
  from unnest($1::uuid[]) as asked(user_id)
  left join user_event_cursor c using (user_id)
 limit 2000;

-- name: event_read :many EventRow
-- The next events of one log.
select user_id, seq, topic, payload, mark, after_mark
  from user_event
 where user_id = $1
   and seq > $2
 order by seq
 limit $3;

-- name: event_read_many :many EventRow
-- The next events of many logs, each from its own position.
select e.user_id, e.seq, e.topic, e.payload, e.mark, e.after_mark
  from unnest($1::uuid[], $2::bigint[]) as wanted(user_id, position)
 cross join lateral (
       select user_id, seq, topic, payload, mark, after_mark
         from user_event
        where user_id = wanted.user_id
          and seq > wanted.position
        order by seq
        limit $3) e
 order by e.user_id, e.seq;

-- name: event_trim :exec
-- Deletes events older than $1 seconds, $2 at a time, always a log's oldest.
-- A counter that somebody is bumping is left for the next round: this never
-- waits for a lock, so it is never part of a deadlock.
with expired as (
  select user_id, max(seq) as seq
    from (select user_id, seq
            from user_event
           where created_at < clock_timestamp() - make_interval(secs => $1)
           order by created_at
           limit $2) oldest
   group by user_id
),
locked as (
  select c.user_id, e.seq
    from user_event_cursor c
    join expired e using (user_id)
   order by c.user_id
     for update of c skip locked
),
moved as (
  update user_event_cursor c
     set trimmed_seq = greatest(c.trimmed_seq, l.seq)
    from locked l
   where c.user_id = l.user_id
)
delete from user_event e
 using locked l
 where e.user_id = l.user_id
   and e.seq <= l.seq;
