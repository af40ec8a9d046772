-- Where services stand in lists. A list is read in two steps, first the places
-- of one page and then the services (service_by_ids), so that an order costs
-- one short statement and no order can forget a column.
--
-- A null argument switches its condition off; :replan lets the planner see
-- which are on. $1 is the caller, null when nobody is signed in.

-- fragment: service_filter
s.is_listed
   and s.status = $2
   and ($3::text is null or s.kind = $3)
   and ($4::boolean is null or s.is_course = $4)
   and (not $5::boolean or s.owner_id is distinct from $1::uuid)
   and ($6::uuid is null or s.owner_id = $6)
   and ($7::text is null
        or s.search @@ websearch_to_tsquery('simple', $7))
   and ($8::uuid[] is null or s.service_id = any($8))
   and ($9::uuid[] is null or s.category_ids && $9)
   and ($10::text is null or lower(s.city) = lower($10))
   and ($11::text[] is null or s.region_code = any($11))
   and ($12::float8 is null
        or st_dwithin(s.coordinates, st_point($13::float8, $12)::geography,
                      $14::float8, false))
   and ($15::text is null or s.price_currency = $15)
   and ($16::bigint is null or s.price_minor >= $16)
   and ($17::bigint is null or s.price_minor <= $17)
   and ($18::text[] is null or s.delivery_method = any($18))
   and ($19::text is null or s.occurrence = $19)
   and ($20::boolean is null or (s.delivery_method <> 'ONSITE') = $20)
   and ($21::float8 is null or s.owner_rating >= $21)
   and ($22::integer is null or s.duration_hours >= $22)
   and ($23::integer is null or s.duration_hours <= $23)
   and ($24::timestamptz is null or s.created_at >= $24)
   and ($25::timestamptz is null or s.created_at < $25)
   and ($26::boolean is null or s.is_featured = $26);

-- name: service_count :one ServiceCountRow :replan
-- Up to $27; counting on would cost more than anybody gains.
select count(*) as total
  from (select
          from service s
         where {{service_filter}}
         limit $27) counted;

-- name: services_newest :many ServicePlaceRow :replan
select s.service_id, s.created_at as time_key
  from service s
 where {{service_filter}}
   and ($27::timestamptz is null
        or (s.created_at, s.service_id) < ($27, $28::uuid))
 order by s.created_at desc, s.service_id desc
 limit $29;

-- name: services_oldest :many ServicePlaceRow :replan
select s.service_id, s.created_at as time_key
  from service s
 where {{service_filter}}
   and ($27::timestamptz is null
        or (s.created_at, s.service_id) > ($27, $28::uuid))
 order by s.created_at, s.service_id
 limit $29;

-- name: services_cheapest :many ServicePlaceRow :replan
select s.service_id, s.price_minor as number_key
  from service s
 where {{service_filter}}
   and ($27::bigint is null
        or (s.price_minor, s.service_id) > ($27, $28::uuid))
 order by s.price_minor, s.service_id
 limit $29;

-- name: services_dearest :many ServicePlaceRow :replan
select s.service_id, s.price_minor as number_key
  from service s
 where {{service_filter}}
   and ($27::bigint is null
        or (s.price_minor, s.service_id) < ($27, $28::uuid))
 order by s.price_minor desc, s.service_id desc
 limit $29;

-- name: services_quickest :many ServicePlaceRow :replan
select s.service_id, coalesce(s.duration_hours, 2147483647) as number_key
  from service s
 where {{service_filter}}
   and ($27::integer is null
        or (coalesce(s.duration_hours, 2147483647), s.service_id) > ($27, $28::uuid))
 order by coalesce(s.duration_hours, 2147483647), s.service_id
 limit $29;

-- name: services_most_urgent :many ServicePlaceRow :replan
select s.service_id, coalesce(s.deadline, '9999-12-31 00:00:00+00') as time_key
  from service s
 where {{service_filter}}
   and ($27::timestamptz is null
        or (coalesce(s.deadline, '9999-12-31 00:00:00+00'), s.service_id) > ($27, $28::uuid))
 order by coalesce(s.deadline, '9999-12-31 00:00:00+00'), s.service_id
 limit $29;

-- name: services_best_rated :many ServicePlaceRow :replan
select s.service_id, s.owner_rating as real_key
  from service s
 where {{service_filter}}
   and ($27::float8 is null
        or (s.owner_rating, s.service_id) < ($27, $28::uuid))
 order by s.owner_rating desc, s.service_id desc
 limit $29;

-- name: services_nearest :many ServicePlaceRow :replan
-- Nearest first around latitude $30 and longitude $31, up to $32 metres. The
-- index gives distances in order, but equal ones in any: the inner query takes
-- all that tie for the last place, the outer one breaks the ties. The radius
-- stands outside, because nobody can tell the planner how many live in it.
select near.service_id, near.real_key
  from (select s.service_id,
               s.coordinates <-> st_point($31, $30)::geography as real_key
          from service s
         where {{service_filter}}
           and ($27::float8 is null
                or (s.coordinates <-> st_point($31::float8, $30::float8)::geography,
                    s.service_id) > ($27, $28::uuid))
         order by s.coordinates <-> st_point($31, $30)::geography
         fetch first $29 rows with ties) near
 where near.real_key <= $32::float8
 order by near.real_key, near.service_id
 limit $29;

-- name: services_spelt_like :many ServiceIdRow :replan
-- When no listed service has the words of $1: the ones with the most similar
-- titles.
select near.service_id
  from (select s.service_id, s.title
          from service s
         where s.is_listed
           and s.status = 'OPEN'
           and $1 <% s.title
           and not exists (select
                             from service hit
                            where hit.is_listed
                              and hit.search
                                  @@ websearch_to_tsquery('simple', $1))
         limit 1000) near
 order by word_similarity($1, near.title) desc, near.service_id
 limit 200;

-- name: category_family :many CategoryIdRow
-- The categories $1 and the one with slug $2, each with its children.
select c.category_id
  from category c
 where c.is_active
   and (c.category_id = any($1::uuid[])
        or c.parent_id = any($1)
        or c.slug = $2
        or c.parent_id = (select category_id from category where slug = $2))
 limit 1000;

-- name: services_mine :many ServicePlaceRow
-- All that $1 owns, of kind $2 and in status $3 where given.
select s.service_id, s.created_at as time_key
  from service s
 where s.owner_id = $1
   and ($2::text is null or s.kind = $2)
   and ($3::text is null or s.status = $3)
   and ($4::timestamptz is null
        or (s.created_at, s.service_id) < ($4, $5::uuid))
 order by s.created_at desc, s.service_id desc
 limit $6;

-- name: services_mine_count :one ServiceCountRow
select count(*) as total
  from (select
          from service s
         where s.owner_id = $1
           and ($2::text is null or s.kind = $2)
           and ($3::text is null or s.status = $3)
         limit $4) counted;
