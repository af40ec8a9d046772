"""What is answered: the JSON of prbal.v1.Service."""
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from models import Service


class Answer(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)


class UserSummary(Answer):
    user_id: UUID
    full_name: str
    avatar_url: str
    user_type: str
    rating_avg: float | None
    total_reviews: int


class Money(Answer):
    amount_minor: int
    currency: str


class PricingOption(Answer):
    name: str
    description: str
    amount_minor: int
    unit: str
    duration: str


class LatLng(Answer):
    latitude: float
    longitude: float


class ServiceOut(Answer):
    service_id: UUID
    owner: UserSummary
    kind: str
    is_course: bool
    title: str
    description: str
    category_ids: list[UUID]
    tags: list[str]
    price: Money
    pricing_unit: str
    pricing_options: list[PricingOption]
    price_description: str
    is_negotiable: bool
    min_hours: int
    max_hours: int
    estimated_duration: int
    duration_unit: str
    duration_description: str
    delivery_method: str
    occurrence: str
    is_remote: bool
    location_text: str
    coordinates: LatLng | None
    region_code: str
    city: str
    coverage_area: str
    required_tools: list[str]
    tasks_and_responsibilities: list[str]
    conditions_requirements: list[str]
    required_skills: list[str]
    deadline: datetime | None
    status: str
    is_active: bool
    is_featured: bool
    moderation_status: str
    assigned_to: UUID | None
    instant_book: bool
    payment_policy: str
    views_count: int
    bids_count: int
    bookings_count: int
    complete_time: datetime | None
    create_time: datetime
    update_time: datetime
    distance_km: float | None


class GetServiceAnswer(Answer):
    service: ServiceOut
    own_bid_id: UUID | None


class ListAnswer(Answer):
    services: list[ServiceOut]
    next_page_token: str
    total_size: int


def owner_out(s: Service) -> UserSummary:
    return UserSummary(
        user_id=s.owner_id,
        full_name=s.owner_name,
        avatar_url=s.owner_avatar,
        user_type="USER_TYPE_" + s.owner_type,
        rating_avg=s.owner_rating or None,  # 0 is none yet
        total_reviews=s.owner_reviews,
    )


def option_out(stored: dict) -> PricingOption:
    return PricingOption(**{**stored, "unit": "PRICING_UNIT_" + stored["unit"]})


def coordinates_out(s: Service) -> LatLng | None:
    if s.latitude is None:
        return None
    return LatLng(latitude=s.latitude, longitude=s.longitude)


def assigned_out(s: Service, caller) -> UUID | None:
    """Shown to the owner and to that provider."""
    parties = (s.assigned_to, s.owner_id)
    return s.assigned_to if caller.is_admin or caller.id in parties else None


def service_out(s: Service, caller, distance_km: float | None = None) -> ServiceOut:
    return ServiceOut(
        service_id=s.service_id,
        owner=owner_out(s),
        kind="SERVICE_KIND_" + s.kind,
        is_course=s.is_course,
        title=s.title,
        description=s.description,
        category_ids=s.category_ids,
        tags=s.tags,
        price=Money(amount_minor=s.price_minor, currency=s.price_currency),
        pricing_unit="PRICING_UNIT_" + s.pricing_unit,
        pricing_options=[option_out(option) for option in s.pricing_options],
        price_description=s.price_description,
        is_negotiable=s.is_negotiable,
        min_hours=s.min_hours,
        max_hours=s.max_hours,
        estimated_duration=s.estimated_duration,
        duration_unit="DURATION_UNIT_" + s.duration_unit,
        duration_description=s.duration_description,
        delivery_method="DELIVERY_METHOD_" + s.delivery_method,
        occurrence="OCCURRENCE_" + s.occurrence,
        is_remote=s.delivery_method != "ONSITE",
        location_text=s.location_text if caller.id else "",
        coordinates=coordinates_out(s) if caller.id else None,
        region_code=s.region_code,
        city=s.city,
        coverage_area=s.coverage_area,
        required_tools=s.required_tools,
        tasks_and_responsibilities=s.tasks_and_responsibilities,
        conditions_requirements=s.conditions_requirements,
        required_skills=s.required_skills,
        deadline=s.deadline,
        status="SERVICE_STATUS_" + s.status,
        is_active=s.is_active,
        is_featured=s.is_featured,
        moderation_status="MODERATION_STATUS_" + s.moderation_status,
        assigned_to=assigned_out(s, caller),
        instant_book=s.instant_book,
        payment_policy="PAYMENT_POLICY_" + s.payment_policy,
        views_count=s.views_count,
        bids_count=s.bids_count,
        bookings_count=s.bookings_count,
        complete_time=s.completed_at,
        create_time=s.created_at,
        update_time=s.updated_at,
        distance_km=distance_km,
    )
