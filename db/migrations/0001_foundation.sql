-- What every other table stands on.
create extension if not exists citext;
create extension if not exists pgcrypto;
create extension if not exists pg_trgm;
create extension if not exists btree_gist;
create extension if not exists postgis;

-- A UUIDv7 (RFC 9562): 48 bits of milliseconds, then random. Keys made in time
-- order keep B-tree inserts on the right-hand page.
create function uuid7() returns uuid
  language sql volatile parallel safe
as $$
  select encode(
           set_bit(
             set_bit(
               overlay(uuid_send(gen_random_uuid())
                       placing substring(int8send(
                         (extract(epoch from clock_timestamp()) * 1000)::bigint)
                         from 3)
                       from 1 for 6),
               52, 1),
             53, 1),
           'hex')::uuid
$$;
