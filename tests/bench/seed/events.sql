-- The logs of seekers 1 to `users`: `events` events each, numbered from 1, the
-- oldest five days old. All say that a bid was changed.
\ir ids.sql
\if :{?users}
\else
    \set users 1000
\endif
\if :{?events}
\else
    \set events 100
\endif
\if :{?people}
\else
    select greatest(1000, :users) as people \gset
\endif
\ir people.sql

create or replace function pg_temp.seed_mark(n bigint, seq bigint) returns integer
  language sql immutable
as $$
  select case when seq > 0
         then pg_temp.seed_pick(n * 10000000 + seq, 80, 1, 2147483646) else 0 end
$$;

begin;

insert into user_event_cursor (user_id, last_seq, last_mark, after_mark)
select pg_temp.seed_id('a1000000', n), :events, pg_temp.seed_mark(n, :events),
       pg_temp.seed_mark(n, :events - 1)
  from generate_series(1, :users::bigint) as g (n);

-- payload: create_time = 2, bid_updated = 40 with bid_id, service_id and status
-- PENDING, by the numbers of their fields.
insert into user_event (user_id, seq, topic, payload, created_at, mark, after_mark)
select pg_temp.seed_id('a1000000', n), seq, 'BID',
       '\x1206088080cbc806c2024e0a24'::bytea
         || convert_to(pg_temp.seed_id('b1000000', seq)::text, 'UTF8') || '\x1224'::bytea
         || convert_to(pg_temp.seed_id('b0000000', seq)::text, 'UTF8') || '\x1802'::bytea,
       now() - interval '5 days' * (1 - seq / (:events + 1)::float8),
       pg_temp.seed_mark(n, seq), pg_temp.seed_mark(n, seq - 1)
  from generate_series(1, :events::bigint) as e (seq)
 cross join generate_series(1, :users::bigint) as g (n);

commit;

vacuum (analyze) user_event_cursor, user_event;
