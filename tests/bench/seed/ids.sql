-- Every id of the seed is of one form, so that whoever makes load computes it
-- and reads nothing first: eight digits that say what it is, then the number in
-- twelve decimal digits.
--
--     seeker 7        a1000000-0000-7000-8000-000000000007
--     provider 7      a2000000-0000-7000-8000-000000000007
--     service 7       5e000000-0000-7000-8000-000000000007
--     post 7          b0000000-0000-7000-8000-000000000007
--     bid 7           b1000000-0000-7000-8000-000000000007
--     room 7          c0000000-0000-7000-8000-000000000007
--     message 7       c1000000-0000-7000-8000-000000000007
--
-- They grow with time, as UUIDv7 does, so indexes look as they do in use.
\set ON_ERROR_STOP on
set client_min_messages = warning;
set synchronous_commit = off;
set gin_pending_list_limit = '64MB';

create or replace function pg_temp.seed_id(what text, n bigint) returns uuid
  language sql immutable
as $$ select (what || '-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid $$;

-- A number from low to high that looks random and depends on n and salt alone.
create or replace function pg_temp.seed_pick(n bigint, salt bigint, low int, high int)
  returns int
  language sql immutable
as $$
  select low + ((hashint8extended(n, salt) & 2147483647) % (high - low + 1))::int
$$;

-- From -1 to 1, most often near 0.
create or replace function pg_temp.seed_bell(n bigint, salt bigint) returns float8
  language sql immutable
as $$
  select (pg_temp.seed_pick(n, salt, -100000, 100000)
          + pg_temp.seed_pick(n, salt + 1, -100000, 100000)
          + pg_temp.seed_pick(n, salt + 2, -100000, 100000)) / 300000.0
$$;
