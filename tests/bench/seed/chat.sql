-- `rooms` rooms of two with `messages` messages each. Room r is that of seeker
-- 1 + (r - 1) % people and provider 1 + (r - 1 + (r - 1) / people) % people; with
-- rooms <= people those are seeker r and provider r. Message s of room r has
-- seq s and number (r - 1) * messages + s; the seeker sent the odd ones. Both have
-- read everything.
\ir ids.sql
\if :{?rooms}
\else
    \set rooms 1000
\endif
\if :{?messages}
\else
    \set messages 100
\endif
\ir people.sql

begin;

create temporary table seed_room on commit drop as
select r,
       pg_temp.seed_id('c0000000', r) as room_id,
       pg_temp.seed_id('a1000000', 1 + (r - 1) % :people) as seeker_id,
       pg_temp.seed_id('a2000000', 1 + (r - 1 + (r - 1) / :people) % :people) as provider_id,
       now() - interval '30 days' as created_at
  from generate_series(1, :rooms::bigint) as g (r);

insert into chat_room (room_id, kind, creator_id, low_id, high_id, last_seq, active_at,
                       created_at, updated_at)
select room_id, 'DIRECT', seeker_id, seeker_id, provider_id, :messages,
       created_at + interval '1 minute' * :messages, created_at, created_at
  from seed_room;

insert into room_member (room_id, user_id, role, read_seq, read_at, joined_at)
select room_id, m.user_id, m.role, :messages, now(), created_at
  from seed_room
 cross join lateral (values (seeker_id, 'CREATOR'), (provider_id, 'MEMBER'))
       as m (user_id, role);

-- Room by room would put each room's messages side by side, which they are not
-- where people talk at the same time.
insert into chat_message (message_id, room_id, seq, sender_id, message_type, content,
                          sent_at, updated_at)
select pg_temp.seed_id('c1000000', (r - 1) * :messages + s), room_id, s,
       case when s % 2 = 1 then seeker_id else provider_id end,
       'TEXT',
       (array['Hello, is this still to be had?', 'When would suit you best?',
              'I can come in the morning and bring the tools.',
              'That is fine with me, see you then.',
              'Could you send a picture of earlier work?',
              'It took two days and went well.'])[pg_temp.seed_pick(r * 1000 + s, 60, 1, 6)]
         || ' (' || s || ')',
       created_at + interval '1 minute' * s, created_at + interval '1 minute' * s
  from generate_series(1, :messages::bigint) as m (s)
 cross join seed_room
 order by s, r;

commit;

vacuum (analyze) chat_room, room_member, chat_message;
