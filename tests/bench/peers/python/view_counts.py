"""Who looked at what: counted once a day and person, written a second later, many
in one statement."""

DELAY_SECONDS = 1
BATCH_MAX = 512


def statement(services, viewers):
    """Both arguments stand for arrays of one length."""
    return f"""
with target as (
  select service_id
    from service
   where service_id = any({services})
   order by service_id
     for no key update
), fresh as (
  insert into service_view (viewed_on, service_id, viewer_id)
  select (now() at time zone 'utc')::date, service_id, seen.viewer_id
    from unnest({services}, {viewers}) as seen (service_id, viewer_id)
    join target using (service_id)
  on conflict do nothing
  returning service_id
)
update service s
   set views_count = views_count + counted.views
  from (select service_id, count(*) as views
          from fresh
         group by service_id) counted
 where s.service_id = counted.service_id"""
