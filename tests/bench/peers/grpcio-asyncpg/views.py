"""Who looked at what: counted once a day and person, written a second later,
many in one statement."""
import asyncio

DELAY_SECONDS = 1
BATCH_MAX = 512

RECORD = """
with target as (
  select service_id
    from service
   where service_id = any($1::uuid[])
   order by service_id
     for no key update
), fresh as (
  insert into service_view (viewed_on, service_id, viewer_id)
  select (now() at time zone 'utc')::date, service_id, seen.viewer_id
    from unnest($1::uuid[], $2::uuid[]) as seen (service_id, viewer_id)
    join target using (service_id)
  on conflict do nothing
  returning service_id
)
update service s
   set views_count = views_count + counted.views
  from (select service_id, count(*) as views
          from fresh
         group by service_id) counted
 where s.service_id = counted.service_id
"""


class Views:
    def __init__(self, pool):
        self.pool = pool
        self.waiting = []
        self.task = None

    def add(self, service_id, viewer_id):
        if len(self.waiting) < BATCH_MAX:
            self.waiting.append((service_id, viewer_id))
        if self.task is None:
            self.task = asyncio.create_task(self.write_soon())

    async def write_soon(self):
        await asyncio.sleep(DELAY_SECONDS)
        batch, self.waiting, self.task = self.waiting, [], None
        services, viewers = zip(*batch)
        await self.pool.execute(RECORD, services, viewers)
