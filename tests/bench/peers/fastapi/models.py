"""The tables that are read."""
from datetime import datetime
from typing import Any
from uuid import UUID

from geoalchemy2 import Geography, Geometry
from sqlalchemy import BigInteger, ForeignKey, Text, cast, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP
from sqlalchemy.dialects.postgresql import UUID as PGUUID
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column


class Base(DeclarativeBase):
    type_annotation_map = {
        datetime: TIMESTAMP(timezone=True),
        str: Text,
        list[str]: ARRAY(Text),
        list[UUID]: ARRAY(PGUUID),
        list[dict[str, Any]]: JSONB,
    }


class Category(Base):
    __tablename__ = "category"

    category_id: Mapped[UUID] = mapped_column(primary_key=True)
    parent_id: Mapped[UUID | None]
    slug: Mapped[str]
    is_active: Mapped[bool]


class Bid(Base):
    __tablename__ = "bid"

    bid_id: Mapped[UUID] = mapped_column(primary_key=True)
    service_id: Mapped[UUID] = mapped_column(ForeignKey("service.service_id"))
    provider_id: Mapped[UUID]
    created_at: Mapped[datetime]


class Service(Base):
    __tablename__ = "service"

    service_id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID]
    owner_name: Mapped[str]
    owner_type: Mapped[str]
    owner_avatar: Mapped[str]
    owner_rating: Mapped[float]
    owner_reviews: Mapped[int]
    kind: Mapped[str]
    is_course: Mapped[bool]
    title: Mapped[str]
    description: Mapped[str]
    category_ids: Mapped[list[UUID]]
    tags: Mapped[list[str]]
    price_minor: Mapped[int] = mapped_column(BigInteger)
    price_currency: Mapped[str]
    pricing_unit: Mapped[str]
    pricing_options: Mapped[list[dict[str, Any]]]
    price_description: Mapped[str]
    is_negotiable: Mapped[bool]
    min_hours: Mapped[int]
    max_hours: Mapped[int]
    estimated_duration: Mapped[int]
    duration_unit: Mapped[str]
    duration_description: Mapped[str]
    delivery_method: Mapped[str]
    occurrence: Mapped[str]
    location_text: Mapped[str]
    coordinates: Mapped[Any] = mapped_column(Geography("POINT", 4326), deferred=True)
    region_code: Mapped[str]
    city: Mapped[str]
    coverage_area: Mapped[str]
    required_tools: Mapped[list[str]]
    tasks_and_responsibilities: Mapped[list[str]]
    conditions_requirements: Mapped[list[str]]
    required_skills: Mapped[list[str]]
    deadline: Mapped[datetime | None]
    status: Mapped[str]
    is_active: Mapped[bool]
    is_featured: Mapped[bool]
    moderation_status: Mapped[str]
    assigned_to: Mapped[UUID | None]
    instant_book: Mapped[bool]
    payment_policy: Mapped[str]
    views_count: Mapped[int]
    bids_count: Mapped[int]
    bookings_count: Mapped[int]
    completed_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    is_listed: Mapped[bool] = mapped_column(deferred=True)

    latitude: Mapped[float | None] = column_property(
        func.ST_Y(cast(coordinates, Geometry))
    )
    longitude: Mapped[float | None] = column_property(
        func.ST_X(cast(coordinates, Geometry))
    )
