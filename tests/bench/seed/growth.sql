-- Conversations and logs of events, from row `first` to row `rows` (both of whole
-- hundreds: 1 to 1000, 1001 to 10000), each twice: in one place, and a hundred at a
-- place. For the people of people.sql:
--
--   room c8000000-...-1            all of the rows, between seekers 1 and 2
--   rooms c9000000-...-N           100 each; N is between seekers 1 + N % 64 and
--                                  101 + N % 64
--   the log of seeker 200          all of the rows
--   the logs of seekers 200 + N    100 each
--
-- What has a hundred at a place is written as it is in use: one place after the
-- other has a message, and then all have the next one. Everything is read.
-- `payload` is an event as prbald stores it, in hexadecimal digits.
\ir ids.sql
\if :{?first}
\else
    \set first 1
\endif

begin;

insert into chat_room (room_id, kind, name, last_seq)
values (pg_temp.seed_id('c8000000', 1), 'GROUP', 'A long talk', :rows)
on conflict (room_id) do update set last_seq = excluded.last_seq, active_at = now();

insert into room_member (room_id, user_id, read_seq)
select pg_temp.seed_id('c8000000', 1), pg_temp.seed_id('a1000000', n), :rows
  from generate_series(1, 2) n
on conflict (room_id, user_id) do update set read_seq = excluded.read_seq;

insert into chat_message (message_id, room_id, seq, sender_id, message_type, content)
select pg_temp.seed_id('c8000000', seq), pg_temp.seed_id('c8000000', 1), seq,
       pg_temp.seed_id('a1000000', 1 + seq % 2), 'TEXT',
       'Message ' || seq || ': the day after tomorrow at nine would be fine with me.'
  from generate_series(:first, :rows) seq;

create temporary table seed_room on commit drop as
select pg_temp.seed_id('c9000000', n) as room_id,
       pg_temp.seed_id('a1000000', 1 + n % 64) as one,
       pg_temp.seed_id('a1000000', 101 + n % 64) as other
  from generate_series((:first - 1) / 100 + 1, :rows / 100) n;

insert into chat_room (room_id, kind, name, last_seq)
select room_id, 'GROUP', 'A talk', 100
  from seed_room;

insert into room_member (room_id, user_id, read_seq)
select room_id, unnest(array[one, other]), 100
  from seed_room;

insert into chat_message (room_id, seq, sender_id, message_type, content)
select room_id, seq, case seq % 2 when 0 then one else other end, 'TEXT',
       'Message ' || seq || ': the day after tomorrow at nine would be fine with me.'
  from generate_series(1, 100) seq, seed_room
 order by seq;

insert into user_event_cursor (user_id, last_seq, last_mark, after_mark)
values (pg_temp.seed_id('a1000000', 200), :rows, :rows, :rows - 1)
on conflict (user_id) do update
   set last_seq = excluded.last_seq, last_mark = excluded.last_mark,
       after_mark = excluded.after_mark;

insert into user_event (user_id, seq, topic, payload, mark, after_mark)
select pg_temp.seed_id('a1000000', 200), seq, 'NOTIFICATION', decode(:'payload', 'hex'),
       seq, seq - 1
  from generate_series(:first, :rows) seq;

create temporary table seed_log on commit drop as
select pg_temp.seed_id('a1000000', 200 + n) as user_id
  from generate_series((:first - 1) / 100 + 1, :rows / 100) n;

insert into user_event_cursor (user_id, last_seq, last_mark, after_mark)
select user_id, 100, 100, 99
  from seed_log;

insert into user_event (user_id, seq, topic, payload, mark, after_mark)
select user_id, seq, 'NOTIFICATION', decode(:'payload', 'hex'), seq, seq - 1
  from generate_series(1, 100) seq, seed_log
 order by seq;

commit;

vacuum (analyze) chat_room, room_member, chat_message, user_event_cursor, user_event;
