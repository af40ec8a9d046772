-- The demo set: people around Cairo, Alexandria, Giza and Aswan, what they need
-- and offer, bids, bookings, rooms and notifications.
--
-- Nothing here is random: demo_pick() hashes the seed's number with a key, so
-- the same number makes the same people. Times are relative to today. Ids are
-- hashes too (UUIDv8), which is what makes a second run change nothing.
--
-- The caller sets prbal.seed_number and prbal.seed_password_hash.
begin;

create function pg_temp.demo_id(key text) returns uuid
  language sql immutable
as $$
  select overlay(
           overlay(md5(current_setting('prbal.seed_number') || '/' || key)
                   placing '8' from 13 for 1)
           placing 'a' from 17 for 1)::uuid
$$;

-- A number from low to high.
create function pg_temp.demo_pick(key text, low int, high int) returns int
  language sql immutable
as $$
  select low + (('x' || substr(md5(current_setting('prbal.seed_number') || ':' || key), 1, 8))::bit(32)::bigint
                % (high - low + 1))::int
$$;

create function pg_temp.demo_choice(key text, choices text[]) returns text
  language sql immutable
as $$ select choices[pg_temp.demo_pick(key, 1, cardinality(choices))] $$;

create temporary table demo_city (n int, name text, longitude float8, latitude float8)
  on commit drop;
insert into demo_city
values (1, 'Cairo',      31.2357, 30.0444),
       (2, 'Alexandria', 29.9187, 31.2001),
       (3, 'Giza',       31.2089, 30.0131),
       (4, 'Aswan',      32.8998, 24.0889);

-- 1-40 seekers, 41-80 providers, 81-100 both, 101 the administrator.
create temporary table demo_person on commit drop as
select p.n,
       pg_temp.demo_id('person ' || p.n) as user_id,
       case when p.n <= 40 then 'seeker' || p.n
            when p.n <= 80 then 'provider' || p.n - 40
            when p.n <= 100 then 'both' || p.n - 80
            else 'admin' end as username,
       case when p.n <= 40 then 'SEEKER'
            when p.n <= 80 then 'PROVIDER'
            when p.n <= 100 then 'BOTH'
            else 'ADMIN' end as user_type,
       pg_temp.demo_choice('first ' || p.n,
         array['Amina', 'Omar', 'Layla', 'Youssef', 'Nour', 'Karim', 'Salma',
               'Hassan', 'Mariam', 'Tarek', 'Dina', 'Mahmoud', 'Rania', 'Sherif',
               'Yasmin', 'Adel', 'Farida', 'Ibrahim', 'Heba', 'Samir'])
         as first_name,
       pg_temp.demo_choice('last ' || p.n,
         array['Hassan', 'Ali', 'Mansour', 'Farouk', 'Saleh', 'Nasser', 'Fahmy',
               'Zaki', 'Gamal', 'Helmy', 'Shafik', 'Rizk', 'Sabry', 'Wahba'])
         as last_name,
       pg_temp.demo_pick('city ' || p.n, 1, 4) as city,
       now() - interval '1 hour' * (24 * (120 - p.n) + 5) as created_at
  from generate_series(1, 101) as p (n);

insert into account (user_id, email, username, password_hash, first_name, last_name,
                     full_name, user_type, provider_kind, admin_level,
                     account_status, is_email_verified, is_verified, timezone,
                     created_at, updated_at)
select user_id, username || '@demo.prbal.test', username,
       current_setting('prbal.seed_password_hash'), first_name, last_name,
       first_name || ' ' || last_name, user_type,
       case when user_type in ('PROVIDER', 'BOTH') then 'PROFESSIONAL' end,
       case when user_type = 'ADMIN' then 'SUPERUSER' else 'NONE' end,
       'ACTIVE', true, n % 3 = 0, 'Africa/Cairo', created_at, created_at
  from demo_person
    on conflict do nothing;

-- Somebody real may have taken an address or a name: then no demo person is
-- made of it, and nothing that follows speaks of that person.
delete from demo_person p
 where not exists (select from account a where a.user_id = p.user_id);

insert into profile (user_id, bio, city, country, coordinates, rating_avg,
                     total_reviews, total_bookings, reputation_score,
                     created_at, updated_at)
select p.user_id,
       case when p.user_type in ('PROVIDER', 'BOTH')
            then 'Working in ' || c.name || ' for '
                 || pg_temp.demo_pick('years ' || p.n, 1, 10) || ' years.'
            else '' end,
       c.name, 'EG',
       st_makepoint(c.longitude + pg_temp.demo_pick('x ' || p.n, -800, 800) / 10000.0,
                    c.latitude + pg_temp.demo_pick('y ' || p.n, -800, 800) / 10000.0),
       case when p.user_type in ('PROVIDER', 'BOTH')
            then pg_temp.demo_pick('rating ' || p.n, 350, 500) / 100.0 end,
       case when p.user_type in ('PROVIDER', 'BOTH')
            then pg_temp.demo_pick('reviews ' || p.n, 1, 50) else 0 end,
       0, pg_temp.demo_pick('reputation ' || p.n, 40, 95),
       p.created_at, p.created_at
  from demo_person p
  join demo_city c on c.n = p.city
    on conflict do nothing;

insert into provider_profile (user_id, business_name, years_of_experience,
                              service_radius_km, hourly_rate_minor,
                              hourly_rate_currency, is_onboarded, is_featured)
select user_id, first_name || ' ' || last_name || ' Services',
       pg_temp.demo_pick('years ' || n, 1, 10),
       pg_temp.demo_pick('radius ' || n, 1, 8) * 5,
       pg_temp.demo_pick('rate ' || n, 10, 80) * 100, 'USD', true, n % 10 = 0
  from demo_person
 where user_type in ('PROVIDER', 'BOTH')
    on conflict do nothing;

insert into user_preference (user_id, currency, onboarding_completed)
select user_id, 'USD', true
  from demo_person
    on conflict do nothing;

-- 1-133 are needed (53 open, 40 in progress, 30 completed, 10 cancelled), the
-- rest is offered.
create temporary table demo_service on commit drop as
with drawn as (
  select s.n,
         s.n <= 133 as is_needed,
         case when s.n <= 133
              then pg_temp.demo_pick('seeker ' || s.n, 1, 60)
              else pg_temp.demo_pick('provider ' || s.n, 1, 60) end as drawn_person,
         pg_temp.demo_pick('category ' || s.n, 1,
           (select count(*)::int from category
             where parent_id is not null and is_active)) as category
    from generate_series(1, 200) as s (n)
), chosen as (
  -- The 60 are 40 of one kind and the 20 who are both.
  select d.*,
         case when not is_needed then drawn_person + 40
              when drawn_person <= 40 then drawn_person
              else drawn_person + 40 end as person
    from drawn d
), leaf as (
  select c.category_id, c.name, row_number() over (order by c.slug) as n
    from category c
   where c.parent_id is not null and c.is_active
)
select c.n,
       pg_temp.demo_id('service ' || c.n) as service_id,
       p.user_id as owner_id,
       p.n as person,
       c.is_needed,
       l.category_id,
       l.name as category,
       t.name as city,
       t.longitude + pg_temp.demo_pick('sx ' || c.n, -800, 800) / 10000.0 as longitude,
       t.latitude + pg_temp.demo_pick('sy ' || c.n, -800, 800) / 10000.0 as latitude,
       pg_temp.demo_pick('price ' || c.n, 100, 5000) * 100 as price_minor,
       pg_temp.demo_choice('delivery ' || c.n, array['ONSITE', 'ONLINE', 'HYBRID'])
         as delivery_method,
       case when c.n <= 53 or c.n > 133 then 'OPEN'
            when c.n <= 93 then 'IN_PROGRESS'
            when c.n <= 123 then 'COMPLETED'
            else 'CANCELLED' end as status,
       now() - interval '1 minute' * pg_temp.demo_pick('made ' || c.n, 60, 40000)
         as created_at
  from chosen c
  join demo_person p on p.n = c.person
  join demo_city t on t.n = p.city
  join leaf l on l.n = c.category;

insert into service (service_id, owner_id, kind, title, description, tags,
                     price_minor, price_currency, pricing_unit, is_negotiable,
                     estimated_duration, duration_unit, delivery_method, city,
                     location_text, coordinates, deadline, status, instant_book,
                     payment_policy, views_count, completed_at, category_ids,
                     category_names, created_at, updated_at)
select s.service_id, s.owner_id,
       case when s.is_needed then 'NEEDED' else 'OFFERED' end,
       replace(replace(
         case when s.is_needed
              then pg_temp.demo_choice('title ' || s.n, array[
                     'Looking for help with {what} in {city}',
                     '{what}: somebody reliable wanted',
                     'Who can do {what} this month?',
                     '{what} in {city}, offers welcome',
                     'Small job: {what}'])
              else pg_temp.demo_choice('title ' || s.n, array[
                     '{what}, done well and on time',
                     'Experienced in {what}, all of {city}',
                     '{what} at a fair price',
                     '{what} with a guarantee'])
         end, '{what}', s.category), '{city}', s.city),
       case when s.is_needed
            then 'I am looking for somebody for ' || s.category || '. Please say '
                 || 'when you could begin and what you have done before.'
            else 'I have done ' || s.category || ' in ' || s.city || ' for years '
                 || 'and bring everything that is needed.' end,
       array[lower(s.category), lower(s.city)],
       s.price_minor, 'USD',
       case when s.is_needed then 'FIXED'
            else pg_temp.demo_choice('unit ' || s.n, array['FIXED', 'HOURLY', 'FROM']) end,
       s.n % 2 = 0,
       pg_temp.demo_pick('takes ' || s.n, 1, 14), 'DAYS', s.delivery_method,
       s.city, s.city || ', Egypt', st_makepoint(s.longitude, s.latitude),
       case when s.status = 'OPEN' and s.is_needed
            then now() + interval '1 day' * pg_temp.demo_pick('due ' || s.n, 1, 60) end,
       s.status, not s.is_needed and s.n % 4 = 0, 'OFFLINE',
       pg_temp.demo_pick('views ' || s.n, 0, 300),
       case when s.status = 'COMPLETED' then s.created_at + interval '30 minutes' end,
       array[s.category_id], s.category, s.created_at, s.created_at
  from demo_service s
    on conflict do nothing;

insert into service_category (service_id, category_id, position)
select service_id, category_id, 0
  from demo_service
    on conflict (service_id, category_id) do nothing;

-- 3-10 providers bid on what is needed. The first of them gets the work that is
-- in progress or done.
create temporary table demo_bid on commit drop as
select distinct on (s.service_id, p.user_id)
       pg_temp.demo_id('bid ' || s.n || ' ' || b.n) as bid_id,
       s.service_id, s.n as service, b.n, s.owner_id as seeker_id,
       p.user_id as provider_id, p.first_name || ' ' || p.last_name as full_name,
       s.category, s.status as service_status,
       s.price_minor * pg_temp.demo_pick('amount ' || s.n || ' ' || b.n, 80, 120) / 100
         as amount_minor,
       s.created_at + interval '1 minute' * b.n as created_at
  from demo_service s
 cross join generate_series(1, 10) as b (n)
  join demo_person p
    on p.n = pg_temp.demo_pick('bidder ' || s.n || ' ' || b.n, 41, 100)
 where s.is_needed
   and b.n <= pg_temp.demo_pick('bids ' || s.n, 3, 10)
   and p.user_id <> s.owner_id
 order by s.service_id, p.user_id, b.n;

alter table demo_bid add column status text;
update demo_bid b
   set status = case when first.bid_id is null and b.service_status in ('IN_PROGRESS', 'COMPLETED')
                     then 'REJECTED'
                     when b.service_status = 'IN_PROGRESS' then 'ACCEPTED'
                     when b.service_status = 'COMPLETED' then 'COMPLETED'
                     when b.service_status = 'CANCELLED' then 'REJECTED'
                     else 'PENDING' end
  from demo_bid self
  left join (select distinct on (service_id) bid_id
               from demo_bid
              order by service_id, n) first using (bid_id)
 where self.bid_id = b.bid_id;

insert into bid (bid_id, service_id, seeker_id, provider_id, amount_minor, currency,
                 duration, message, full_name, status, accepted_at, rejected_at,
                 completed_at, created_at, updated_at)
select bid_id, service_id, seeker_id, provider_id, amount_minor, 'USD',
       pg_temp.demo_choice('duration ' || service || ' ' || n,
         array['3-5 days', '1 week', '2 weeks', '1 month']),
       pg_temp.demo_choice('says ' || service || ' ' || n,
         array['I can begin this week.', 'I have done this many times.',
               'The price includes materials.', 'Happy to talk about the details.']),
       full_name, status,
       case when status in ('ACCEPTED', 'COMPLETED') then created_at + interval '5 minutes' end,
       case when status = 'REJECTED' then created_at + interval '5 minutes' end,
       case when status = 'COMPLETED' then created_at + interval '20 minutes' end,
       created_at, created_at
  from demo_bid
    on conflict do nothing;

update service s
   set bids_count = b.count,
       assigned_to = b.winner
  from (select service_id, count(*) as count,
               (array_agg(provider_id) filter
                 (where status in ('ACCEPTED', 'COMPLETED')))[1] as winner
          from demo_bid
         group by service_id) b
 where s.service_id = b.service_id
   and s.bids_count = 0;

-- A booking for each bid that won, and some that were made directly. Each of a
-- provider's confirmed bookings has a day of its own.
create temporary table demo_booking on commit drop as
with made as (
  select pg_temp.demo_id('booking of bid ' || b.service || ' ' || b.n) as booking_id,
         b.service_id, b.bid_id, b.seeker_id, b.provider_id, 'BID' as origin,
         case b.status when 'ACCEPTED'
              then pg_temp.demo_choice('stage ' || b.service, array['CONFIRMED', 'IN_PROGRESS'])
              else 'COMPLETED' end as status,
         b.amount_minor as total_minor, b.created_at + interval '5 minutes' as created_at,
         b.category
    from demo_bid b
   where b.status in ('ACCEPTED', 'COMPLETED')
   union all
  select pg_temp.demo_id('direct booking ' || s.n), s.service_id, null,
         p.user_id, s.owner_id, 'DIRECT',
         pg_temp.demo_choice('direct ' || s.n,
           array['PENDING', 'CONFIRMED', 'COMPLETED', 'CANCELLED', 'DECLINED']),
         s.price_minor, s.created_at + interval '10 minutes', s.category
    from demo_service s
    join demo_person p on p.n = pg_temp.demo_pick('booker ' || s.n, 1, 40)
   where not s.is_needed
)
select m.*,
       date_trunc('day', now())
         + case when m.status in ('IN_PROGRESS', 'COMPLETED') then interval '-1 day'
                else interval '1 day' end
           * (1 + row_number() over (partition by m.provider_id,
                                       m.status in ('IN_PROGRESS', 'COMPLETED')
                                     order by m.booking_id))
         + interval '9 hours' as start_at
  from made m;

insert into booking (booking_id, service_id, bid_id, seeker_id, provider_id, origin,
                     status, start_at, end_at, slot, timezone, total_minor,
                     platform_fee_minor, currency, payment_policy, accepted_at,
                     started_at, completed_at, cancelled_at, cancelled_by,
                     declined_at, created_at, updated_at)
select booking_id, service_id, bid_id, seeker_id, provider_id, origin, status,
       start_at, start_at + interval '3 hours',
       tstzrange(start_at, start_at + interval '3 hours'), 'Africa/Cairo',
       total_minor, total_minor / 10, 'USD', 'OFFLINE',
       case when status in ('CONFIRMED', 'IN_PROGRESS', 'COMPLETED') then created_at end,
       case when status in ('IN_PROGRESS', 'COMPLETED') then created_at + interval '1 minute' end,
       case when status = 'COMPLETED' then created_at + interval '2 minutes' end,
       case when status = 'CANCELLED' then created_at + interval '1 minute' end,
       case when status = 'CANCELLED' then seeker_id end,
       case when status = 'DECLINED' then created_at + interval '1 minute' end,
       created_at, created_at
  from demo_booking
    on conflict do nothing;

insert into booking_timeline_event (timeline_event_id, booking_id, type, actor_id, created_at)
select pg_temp.demo_id('timeline ' || b.booking_id || ' ' || step.type),
       b.booking_id, step.type,
       case when step.type in ('CREATED', 'CANCELLED') then b.seeker_id
            else b.provider_id end,
       b.created_at + interval '1 second' * step.n
  from demo_booking b
 cross join (values (1, 'CREATED'), (2, 'ACCEPTED'), (3, 'STARTED'), (4, 'COMPLETED'),
                    (5, 'CANCELLED'), (6, 'DECLINED')) as step (n, type)
 where step.type = 'CREATED'
    or step.type = 'ACCEPTED' and b.status in ('CONFIRMED', 'IN_PROGRESS', 'COMPLETED')
    or step.type = 'STARTED' and b.status in ('IN_PROGRESS', 'COMPLETED')
    or step.type = b.status
    on conflict do nothing;

-- The two people of a bid that won talk about it.
create temporary table demo_room on commit drop as
select pg_temp.demo_id('room of bid ' || b.service || ' ' || b.n) as room_id,
       b.bid_id, b.service_id, b.seeker_id, b.provider_id, b.category,
       pg_temp.demo_id('booking of bid ' || b.service || ' ' || b.n) as booking_id,
       b.created_at + interval '6 minutes' as created_at,
       pg_temp.demo_pick('talk ' || b.service, 2, 5) as messages
  from demo_bid b
 where b.status in ('ACCEPTED', 'COMPLETED');

insert into chat_room (room_id, kind, name, creator_id, low_id, high_id, service_id,
                       bid_id, booking_id, context_id, last_seq, active_at,
                       created_at, updated_at)
select room_id, 'CONTEXT', category, seeker_id, least(seeker_id, provider_id),
       greatest(seeker_id, provider_id), service_id, bid_id, booking_id, bid_id,
       messages, created_at + interval '1 minute' * messages, created_at, created_at
  from demo_room
    on conflict do nothing;

-- The seeker has not read the last message yet.
insert into room_member (room_id, user_id, role, read_seq, read_at, joined_at)
select room_id, seeker_id, 'MEMBER', messages - 1, created_at + interval '1 hour', created_at
  from demo_room
 union all
select room_id, provider_id, 'MEMBER', messages, created_at + interval '1 hour', created_at
  from demo_room
    on conflict do nothing;

insert into chat_message (message_id, room_id, seq, sender_id, message_type, content,
                          sent_at, updated_at)
select pg_temp.demo_id('message ' || r.room_id || ' ' || m.seq), r.room_id, m.seq,
       case when (r.messages - m.seq) % 2 = 0 then r.provider_id else r.seeker_id end,
       'TEXT',
       case when (r.messages - m.seq) % 2 = 0
            then pg_temp.demo_choice('p ' || r.room_id || m.seq,
                   array['Thank you! When would suit you?', 'I can come in the morning.',
                         'I will bring the tools.', 'See you then.'])
            else pg_temp.demo_choice('s ' || r.room_id || m.seq,
                   array['Hello, I have accepted your bid.', 'Sunday would be good.',
                         'Could you send a photo of earlier work?', 'That is fine.']) end,
       r.created_at + interval '1 minute' * m.seq, r.created_at + interval '1 minute' * m.seq
  from demo_room r
 cross join lateral generate_series(1, r.messages) as m (seq)
    on conflict do nothing;

insert into notification (notification_id, recipient_id, type, title, message,
                          related_object_type, related_object_id, service_id, bid_id,
                          sender_id, read_at, created_at, updated_at)
select pg_temp.demo_id('new bid ' || b.bid_id), b.seeker_id, 'NEW_BID',
       'New bid', b.full_name || ' bids on ' || b.category || '.', 'bid', b.bid_id,
       b.service_id, b.bid_id, b.provider_id,
       case when b.status <> 'PENDING' then b.created_at + interval '5 minutes' end,
       b.created_at, b.created_at
  from demo_bid b
 union all
select pg_temp.demo_id('accepted ' || b.bid_id), b.provider_id, 'BID_ACCEPTED',
       'Your bid was accepted', 'Your bid on ' || b.category || ' was accepted.', 'bid',
       b.bid_id, b.service_id, b.bid_id, b.seeker_id, null,
       b.created_at + interval '5 minutes', b.created_at + interval '5 minutes'
  from demo_bid b
 where b.status in ('ACCEPTED', 'COMPLETED')
    on conflict do nothing;

commit;
