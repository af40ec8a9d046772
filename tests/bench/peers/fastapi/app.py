"""The routes. Answers are serialized by pydantic from their return types, which
FastAPI's documentation prefers to a response class such as ORJSONResponse."""
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, FastAPI, HTTPException, Query
from sqlalchemy.ext.asyncio import AsyncSession

import pages
import queries
from callers import Anybody, Somebody
from database import session
from schemas import GetServiceAnswer, ListAnswer, service_out
from views import Views

app = FastAPI()
views = Views()

Session = Annotated[AsyncSession, Depends(session)]
PageSize = Annotated[int, Query(ge=1, le=pages.SIZE_MAX)]


# Before /services/{service_id}, which would take "nearby" for an id.
@app.get("/services/nearby")
async def list_nearby(
    caller: Anybody,
    session: Session,
    latitude: Annotated[float, Query(ge=-90, le=90)],
    longitude: Annotated[float, Query(ge=-180, le=180)],
    radius_m: Annotated[float, Query(gt=0, le=200_000)] = 10_000,
    kind: Literal["OFFERED", "NEEDED"] = "OFFERED",
    page_size: PageSize = pages.DEFAULT_SIZE,
) -> ListAnswer:
    if kind == "NEEDED" and not caller.provides:
        raise HTTPException(
            403 if caller.id else 401, "only providers list what is needed"
        )
    point = queries.point(latitude, longitude)
    total = await session.scalar(queries.count_near(kind, point, radius_m))
    rows = (await session.execute(queries.nearest(kind, point, page_size + 1))).all()
    rows = queries.within(rows, radius_m)
    services = [service_out(s, caller, m / 1000) for s, m in rows[:page_size]]
    token = ""
    if len(rows) > page_size:
        last, distance_m = rows[page_size - 1]
        token = pages.token(total, f"{distance_m:.17g}", last.service_id)
    return ListAnswer(services=services, next_page_token=token, total_size=total)


@app.get("/services/{service_id}")
async def get_service(
    service_id: UUID, caller: Anybody, session: Session
) -> GetServiceAnswer:
    service = await session.scalar(queries.visible(service_id, caller))
    if service is None:
        raise HTTPException(404, "service not found")
    own_bid_id = None
    if caller.id is not None and caller.id != service.owner_id:
        views.add(service_id, caller.id)
        if service.kind == "NEEDED" and caller.provides:
            own_bid_id = await session.scalar(queries.own_bid(service_id, caller.id))
    return GetServiceAnswer(
        service=service_out(service, caller), own_bid_id=own_bid_id
    )


@app.get("/services")
async def browse(
    caller: Somebody,
    session: Session,
    view: Literal["OFFERED", "NEEDED", "COURSES"] | None = None,
    category_id: UUID | None = None,
    category_slug: str | None = None,
    city: str | None = None,
    page_size: PageSize = pages.DEFAULT_SIZE,
) -> ListAnswer:
    if not (caller.seeks and caller.provides):
        own = queries.own_view(caller)
        if view not in (None, own):
            raise HTTPException(403, "your account does not have this view")
        view = own
    conditions = queries.feed(view, caller, city)
    if category_id or category_slug:
        family = await session.scalars(queries.family(category_id, category_slug))
        conditions.append(queries.in_categories(family.all()))
    total = await session.scalar(queries.count(conditions))
    rows = (await session.scalars(queries.newest(conditions, page_size + 1))).all()
    token = ""
    if len(rows) > page_size:
        last = rows[page_size - 1]
        token = pages.token(total, pages.micros(last.created_at), last.service_id)
    services = [service_out(s, caller) for s in rows[:page_size]]
    return ListAnswer(services=services, next_page_token=token, total_size=total)
