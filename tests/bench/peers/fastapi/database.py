"""The connections. Everything that is answered is read by single statements, so they
run in autocommit: without a BEGIN before and a ROLLBACK behind each."""
import os
from collections.abc import AsyncIterator

from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

CONNECTIONS = 8

engine = create_async_engine(
    make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+asyncpg"),
    pool_size=CONNECTIONS,
    max_overflow=0,
    isolation_level="AUTOCOMMIT",
    skip_autocommit_rollback=True,
    connect_args={"server_settings": {"timezone": "UTC", "jit": "off"}},
)
new_session = async_sessionmaker(engine, expire_on_commit=False, autoflush=False)


async def session() -> AsyncIterator[AsyncSession]:
    async with new_session() as opened:
        yield opened
