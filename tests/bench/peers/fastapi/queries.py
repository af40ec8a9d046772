"""What is selected."""
from sqlalchemy import cast, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PGUUID
from sqlalchemy.orm import aliased

from geoalchemy2 import Geography
import pages
from models import Bid, Category, Service

OPEN = (Service.is_listed, Service.status == "OPEN")


def visible(service_id, caller):
    """A listed offer to anybody, what is listed to who is signed in, one's own and
    all to an administrator."""
    statement = select(Service).where(Service.service_id == service_id)
    if caller.is_admin:
        return statement
    if caller.id is None:
        return statement.where(Service.is_listed, Service.kind == "OFFERED")
    return statement.where(or_(Service.owner_id == caller.id, Service.is_listed))


def own_bid(service_id, provider_id):
    return (
        select(Bid.bid_id)
        .where(Bid.service_id == service_id, Bid.provider_id == provider_id)
        .order_by(Bid.created_at.desc(), Bid.bid_id.desc())
        .limit(1)
    )


def own_view(caller):
    return "OFFERED" if caller.seeks else "NEEDED" if caller.provides else "COURSES"


def feed(view, caller, city):
    conditions = [*OPEN, Service.owner_id != caller.id]
    if view == "NEEDED":
        conditions.append(Service.kind == "NEEDED")
    elif view is not None:
        is_course = Service.is_course if view == "COURSES" else ~Service.is_course
        conditions += [Service.kind == "OFFERED", is_course]
    if city is not None:
        conditions.append(func.lower(Service.city) == func.lower(city))
    return conditions


def family(category_id, slug):
    """The category and its children."""
    parent = aliased(Category)
    named = parent.category_id == category_id if category_id else parent.slug == slug
    return (
        select(Category.category_id)
        .join(
            parent,
            or_(
                Category.category_id == parent.category_id,
                Category.parent_id == parent.category_id,
            ),
        )
        .where(Category.is_active, named)
    )


def in_categories(ids):
    return Service.category_ids.overlap(cast(ids, ARRAY(PGUUID)))


def count(conditions):
    counted = select(Service.service_id).where(*conditions).limit(pages.TOTAL_MAX)
    return select(func.count()).select_from(counted.subquery())


def newest(conditions, limit):
    return (
        select(Service)
        .where(*conditions)
        .order_by(Service.created_at.desc(), Service.service_id.desc())
        .limit(limit)
    )


def point(latitude, longitude):
    return cast(func.ST_Point(longitude, latitude), Geography)


def count_near(kind, place, radius_m):
    return count(
        [
            *OPEN,
            Service.kind == kind,
            func.ST_DWithin(Service.coordinates, place, radius_m, False),
        ]
    )


def nearest(kind, place, limit):
    """The index gives distances in order, but equal ones in any: all that tie for the
    last place are taken, and within() breaks the ties."""
    distance = Service.coordinates.distance_centroid(place)
    return (
        select(Service, distance)
        .where(*OPEN, Service.kind == kind)
        .order_by(distance)
        .fetch(limit, with_ties=True)
    )


def within(rows, radius_m):
    """Sorted by distance, which is in metres, then id."""
    near = [row for row in rows if row[1] <= radius_m]
    return sorted(near, key=lambda row: (row[1], row[0].service_id))
