-- What holds in every state of the database that was committed. Each statement
-- counts what breaks it.

-- name: invariant_calendar :one CountRow
select count(*) as count
  from booking a
  join booking b on b.provider_id = a.provider_id
                and b.booking_id > a.booking_id
                and b.slot && a.slot
 where a.status in ('CONFIRMED', 'IN_PROGRESS')
   and b.status in ('CONFIRMED', 'IN_PROGRESS');

-- name: invariant_bid_bookings :one CountRow
select count(*) as count
  from bid
  left join booking using (bid_id)
 where bid.status in ('ACCEPTED', 'COMPLETED')
   and booking.booking_id is null;

-- name: invariant_one_winner :one CountRow
select count(*) as count
  from (select service_id
          from bid
         where status = 'ACCEPTED'
         group by service_id
        having count(*) > 1) twice;

-- name: invariant_timelines :one CountRow
select count(*) as count
  from booking k
 where not exists (select 1
                     from booking_timeline_event t
                    where t.booking_id = k.booking_id
                      and t.type = 'CREATED');

-- name: invariant_event_logs :one CountRow
select count(*) as count
  from user_event_cursor c
  left join (select user_id, count(*) as many, min(seq) as first, max(seq) as last
               from user_event
              group by user_id) e using (user_id)
 where coalesce(e.many, 0) <> c.last_seq - c.trimmed_seq
    or e.last <> c.last_seq
    or e.first <> c.trimmed_seq + 1;

-- name: invariant_rooms :one CountRow
select count(*) as count
  from chat_room r
  left join (select room_id, count(*) as many, max(seq) as last
               from chat_message
              group by room_id) m using (room_id)
 where coalesce(m.many, 0) <> r.last_seq
    or m.last <> r.last_seq;

-- name: invariant_read_marks :one CountRow
select count(*) as count
  from room_member m
  join chat_room r using (room_id)
 where m.read_seq > r.last_seq;

-- name: invariant_sign_ins :one CountRow
select count(*) as count
  from session s
 where s.revoked_at is null
   and s.refresh_hash = s.previous_hash;
