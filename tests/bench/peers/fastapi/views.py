"""Views that wait to be written."""
import asyncio
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, bindparam, text

import view_counts
from database import engine

RECORD = text(view_counts.statement(":services", ":viewers")).bindparams(
    bindparam("services", type_=ARRAY(Uuid)), bindparam("viewers", type_=ARRAY(Uuid))
)


class Views:
    def __init__(self) -> None:
        self.waiting: list[tuple[UUID, UUID]] = []
        self.task: asyncio.Task | None = None

    def add(self, service_id: UUID, viewer_id: UUID) -> None:
        if len(self.waiting) < view_counts.BATCH_MAX:
            self.waiting.append((service_id, viewer_id))
        if self.task is None:
            self.task = asyncio.create_task(self.write_soon())

    async def write_soon(self) -> None:
        await asyncio.sleep(view_counts.DELAY_SECONDS)
        batch, self.waiting, self.task = self.waiting, [], None
        services, viewers = map(list, zip(*batch))
        async with engine.connect() as connection:
            await connection.execute(RECORD, {"services": services, "viewers": viewers})
