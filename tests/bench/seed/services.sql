-- `services` services by `people` seekers and providers (a fifth as many of each
-- when nobody is there yet), numbered from 1. All are listed.
--
--   n % 5 = 0       NEEDED, by a seeker: OPEN, but where n / 5 % 10 is 1 or 2
--                   (COMPLETED) or 3 (CANCELLED)
--   n % 5 <> 0      OFFERED, by a provider, OPEN; a course where n % 10 = 7
--   n % 10 = 3      has two pricing options
--
-- 35 % are in Cairo and 25 % in Alexandria, denser towards the centres (30.0444 N
-- 31.2357 E, 31.2001 N 29.9187 E) and up to about 30 km away; the rest is anywhere
-- from 24 to 31 N and from 29 to 33.5 E. They were posted one after the other over
-- the last two years. Of the 40 leaves of the category tree, by slug, the first
-- has 10 % of the services and the last 1.5 %; three of ten services have a second
-- one.
--
-- More are added to those that are there from number `first` on; `of` is how many
-- there will be in the end, for the times.
--
-- No index is dropped meanwhile: they are as full as daily use leaves them. That
-- costs 200,000 services 26 s of one processor instead of 23.
\ir ids.sql
\if :{?services}
\else
    \set services 200000
\endif
\if :{?first}
\else
    \set first 1
\endif
\if :{?of}
\else
    \set of :services
\endif
\if :{?people}
\else
    select greatest(1000, :services / 5) as people \gset
\endif
\ir people.sql

begin;

select array_agg(category_id order by slug) as ids,
       array_agg(name order by slug) as names,
       count(*) as leaves
  from category
 where parent_id is not null
   and is_active
\gset

create temporary table seed_service on commit drop as
with drawn as materialized (
  select n,
         n % 5 = 0 as is_needed,
         n % 10 = 7 as is_course,
         pg_temp.seed_pick(n, 1, 1, 100) as place,
         1 + floor(:leaves * power(pg_temp.seed_pick(n, 2, 0, 999999) / 1e6::float8, 1.6))::int
           as category,
         case when pg_temp.seed_pick(n, 3, 1, 10) <= 3
              then pg_temp.seed_pick(n, 4, 1, :leaves) end as second_category
    from generate_series(:first::bigint, :services) as s (n)
), placed as (
  select d.*,
         nullif(second_category, category) as other_category,
         case when place <= 35 then 'Cairo'
              when place <= 60 then 'Alexandria'
              else (array['Tanta', 'Mansoura', 'Fayoum', 'Minya', 'Asyut', 'Sohag',
                          'Suez', 'Luxor'])[pg_temp.seed_pick(n, 5, 1, 8)] end as city,
         case when place <= 35 then 31.2357 + 0.3 * pg_temp.seed_bell(n, 40)
              when place <= 60 then 29.9187 + 0.3 * pg_temp.seed_bell(n, 40)
              else pg_temp.seed_pick(n, 6, 29000000, 33500000) / 1000000.0 end as longitude,
         case when place <= 35 then 30.0444 + 0.3 * pg_temp.seed_bell(n, 50)
              when place <= 60 then 31.2001 + 0.3 * pg_temp.seed_bell(n, 50)
              else pg_temp.seed_pick(n, 7, 24000000, 31000000) / 1000000.0 end as latitude
    from drawn d
)
select n, is_needed, is_course, city, longitude, latitude,
       pg_temp.seed_id('5e000000', n) as service_id,
       case when is_needed
            then pg_temp.seed_id('a1000000', pg_temp.seed_pick(n, 8, 1, :people))
            else pg_temp.seed_id('a2000000', pg_temp.seed_pick(n, 9, 1, :people))
       end as owner_id,
       array_remove(array[(:'ids'::uuid[])[category], (:'ids'::uuid[])[other_category]],
                    null) as category_ids,
       (:'names'::text[])[category] as category,
       concat_ws(' ', (:'names'::text[])[category], (:'names'::text[])[other_category])
         as category_names,
       case when not is_needed then 'OPEN'
            when n / 5 % 10 in (1, 2) then 'COMPLETED'
            when n / 5 % 10 = 3 then 'CANCELLED'
            else 'OPEN' end as status,
       date_trunc('hour', now()) - interval '1 second'
         * (63072000.0 * (1 - n / :of::float8) + 60) as created_at
  from placed;

insert into service (service_id, owner_id, kind, is_course, title, description, tags,
                     price_minor, price_currency, pricing_unit, pricing_options,
                     is_negotiable, estimated_duration, duration_unit, delivery_method,
                     occurrence, city, location_text, coordinates, coverage_area,
                     required_tools, required_skills, deadline, status, instant_book,
                     payment_policy, views_count, completed_at, category_ids,
                     category_names, created_at, updated_at)
select service_id, owner_id,
       case when is_needed then 'NEEDED' else 'OFFERED' end,
       is_course,
       (array['Reliable', 'Careful', 'Quick', 'Friendly', 'Experienced', 'Affordable',
              'Certified', 'Local'])[pg_temp.seed_pick(n, 10, 1, 8)]
         || ' ' || lower(category)
         || (array[' in ', ' around ', ' near ', ' for all of '])[pg_temp.seed_pick(n, 11, 1, 4)]
         || city,
       (array['Many years of practice and good references.',
              'Small and large jobs, in the evening too.',
              'We agree on everything before the work begins.',
              'Clean work at a price that was told before.',
              'Please describe what has to be done and when.',
              'Materials are included, travel is charged apart.',
              'A first visit and an estimate cost nothing.',
              'Everything that is needed is brought along.'])
         [pg_temp.seed_pick(n, 12, 1, 8)] || ' '
         || (array['Answers come within an hour on most days.',
                   'Weekends are possible if they are planned early.',
                   'Pictures of earlier work are sent on request.',
                   'Arabic and English are both fine with me.',
                   'A guarantee of one year comes with the work.',
                   'Repeated work costs less than the first time.'])
              [pg_temp.seed_pick(n, 13, 1, 6)] || ' No ' || n || '.',
       array[lower(category), lower(city)],
       pg_temp.seed_pick(n, 14, 10, 100) * pg_temp.seed_pick(n, 15, 100, 5000), 'USD',
       (array['FIXED', 'HOURLY', 'FROM', 'DAILY'])[pg_temp.seed_pick(n, 16, 1, 4)],
       case when n % 10 = 3
            then '[{"name": "Basic", "description": "What most people take", "amount_minor": 5000, "unit": "FIXED", "duration": "2 days"}, {"name": "Full", "description": "With everything", "amount_minor": 12000, "unit": "FIXED", "duration": "1 week"}]'::jsonb
            else '[]' end,
       n % 2 = 0,
       pg_temp.seed_pick(n, 17, 1, 14),
       (array['HOURS', 'DAYS', 'WEEKS'])[pg_temp.seed_pick(n, 18, 1, 3)],
       (array['ONSITE', 'ONLINE', 'HYBRID'])[pg_temp.seed_pick(n, 19, 1, 3)],
       case when n % 3 = 0 then 'RECURRING' else 'ONE_TIME' end,
       city, 'Street ' || pg_temp.seed_pick(n, 20, 1, 200) || ', ' || city,
       st_point(longitude, latitude)::geography,
       'Greater ' || city,
       case when is_needed then '{ladder}'::text[] else '{}' end,
       case when is_needed then '{patience,"own tools"}'::text[] else '{}' end,
       case when is_needed and status = 'OPEN'
            then date_trunc('hour', now())
                 + interval '1 day' * pg_temp.seed_pick(n, 21, 30, 120) end,
       status, not is_needed and n % 4 = 0,
       case when n % 3 = 0 then 'OFFLINE' else 'PREPAY' end,
       pg_temp.seed_pick(n, 22, 0, 300),
       case when status = 'COMPLETED' then created_at + interval '3 days' end,
       category_ids, category_names, created_at, created_at
  from seed_service;

insert into service_category (service_id, category_id, position)
select s.service_id, c.category_id, c.place - 1
  from seed_service s
 cross join unnest(s.category_ids) with ordinality as c (category_id, place);

commit;

vacuum (analyze) service, service_category;
