"""What is answered: the JSON of prbal.v1.Service."""
from rest_framework import serializers


class EnumField(serializers.ReadOnlyField):
    """What the database calls OPEN is SERVICE_STATUS_OPEN outside."""

    def __init__(self, prefix, **kwargs):
        self.prefix = prefix
        super().__init__(**kwargs)

    def to_representation(self, value):
        return self.prefix + value


class OwnerSerializer(serializers.Serializer):
    userId = serializers.UUIDField(source="owner_id")
    fullName = serializers.CharField(source="owner_name")
    avatarUrl = serializers.CharField(source="owner_avatar")
    userType = EnumField("USER_TYPE_", source="owner_type")
    ratingAvg = serializers.SerializerMethodField()
    totalReviews = serializers.IntegerField(source="owner_reviews")

    def get_ratingAvg(self, service):
        return service.owner_rating or None  # 0 is none yet


class MoneySerializer(serializers.Serializer):
    amountMinor = serializers.IntegerField(source="price_minor")
    currency = serializers.CharField(source="price_currency")


class PricingOptionSerializer(serializers.Serializer):
    name = serializers.CharField()
    description = serializers.CharField()
    amountMinor = serializers.IntegerField(source="amount_minor")
    unit = EnumField("PRICING_UNIT_")
    duration = serializers.CharField()


class ServiceSerializer(serializers.Serializer):
    serviceId = serializers.UUIDField(source="service_id")
    owner = OwnerSerializer(source="*")
    kind = EnumField("SERVICE_KIND_")
    isCourse = serializers.BooleanField(source="is_course")
    title = serializers.CharField()
    description = serializers.CharField()
    categoryIds = serializers.ListField(
        child=serializers.UUIDField(), source="category_ids"
    )
    tags = serializers.ReadOnlyField()
    price = MoneySerializer(source="*")
    pricingUnit = EnumField("PRICING_UNIT_", source="pricing_unit")
    pricingOptions = PricingOptionSerializer(source="pricing_options", many=True)
    priceDescription = serializers.CharField(source="price_description")
    isNegotiable = serializers.BooleanField(source="is_negotiable")
    minHours = serializers.IntegerField(source="min_hours")
    maxHours = serializers.IntegerField(source="max_hours")
    estimatedDuration = serializers.IntegerField(source="estimated_duration")
    durationUnit = EnumField("DURATION_UNIT_", source="duration_unit")
    durationDescription = serializers.CharField(source="duration_description")
    deliveryMethod = EnumField("DELIVERY_METHOD_", source="delivery_method")
    occurrence = EnumField("OCCURRENCE_")
    isRemote = serializers.SerializerMethodField()
    locationText = serializers.SerializerMethodField()
    coordinates = serializers.SerializerMethodField()
    regionCode = serializers.CharField(source="region_code")
    city = serializers.CharField()
    coverageArea = serializers.CharField(source="coverage_area")
    requiredTools = serializers.ReadOnlyField(source="required_tools")
    tasksAndResponsibilities = serializers.ReadOnlyField(
        source="tasks_and_responsibilities"
    )
    conditionsRequirements = serializers.ReadOnlyField(source="conditions_requirements")
    requiredSkills = serializers.ReadOnlyField(source="required_skills")
    deadline = serializers.DateTimeField()
    status = EnumField("SERVICE_STATUS_")
    isActive = serializers.BooleanField(source="is_active")
    isFeatured = serializers.BooleanField(source="is_featured")
    moderationStatus = EnumField("MODERATION_STATUS_", source="moderation_status")
    assignedTo = serializers.SerializerMethodField()
    instantBook = serializers.BooleanField(source="instant_book")
    paymentPolicy = EnumField("PAYMENT_POLICY_", source="payment_policy")
    viewsCount = serializers.IntegerField(source="views_count")
    bidsCount = serializers.IntegerField(source="bids_count")
    bookingsCount = serializers.IntegerField(source="bookings_count")
    completeTime = serializers.DateTimeField(source="completed_at")
    createTime = serializers.DateTimeField(source="created_at")
    updateTime = serializers.DateTimeField(source="updated_at")
    distanceKm = serializers.SerializerMethodField()

    def get_isRemote(self, service):
        return service.delivery_method != "ONSITE"

    def get_locationText(self, service):
        return service.location_text if self.context["caller"].is_authenticated else ""

    def get_coordinates(self, service):
        if service.latitude is None or not self.context["caller"].is_authenticated:
            return None
        return {"latitude": service.latitude, "longitude": service.longitude}

    def get_assignedTo(self, service):
        """Shown to the owner and to that provider."""
        caller = self.context["caller"]
        parties = (service.assigned_to, service.owner_id)
        return service.assigned_to if caller.is_admin or caller.id in parties else None

    def get_distanceKm(self, service):
        distance_m = getattr(service, "distance_m", None)
        return None if distance_m is None else distance_m / 1000


class PageSerializer(serializers.Serializer):
    page_size = serializers.IntegerField(min_value=1, max_value=100, default=12)


class BrowseQuerySerializer(PageSerializer):
    view = serializers.ChoiceField(["OFFERED", "NEEDED", "COURSES"], default=None)
    category_id = serializers.UUIDField(default=None)
    category_slug = serializers.CharField(default=None)
    city = serializers.CharField(default=None)


class NearbyQuerySerializer(PageSerializer):
    latitude = serializers.FloatField(min_value=-90, max_value=90)
    longitude = serializers.FloatField(min_value=-180, max_value=180)
    radius_m = serializers.FloatField(max_value=200_000, default=10_000)
    kind = serializers.ChoiceField(["OFFERED", "NEEDED"], default="OFFERED")
