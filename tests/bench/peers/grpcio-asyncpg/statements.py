"""SQL. In every statement $1 is the caller, null when nobody is signed in."""

COLUMNS = """
s.service_id, s.owner_id, s.owner_name, s.owner_type, s.owner_avatar, s.owner_rating,
s.owner_reviews, s.kind, s.is_course, s.title, s.description, s.category_ids, s.tags,
s.price_minor, s.price_currency, s.pricing_unit,
nullif(s.pricing_options, '[]') as pricing_options, s.price_description,
s.is_negotiable, s.min_hours, s.max_hours, s.estimated_duration, s.duration_unit,
s.duration_description, s.delivery_method, s.occurrence,
case when $1::uuid is not null then s.location_text end as location_text,
case when $1 is not null then st_y(s.coordinates::geometry) end as latitude,
case when $1 is not null then st_x(s.coordinates::geometry) end as longitude,
s.region_code, s.city, s.coverage_area, s.required_tools,
s.tasks_and_responsibilities, s.conditions_requirements, s.required_skills,
s.deadline, s.status, s.is_active, s.is_featured, s.moderation_status,
s.assigned_to, s.instant_book, s.payment_policy, s.views_count, s.bids_count,
s.bookings_count, s.completed_at, s.created_at, s.updated_at
"""

BY_ID = f"""
select {COLUMNS}
  from service s
 where s.service_id = $3
   and (s.owner_id = $1
        or $2::boolean
        or (s.is_listed and (s.kind = 'OFFERED' or $1 is not null)))
"""

OWN_BID = """
select bid_id
  from bid
 where service_id = $1
   and provider_id = $2
 order by created_at desc, bid_id desc
 limit 1
"""

# The categories $1 and the one with slug $2, each with its children.
CATEGORY_FAMILY = """
select c.category_id
  from category c
 where c.is_active
   and (c.category_id = any($1::uuid[])
        or c.parent_id = any($1)
        or c.slug = $2
        or c.parent_id = (select category_id from category where slug = $2))
"""


class Where:
    """Conditions that are written only when they are asked for, so that there is
    one prepared statement, with a plan of its own, for each kind of list."""

    def __init__(self, caller_id):
        self.arguments = [caller_id]
        self.conditions = ["s.is_listed", "s.status = 'OPEN'"]

    def argument(self, value):
        self.arguments.append(value)
        return f"${len(self.arguments)}"

    def add(self, condition, *values):
        self.conditions.append(
            condition.format(*(self.argument(value) for value in values))
        )

    def text(self):
        return "\n   and ".join(self.conditions)


def count(where, most):
    """Up to `most`; counting on would cost more than anybody gains."""
    return f"""
select count(*)
  from (select
          from service s
         where {where.text()}
           and ($1::uuid is null or true)
         limit {where.argument(most)}) counted"""


def newest(where, limit):
    return f"""
select {COLUMNS}
  from service s
 where {where.text()}
 order by s.created_at desc, s.service_id desc
 limit {where.argument(limit)}"""


def nearest(where, latitude, longitude, radius_m, limit):
    """The index gives distances in order, but equal ones in any: the inner query
    takes all that tie for the last place, the outer one breaks the ties."""
    y, x = where.argument(latitude), where.argument(longitude)
    radius, limit = where.argument(radius_m), where.argument(limit)
    point = f"st_point({x}::float8, {y}::float8)::geography"
    return f"""
select *
  from (select {COLUMNS}, s.coordinates <-> {point} as distance_m
          from service s
         where {where.text()}
         order by s.coordinates <-> {point}
         fetch first {limit} rows with ties) near
 where near.distance_m <= {radius}::float8
 order by near.distance_m, near.service_id
 limit {limit}"""
