-- Changes of presence stand in line at presence_clock. Made by a function, a
-- change is one statement: its place is held for as long as PostgreSQL needs, and
-- not for as long as a busy server takes to say what comes next. Each statement
-- of the function sees what was committed before it, so also what the one before
-- in the line has done.

-- The holder has streams of the users or, where `here` is 0, none any more. Who
-- has some at another holder stays online.
create function presence_write(at_holder uuid, user_ids uuid[], here integer[])
  returns void
  language plpgsql
as $$
declare
  this_version bigint;
begin
  update presence_clock
     set version = version + 1
  returning version into this_version;

  with given as (
    select g.user_id, g.is_here = 1 as is_here
      from unnest(user_ids, here) as g(user_id, is_here)
      join account using (user_id)
  ),
  let_go as (
    delete from presence_hold h
     using given g
     where h.holder_id = at_holder
       and h.user_id = g.user_id
       and not g.is_here
  ),
  taken as (
    insert into presence_hold (user_id, holder_id)
    select g.user_id, at_holder
      from given g
     where g.is_here
    on conflict (user_id, holder_id) do nothing
  )
  insert into user_presence as p (user_id, is_online, last_seen_at, version)
  select g.user_id,
         g.is_here or exists (select
                                from presence_hold h
                                join presence_holder o using (holder_id)
                               where h.user_id = g.user_id
                                 and h.holder_id <> at_holder
                                 and o.expires_at > now()),
         now(),
         this_version
    from given g
  on conflict (user_id) do update
     set is_online = excluded.is_online,
         last_seen_at = excluded.last_seen_at,
         version = excluded.version
   where p.is_online <> excluded.is_online;
end
$$;

-- Ends the holders that are dead.
create function presence_reap(lease interval) returns void
  language plpgsql
as $$
declare
  this_version bigint;
begin
  update presence_clock
     set version = version + 1
  returning version into this_version;

  with dead as (
    select holder_id, expires_at - lease as seen_at
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
         version = this_version
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
end
$$;
