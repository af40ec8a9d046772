-- In every statement here $1 is the caller, null when nobody is signed in.

-- fragment: service_columns
s.service_id,
       s.owner_id                 as "owner.user_id",
       s.owner_name               as "owner.full_name",
       s.owner_type               as "owner.user_type",
       s.owner_avatar             as "owner.avatar_url",
       nullif(s.owner_rating, 0)  as "owner.rating_avg",
       s.owner_reviews            as "owner.total_reviews",
       s.kind,
       s.is_course,
       s.title,
       s.description,
       s.category_ids,
       s.tags,
       s.price_minor              as "price.amount_minor",
       s.price_currency           as "price.currency",
       s.pricing_unit,
       nullif(s.pricing_options, '[]') as pricing_options,
       s.price_description,
       s.is_negotiable,
       s.min_hours,
       s.max_hours,
       s.estimated_duration,
       s.duration_unit,
       s.duration_description,
       s.delivery_method,
       s.occurrence,
       s.delivery_method <> 'ONSITE' as is_remote,
       case when $1::uuid is not null
            then s.location_text end as location_text,
       case when $1 is not null
            then st_y(s.coordinates::geometry) end as "coordinates.latitude",
       case when $1 is not null
            then st_x(s.coordinates::geometry) end as "coordinates.longitude",
       s.region_code,
       s.city,
       s.coverage_area,
       s.required_tools,
       s.tasks_and_responsibilities,
       s.conditions_requirements,
       s.required_skills,
       s.deadline,
       s.status,
       s.is_active,
       s.is_featured,
       s.moderation_status,
       case when $2 or $1 in (s.owner_id, s.assigned_to)
            then s.assigned_to end as assigned_to,
       s.instant_book,
       s.payment_policy,
       s.views_count,
       s.bids_count,
       s.bookings_count,
       s.completed_at             as complete_time,
       s.created_at               as create_time,
       s.updated_at               as update_time;

-- fragment: service_is_visible
(s.owner_id = $1
        or $2::boolean
        or (s.is_listed and (s.kind = 'OFFERED' or $1 is not null)));

-- name: service_by_id :one Service
-- $2: the caller is an administrator.
select {{service_columns}}
  from service s
 where s.service_id = $3
   and {{service_is_visible}};

-- name: service_by_ids :many Service :bounded the ids are those of one page
-- In the order of $3.
select {{service_columns}}
  from unnest($3::uuid[]) with ordinality as wanted (service_id, place)
  join service s using (service_id)
 where {{service_is_visible}}
 order by wanted.place;

-- name: services_active_of_owner :many Service
-- The caller's own that others can find.
select {{service_columns}}
  from service s
 where s.owner_id = $1
   and s.status = 'OPEN'
   and s.is_listed
 order by s.created_at desc, s.service_id desc
 limit $3;

-- name: service_categories :one ServiceCategoriesRow
-- How many of the ids in $2 are active categories, and their names.
select count(*)::integer as found,
       coalesce(string_agg(c.name, ' ' order by chosen.place), '') as names
  from unnest($2::uuid[]) with ordinality as chosen (category_id, place)
  join category c using (category_id)
 where c.is_active
   and $1::uuid is not null;

-- name: service_insert :one ServiceIdRow
-- No row when the caller has used this request_id ($2) before.
insert into service
       (owner_id, request_id, kind, is_course, title, description,
        category_ids, category_names, tags, price_minor, price_currency,
        pricing_unit, pricing_options, price_description, is_negotiable,
        min_hours, max_hours, estimated_duration, duration_unit,
        duration_description, delivery_method, occurrence, location_text,
        coordinates, region_code, city, coverage_area, required_tools,
        tasks_and_responsibilities, conditions_requirements, required_skills,
        deadline, instant_book, payment_policy)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
        $17, $18, $19, $20, $21, $22, $23,
        st_point($25::float8, $24::float8)::geography, $26, $27, $28, $29, $30,
        $31, $32, $33, $34, $35)
on conflict on constraint service_request_once do nothing
returning service_id;

-- name: service_by_request :one ServiceIdRow
select service_id
  from service
 where owner_id = $1
   and request_id = $2;

-- name: service_lock :one ServiceLockRow
-- $3: the caller is an administrator.
select service_id, owner_id, title, kind, status, is_active,
       coalesce(deadline <= now(), false) as deadline_passed
  from service
 where service_id = $2
   and (owner_id = $1 or $3)
   for no key update;

-- name: service_update :exec
-- All that may be changed, under service_lock.
update service
   set title                      = $5,
       description                = $6,
       category_ids               = $7,
       category_names             = $8,
       tags                       = $9,
       price_minor                = $10,
       price_currency             = $11,
       pricing_unit               = $12,
       pricing_options            = $13,
       price_description          = $14,
       is_negotiable              = $15,
       min_hours                  = $16,
       max_hours                  = $17,
       estimated_duration         = $18,
       duration_unit              = $19,
       duration_description       = $20,
       delivery_method            = $21,
       occurrence                 = $22,
       location_text              = $23,
       coordinates                = st_point($25::float8, $24::float8)::geography,
       region_code                = $26,
       city                       = $27,
       coverage_area              = $28,
       required_tools             = $29,
       tasks_and_responsibilities = $30,
       conditions_requirements    = $31,
       required_skills            = $32,
       deadline                   = $33,
       instant_book               = $34,
       payment_policy             = $35,
       updated_at                 = now()
 where service_id = $2
   and (owner_id = $1 or $3)
   and kind = $4;

-- name: service_link_categories :exec
-- $3 in place of the categories that $2 had.
with gone as (
  delete from service_category
   where service_id = $2
     and category_id <> all($3::uuid[])
)
insert into service_category (service_id, category_id, position)
select s.service_id, chosen.category_id, chosen.place - 1
  from service s,
       unnest($3::uuid[]) with ordinality as chosen (category_id, place)
 where s.service_id = $2
   and $1::uuid is not null
on conflict (service_id, category_id)
do update set position = excluded.position;

-- name: service_bidders :many ServiceBidderRow :bounded one live bid a provider
-- Who waits for an answer from the owner ($1; $3 an administrator), or does the
-- work.
select b.provider_id
  from bid b
  join service s using (service_id)
 where b.service_id = $2
   and (s.owner_id = $1 or $3)
   and b.status in ('REQUESTED', 'PENDING', 'COUNTERED', 'ACCEPTED');

-- name: service_deactivate :exec
-- Under service_lock.
update service
   set is_active  = false,
       updated_at = now()
 where service_id = $2
   and (owner_id = $1 or $3);

-- name: service_cancel :exec
-- Under service_lock.
update service
   set status     = 'CANCELLED',
       updated_at = now()
 where service_id = $2
   and (owner_id = $1 or $3)
   and status = 'OPEN'
   and is_active;

-- name: service_open_again :exec
-- Under service_lock.
update service
   set status     = 'OPEN',
       updated_at = now()
 where service_id = $2
   and (owner_id = $1 or $3)
   and status = 'CANCELLED'
   and is_active
   and (deadline is null or deadline > now());
