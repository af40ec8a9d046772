-- Work that is offered or needed.

-- array_to_string() is only stable, since it may meet any type; over text it
-- never changes its mind.
create function words(texts text[]) returns text
  language sql immutable parallel safe
as $$ select array_to_string(texts, ' ') $$;

-- Key space: owner_id.
create table service (
  service_id           uuid primary key default uuid7(),
  owner_id             uuid not null
                       references account (user_id) on delete cascade,
  request_id           uuid,
  kind                 text not null
                       constraint service_kind_known
                       check (kind in ('OFFERED', 'NEEDED')),
  is_course            boolean not null default false
                       constraint service_course_is_offered
                       check (not is_course or kind = 'OFFERED'),
  title                text not null
                       constraint service_title_length
                       check (char_length(title) between 5 and 200),
  description          text not null
                       constraint service_description_length
                       check (char_length(description) between 1 and 10000),
  tags                 text[] not null default '{}'
                       constraint service_tags_count
                       check (cardinality(tags) <= 20),
  price_minor          bigint not null
                       constraint service_price_range
                       check (price_minor between 0 and 1000000000000),
  price_currency       text not null
                       constraint service_price_currency_form
                       check (price_currency ~ '^[A-Z]{3}$'),
  pricing_unit         text not null default 'FIXED'
                       constraint service_pricing_unit_known
                       check (pricing_unit in
                              ('FIXED', 'HOURLY', 'DAILY', 'WEEKLY', 'MONTHLY',
                               'PER_SESSION', 'PER_ITEM', 'FROM')),
  pricing_options      jsonb not null default '[]'
                       constraint service_pricing_options_count
                       check (jsonb_typeof(pricing_options) = 'array'
                              and jsonb_array_length(pricing_options) <= 10),
  price_description    text not null default '',
  is_negotiable        boolean not null default false,
  min_hours            integer not null default 0,
  max_hours            integer not null default 0,
  estimated_duration   integer not null default 0
                       constraint service_duration_range
                       check (estimated_duration between 0 and 10000),
  duration_unit        text not null default 'HOURS'
                       constraint service_duration_unit_known
                       check (duration_unit in
                              ('HOURS', 'DAYS', 'WEEKS', 'MONTHS')),
  duration_description text not null default '',
  delivery_method      text not null default 'ONSITE'
                       constraint service_delivery_method_known
                       check (delivery_method in
                              ('ONLINE', 'ONSITE', 'HYBRID')),
  occurrence           text not null default 'ONE_TIME'
                       constraint service_occurrence_known
                       check (occurrence in ('ONE_TIME', 'RECURRING')),
  location_text        text not null default '',
  region_code          text not null default '',
  city                 text not null default '',
  coordinates          geography(Point, 4326),
  coverage_area        text not null default '',
  required_tools       text[] not null default '{}',
  tasks_and_responsibilities text[] not null default '{}',
  conditions_requirements    text[] not null default '{}',
  required_skills      text[] not null default '{}',
  deadline             timestamptz,
  status               text not null default 'OPEN'
                       constraint service_status_known
                       check (status in ('OPEN', 'IN_PROGRESS', 'COMPLETED',
                                         'CANCELLED')),
  is_active            boolean not null default true,
  is_featured          boolean not null default false,
  moderation_status    text not null default 'APPROVED'
                       constraint service_moderation_status_known
                       check (moderation_status in ('PENDING', 'APPROVED',
                                                    'FLAGGED', 'REMOVED')),
  assigned_to          uuid references account (user_id) on delete set null,
  instant_book         boolean not null default false,
  payment_policy       text not null default 'PREPAY'
                       constraint service_payment_policy_known
                       check (payment_policy in
                              ('PREPAY', 'POSTPAY', 'OFFLINE')),
  views_count          integer not null default 0,
  bids_count           integer not null default 0,
  bookings_count       integer not null default 0,
  completed_at         timestamptz,
  created_at           timestamptz not null default now(),
  updated_at           timestamptz not null default now(),

  -- Copies of the owner's account and of service_category, so that one index
  -- serves a search or a sorted feed, and one row a reader.
  owner_type           text not null default '',
  owner_name           text not null default '',
  owner_avatar         text not null default '',
  owner_rating         double precision not null default 0, -- 0: not rated
  owner_reviews        integer not null default 0,
  owner_is_active      boolean not null default true,
  category_ids         uuid[] not null
                       constraint service_has_categories
                       check (cardinality(category_ids) between 1 and 5),
  category_names       text not null default '',

  -- What everybody may see.
  is_listed            boolean not null generated always as
                       (is_active and owner_is_active
                        and moderation_status = 'APPROVED') stored,
  duration_hours       integer generated always as
                       (nullif(estimated_duration, 0)
                        * case duration_unit when 'HOURS'  then 1
                                             when 'DAYS'   then 24
                                             when 'WEEKS'  then 168
                                             when 'MONTHS' then 720 end) stored,
  search               tsvector not null generated always as
                       (setweight(to_tsvector('simple', title), 'A')
                        || setweight(to_tsvector('simple',
                             words(tags) || ' ' || category_names || ' '
                             || owner_name), 'B')
                        || setweight(to_tsvector('simple',
                             city || ' ' || location_text), 'C')
                        || setweight(to_tsvector('simple', description), 'D'))
                       stored,

  constraint service_request_once unique (owner_id, request_id),
  constraint service_hours_order
    check (min_hours >= 0 and (max_hours = 0 or min_hours <= max_hours)),
  constraint service_needed_has_budget
    check (kind = 'OFFERED' or price_minor > 0),
  constraint service_work_is_needed
    check (status <> 'IN_PROGRESS' or kind = 'NEEDED')
) with (fillfactor = 90); -- counters are then updated in place

-- The feeds: newest first, by what a caller sees. A scan backwards serves the
-- other direction.
create index service_feed
    on service (kind, is_course, created_at, service_id)
 where is_listed and status = 'OPEN';
create index service_by_age
    on service (created_at, service_id)
 where is_listed and status = 'OPEN';
create index service_by_status
    on service (kind, status, created_at, service_id)
 where is_listed;

-- The other orders; a feed's kind is filtered on the way.
create index service_by_price
    on service (price_minor, service_id)
 where is_listed and status = 'OPEN';
create index service_by_rating
    on service (owner_rating, service_id)
 where is_listed and status = 'OPEN';
create index service_by_duration
    on service ((coalesce(duration_hours, 2147483647)), service_id)
 where is_listed and status = 'OPEN';
create index service_by_deadline
    on service ((coalesce(deadline, '9999-12-31 00:00:00+00')), service_id)
 where is_listed and status = 'OPEN';

create index service_by_owner
    on service (owner_id, created_at, service_id);
create index service_by_assignee
    on service (assigned_to)
 where assigned_to is not null;
create index service_by_city
    on service (lower(city), created_at, service_id)
 where is_listed and status = 'OPEN';
create index service_by_categories
    on service using gin (category_ids)
 where is_listed and status = 'OPEN';
create index service_by_place
    on service using gist (coordinates)
 where is_listed and status = 'OPEN';
create index service_by_words
    on service using gin (search);
create index service_by_spelling
    on service using gin (title gin_trgm_ops)
 where is_listed and status = 'OPEN';

-- The categories of a service, the primary one at position 0. It keeps a
-- category that is in use from being deleted.
-- Key space: service_id's owner.
create table service_category (
  service_id  uuid not null references service on delete cascade,
  category_id uuid not null references category on delete restrict,
  position    smallint not null
              constraint service_category_position
              check (position between 0 and 4),
  primary key (service_id, category_id),
  constraint service_category_order unique (service_id, position) deferrable
);

create index service_category_by_category
    on service_category (category_id, service_id);

-- Who looked at what today, so that a person counts once a day. Older rows say
-- nothing any more and are removed as new ones come.
-- Key space: service_id's owner.
create table service_view (
  viewed_on  date not null,
  service_id uuid not null references service on delete cascade,
  viewer_id  uuid not null,
  primary key (viewed_on, service_id, viewer_id)
);

create index service_view_by_service on service_view (service_id);

-- Keeping the copies. A name, a rating or a suspension changes rarely and a
-- feed is read all the time, so the writer pays.
create function service_copy_owner() returns trigger
  language plpgsql
as $$
begin
  select a.user_type, a.full_name, a.account_status = 'ACTIVE',
         coalesce(p.avatar_url, ''), coalesce(p.rating_avg, 0),
         coalesce(p.total_reviews, 0)
    into new.owner_type, new.owner_name, new.owner_is_active,
         new.owner_avatar, new.owner_rating, new.owner_reviews
    from account a
    left join profile p using (user_id)
   where a.user_id = new.owner_id;
  return new;
end
$$;
create trigger service_copies_owner
  before insert on service
  for each row execute function service_copy_owner();

create function service_follow_account() returns trigger
  language plpgsql
as $$
begin
  update service
     set owner_type      = new.user_type,
         owner_name      = new.full_name,
         owner_is_active = new.account_status = 'ACTIVE'
   where owner_id = new.user_id;
  return null;
end
$$;
create trigger account_stands_on_services
  after update of user_type, full_name, account_status on account
  for each row
  when ((old.user_type, old.full_name, old.account_status = 'ACTIVE')
        is distinct from
        (new.user_type, new.full_name, new.account_status = 'ACTIVE'))
  execute function service_follow_account();

create function service_follow_profile() returns trigger
  language plpgsql
as $$
begin
  update service
     set owner_avatar  = new.avatar_url,
         owner_rating  = coalesce(new.rating_avg, 0),
         owner_reviews = new.total_reviews
   where owner_id = new.user_id;
  return null;
end
$$;
create trigger profile_stands_on_services
  after update of avatar_url, rating_avg, total_reviews on profile
  for each row
  when ((old.avatar_url, old.rating_avg, old.total_reviews)
        is distinct from
        (new.avatar_url, new.rating_avg, new.total_reviews))
  execute function service_follow_profile();

create function service_follow_category() returns trigger
  language plpgsql
as $$
begin
  update service s
     set category_names = names.category_names
    from (select sc.service_id,
                 string_agg(c.name, ' ' order by sc.position) as category_names
            from service_category sc
            join category c using (category_id)
           where sc.service_id in (select service_id
                                     from service_category
                                    where category_id = new.category_id)
           group by sc.service_id) names
   where s.service_id = names.service_id;
  return null;
end
$$;
create trigger category_names_services
  after update of name on category
  for each row
  when (old.name is distinct from new.name)
  execute function service_follow_category();
