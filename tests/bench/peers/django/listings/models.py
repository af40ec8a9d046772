"""The tables that are read; Prbal's migrations keep them."""
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Func, Q, Value


class Category(models.Model):
    category_id = models.UUIDField(primary_key=True)
    parent = models.ForeignKey("self", models.CASCADE, null=True)
    slug = models.TextField()
    is_active = models.BooleanField()

    class Meta:
        managed = False
        db_table = "category"


class ServiceQuerySet(models.QuerySet):
    """The place is read as two numbers: GeoDjango's fields would make an object of
    GEOS of each."""

    def located(self):
        return self.defer("coordinates").annotate(
            latitude=Func("coordinates", template="ST_Y(%(expressions)s::geometry)",
                          output_field=models.FloatField()),
            longitude=Func("coordinates", template="ST_X(%(expressions)s::geometry)",
                           output_field=models.FloatField()),
        )

    def visible_to(self, caller):
        if caller.is_admin:
            return self
        if not caller.is_authenticated:
            return self.filter(is_listed=True, kind="OFFERED")
        return self.filter(Q(owner_id=caller.id) | Q(is_listed=True))

    def open(self):
        return self.filter(is_listed=True, status="OPEN")

    def within(self, point, radius_m):
        return self.filter(
            Func("coordinates", point, Value(radius_m), Value(False),
                 function="ST_DWithin", output_field=models.BooleanField())
        )

    def by_distance(self, point):
        return self.annotate(
            distance_m=Func("coordinates", point, template="(%(expressions)s)",
                            arg_joiner=" <-> ", output_field=models.FloatField())
        ).order_by("distance_m")


class Service(models.Model):
    service_id = models.UUIDField(primary_key=True)
    owner_id = models.UUIDField()
    owner_name = models.TextField()
    owner_type = models.TextField()
    owner_avatar = models.TextField()
    owner_rating = models.FloatField()
    owner_reviews = models.IntegerField()
    kind = models.TextField()
    is_course = models.BooleanField()
    title = models.TextField()
    description = models.TextField()
    category_ids = ArrayField(models.UUIDField())
    tags = ArrayField(models.TextField())
    price_minor = models.BigIntegerField()
    price_currency = models.TextField()
    pricing_unit = models.TextField()
    pricing_options = models.JSONField()
    price_description = models.TextField()
    is_negotiable = models.BooleanField()
    min_hours = models.IntegerField()
    max_hours = models.IntegerField()
    estimated_duration = models.IntegerField()
    duration_unit = models.TextField()
    duration_description = models.TextField()
    delivery_method = models.TextField()
    occurrence = models.TextField()
    location_text = models.TextField()
    coordinates = models.TextField(null=True)
    region_code = models.TextField()
    city = models.TextField()
    coverage_area = models.TextField()
    required_tools = ArrayField(models.TextField())
    tasks_and_responsibilities = ArrayField(models.TextField())
    conditions_requirements = ArrayField(models.TextField())
    required_skills = ArrayField(models.TextField())
    deadline = models.DateTimeField(null=True)
    status = models.TextField()
    is_active = models.BooleanField()
    is_featured = models.BooleanField()
    moderation_status = models.TextField()
    assigned_to = models.UUIDField(null=True)
    instant_book = models.BooleanField()
    payment_policy = models.TextField()
    views_count = models.IntegerField()
    bids_count = models.IntegerField()
    bookings_count = models.IntegerField()
    completed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    is_listed = models.BooleanField()

    objects = ServiceQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "service"


class Bid(models.Model):
    bid_id = models.UUIDField(primary_key=True)
    service = models.ForeignKey(Service, models.CASCADE)
    provider_id = models.UUIDField()
    created_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "bid"
