"""Views that wait to be written."""
import asyncio

import view_counts

RECORD = view_counts.statement("$1::uuid[]", "$2::uuid[]")


class Views:
    def __init__(self, pool):
        self.pool = pool
        self.waiting = []
        self.task = None

    def add(self, service_id, viewer_id):
        if len(self.waiting) < view_counts.BATCH_MAX:
            self.waiting.append((service_id, viewer_id))
        if self.task is None:
            self.task = asyncio.create_task(self.write_soon())

    async def write_soon(self):
        await asyncio.sleep(view_counts.DELAY_SECONDS)
        batch, self.waiting, self.task = self.waiting, [], None
        services, viewers = zip(*batch)
        await self.pool.execute(RECORD, services, viewers)
