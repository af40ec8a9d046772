"""Rows of the table service as messages."""
import json

from prbal.v1 import common_pb2, listing_pb2


def names(enum, prefix):
    """What the database calls the values: without the enum's own name."""
    return {name.removeprefix(prefix): number for name, number in enum.items()}


USER_TYPES = names(common_pb2.UserType, "USER_TYPE_")
PAYMENT_POLICIES = names(common_pb2.PaymentPolicy, "PAYMENT_POLICY_")
KINDS = names(listing_pb2.ServiceKind, "SERVICE_KIND_")
STATUSES = names(listing_pb2.ServiceStatus, "SERVICE_STATUS_")
PRICING_UNITS = names(listing_pb2.PricingUnit, "PRICING_UNIT_")
DURATION_UNITS = names(listing_pb2.DurationUnit, "DURATION_UNIT_")
DELIVERY_METHODS = names(listing_pb2.DeliveryMethod, "DELIVERY_METHOD_")
OCCURRENCES = names(listing_pb2.Occurrence, "OCCURRENCE_")
MODERATION = names(listing_pb2.ModerationStatus, "MODERATION_STATUS_")


def owner(row):
    return common_pb2.UserSummary(
        user_id=str(row["owner_id"]),
        full_name=row["owner_name"],
        avatar_url=row["owner_avatar"],
        user_type=USER_TYPES[row["owner_type"]],
        rating_avg=row["owner_rating"] or None,  # 0 is none yet
        total_reviews=row["owner_reviews"],
    )


def option(stored):
    return listing_pb2.PricingOption(
        name=stored["name"],
        description=stored["description"],
        amount_minor=stored["amount_minor"],
        unit=PRICING_UNITS[stored["unit"]],
        duration=stored["duration"],
    )


def options(row):
    stored = row["pricing_options"]
    return None if stored is None else map(option, json.loads(stored))


def coordinates(row):
    if row["latitude"] is None:
        return None
    return common_pb2.LatLng(latitude=row["latitude"], longitude=row["longitude"])


def assigned_to(row, caller_id, is_admin):
    """Shown to the owner and to that provider."""
    provider = row["assigned_to"]
    if provider is None:
        return None
    if is_admin or caller_id in (str(provider), str(row["owner_id"])):
        return str(provider)
    return None


def service(row, caller_id=None, is_admin=False, distance_km=None):
    return listing_pb2.Service(
        service_id=str(row["service_id"]),
        owner=owner(row),
        kind=KINDS[row["kind"]],
        is_course=row["is_course"],
        title=row["title"],
        description=row["description"],
        category_ids=map(str, row["category_ids"]),
        tags=row["tags"],
        price=common_pb2.Money(
            amount_minor=row["price_minor"], currency=row["price_currency"]
        ),
        pricing_unit=PRICING_UNITS[row["pricing_unit"]],
        pricing_options=options(row),
        price_description=row["price_description"],
        is_negotiable=row["is_negotiable"],
        min_hours=row["min_hours"],
        max_hours=row["max_hours"],
        estimated_duration=row["estimated_duration"],
        duration_unit=DURATION_UNITS[row["duration_unit"]],
        duration_description=row["duration_description"],
        delivery_method=DELIVERY_METHODS[row["delivery_method"]],
        occurrence=OCCURRENCES[row["occurrence"]],
        is_remote=row["delivery_method"] != "ONSITE",
        location_text=row["location_text"],
        coordinates=coordinates(row),
        region_code=row["region_code"],
        city=row["city"],
        coverage_area=row["coverage_area"],
        required_tools=row["required_tools"],
        tasks_and_responsibilities=row["tasks_and_responsibilities"],
        conditions_requirements=row["conditions_requirements"],
        required_skills=row["required_skills"],
        deadline=row["deadline"],
        status=STATUSES[row["status"]],
        is_active=row["is_active"],
        is_featured=row["is_featured"],
        moderation_status=MODERATION[row["moderation_status"]],
        assigned_to=assigned_to(row, caller_id, is_admin),
        instant_book=row["instant_book"],
        payment_policy=PAYMENT_POLICIES[row["payment_policy"]],
        views_count=row["views_count"],
        bids_count=row["bids_count"],
        bookings_count=row["bookings_count"],
        complete_time=row["completed_at"],
        create_time=row["created_at"],
        update_time=row["updated_at"],
        distance_km=distance_km,
    )
