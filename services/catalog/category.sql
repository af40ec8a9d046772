-- fragment: category_columns
c.category_id,
       coalesce(c.parent_id::text, '') as parent_id,
       c.name,
       c.slug,
       c.description,
       c.icon,
       c.is_active,
       c.sort_order,
       c.band_min_minor as "price_band_min.amount_minor",
       c.band_currency  as "price_band_min.currency",
       c.band_max_minor as "price_band_max.amount_minor",
       c.band_currency  as "price_band_max.currency",
       c.allows_courses,
       c.created_at     as create_time,
       c.updated_at     as update_time;

-- name: category_list :many Category
-- The top level; with $1 each is followed by its children. $2 takes inactive
-- ones too.
select {{category_columns}}
  from category c
  left join category top on top.category_id = c.parent_id
 where (c.parent_id is null or $1)
   and (c.is_active or $2)
 order by coalesce(top.sort_order, c.sort_order),
          coalesce(top.category_id, c.category_id),
          c.parent_id is not null, c.sort_order, c.category_id
 limit 1000;

-- name: category_with_children :many Category
-- The category with id $1 or slug $2, and then its children. $3 takes inactive
-- ones too.
select {{category_columns}}
  from category root
  join category c on root.category_id in (c.category_id, c.parent_id)
 where (root.category_id = $1::uuid or root.slug = $2)
   and (root.is_active or $3)
   and (c.is_active or $3)
 order by c.category_id <> root.category_id, c.sort_order, c.category_id
 limit 1000;
