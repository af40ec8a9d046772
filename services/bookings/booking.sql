-- What a booking looks like to its participants.  `k` is a booking.
-- fragment: booking_columns
k.booking_id,
       k.service_id,
       s.title               as service_title,
       k.bid_id,
       k.seeker_id           as "seeker.user_id",
       seeker.full_name      as "seeker.full_name",
       seeker.user_type      as "seeker.user_type",
       sp.avatar_url         as "seeker.avatar_url",
       sp.rating_avg         as "seeker.rating_avg",
       sp.total_reviews      as "seeker.total_reviews",
       k.provider_id         as "provider.user_id",
       provider.full_name    as "provider.full_name",
       provider.user_type    as "provider.user_type",
       pp.avatar_url         as "provider.avatar_url",
       pp.rating_avg         as "provider.rating_avg",
       pp.total_reviews      as "provider.total_reviews",
       k.origin,
       k.status,
       k.start_at            as start_time,
       k.end_at              as end_time,
       k.timezone,
       k.address,
       st_y(k.coordinates::geometry) as "coordinates.latitude",
       st_x(k.coordinates::geometry) as "coordinates.longitude",
       k.full_name,
       k.linkedin_url,
       k.notes,
       k.pricing_option,
       k.total_minor         as "total_amount.amount_minor",
       k.currency            as "total_amount.currency",
       k.platform_fee_minor  as "platform_fee.amount_minor",
       k.currency            as "platform_fee.currency",
       k.payment_policy,
       k.payment_status,
       k.cancel_reason,
       k.cancelled_by,
       k.decline_reason,
       k.accepted_at         as accept_time,
       k.started_at          as start_work_time,
       k.completed_at        as complete_time,
       k.cancelled_at        as cancel_time,
       k.declined_at         as decline_time,
       k.created_at          as create_time,
       k.updated_at          as update_time;

-- fragment: booking_tables
booking k
  left join service s   on s.service_id = k.service_id
  join account seeker   on seeker.user_id = k.seeker_id
  join profile sp       on sp.user_id = k.seeker_id
  join account provider on provider.user_id = k.provider_id
  join profile pp       on pp.user_id = k.provider_id;

-- What decides whether a booking may move.
-- fragment: booking_state_columns
k.booking_id,
       k.service_id,
       k.bid_id,
       k.seeker_id,
       k.provider_id,
       k.origin,
       k.status,
       k.payment_policy,
       k.payment_status,
       k.start_at as start_time,
       s.title    as service_title,
       s.owner_id as service_owner_id;

-- name: booking_target :one BookingTargetRow
-- The service as far as a booking depends on it; listed ones only.
-- $2 names one of its packages, or none.
select s.service_id,
       s.owner_id,
       s.title,
       s.kind,
       s.is_course,
       s.status,
       s.instant_book,
       s.min_hours,
       s.max_hours,
       $2 = '' or exists (
         select
           from jsonb_array_elements(s.pricing_options) o
          where o ->> 'name' = $2) as has_option
  from service s
 where s.service_id = $1
   and s.is_listed;

-- Who is about to take time in a provider's calendar stands in line for it, as
-- the first thing in the transaction: several that insert into
-- booking_slot_is_free at once would wait for each other in a circle.  An
-- account's row is the calendar's lock; it lets foreign keys pass.

-- name: calendar_lock :exec :write
-- A provider's ($1), for somebody who books.
select a.user_id
  from account a
 where a.user_id = $1
   for no key update of a;

-- name: calendar_lock_of_booking :exec :write
-- For the provider ($2) of a booking ($1), or an administrator ($3).
select a.user_id
  from booking k
  join account a on a.user_id = k.provider_id
 where k.booking_id = $1
   and (k.provider_id = $2 or $3)
   for no key update of a;

-- name: calendar_lock_of_bid :exec :write
-- For the seeker ($2) of a bid ($1), or an administrator ($3).
select a.user_id
  from bid b
  join account a on a.user_id = b.provider_id
 where b.bid_id = $1
   and (b.seeker_id = $2 or $3)
   for no key update of a;

-- name: booking_insert :one BookingIdRow
-- A direct booking.  $3 status; $4, $5 the time; $6 and $15 the minutes kept
-- free before and after; $14 the platform's part in hundredths of a per cent,
-- $16 a payment policy that overrules the service's, $17 the package ('': none).
-- No row when the caller has used this request_id ($18) before, or when the
-- service or the package has just been taken back.
insert into booking
       (service_id, seeker_id, provider_id, origin, status, start_at, end_at,
        slot, timezone, full_name, linkedin_url, notes, address, coordinates,
        pricing_option, total_minor, platform_fee_minor, currency,
        payment_policy, accepted_at, request_id)
select s.service_id,
       a.user_id,
       s.owner_id,
       case when s.is_course then 'COURSE' else 'DIRECT' end,
       $3,
       $4::timestamptz,
       $5::timestamptz,
       case when $4::timestamptz is not null
            then tstzrange($4 - $6::int * interval '1 minute',
                           $5 + $15::int * interval '1 minute') end,
       coalesce($7, a.timezone),
       $8,
       $9,
       $10,
       $11,
       st_setsrid(st_makepoint($12, $13), 4326)::geography,
       $17,
       t.minor,
       (t.minor * $14::bigint + 5000) / 10000,
       s.price_currency,
       coalesce($16, s.payment_policy),
       case when $3 = 'CONFIRMED' then now() end,
       $18
  from service s
 cross join account a
 cross join lateral (
       select s.price_minor as minor, s.pricing_unit as unit
        where $17 = ''
       union all
       select (o ->> 'amount_minor')::bigint, o ->> 'unit'
         from jsonb_array_elements(s.pricing_options) o
        where $17 <> ''
          and o ->> 'name' = $17
        limit 1
       ) price
 cross join lateral (
       select case when price.unit = 'HOURLY' and $4::timestamptz is not null
                   then round(price.minor
                              * extract(epoch from $5::timestamptz - $4)
                              / 3600)::bigint
                   else price.minor end as minor
       ) t
 where s.service_id = $1
   and a.user_id = $2
   and s.owner_id <> a.user_id
   and s.kind = 'OFFERED'
   and s.status = 'OPEN'
   and s.is_listed
on conflict on constraint booking_request_once do nothing
returning booking_id;

-- name: booking_of_request :one Booking
select {{booking_columns}}
  from {{booking_tables}}
 where k.seeker_id = $1
   and k.request_id = $2;

-- name: booking_insert_from_bid :one BookingIdRow
-- The booking of an accepted bid ($1).  $2 replaces the bid's start; $3 is the
-- address, $4 and $6 the minutes kept free before and after, $5 the platform's
-- part, $7 a payment policy that overrules the service's.  One that is paid in
-- advance stays PENDING until it is paid.
insert into booking
       (service_id, bid_id, seeker_id, provider_id, origin, status, start_at,
        end_at, slot, timezone, address, coordinates, full_name, total_minor,
        platform_fee_minor, currency, payment_policy, accepted_at)
select b.service_id,
       b.bid_id,
       b.seeker_id,
       b.provider_id,
       'BID',
       case when p.policy = 'PREPAY' then 'PENDING' else 'CONFIRMED' end,
       t.start_at,
       t.end_at,
       case when t.start_at is not null
            then tstzrange(t.start_at - $4::int * interval '1 minute',
                           t.end_at + $6::int * interval '1 minute') end,
       a.timezone,
       $3,
       s.coordinates,
       a.full_name,
       b.amount_minor,
       (b.amount_minor * $5::bigint + 5000) / 10000,
       b.currency,
       p.policy,
       case when p.policy <> 'PREPAY' then now() end
  from bid b
  join service s on s.service_id = b.service_id
  join account a on a.user_id = b.seeker_id
 cross join lateral (
       select case when b.duration_minutes > 0
                   then coalesce($2, b.scheduled_at) end as start_at,
              case when b.duration_minutes > 0
                   then coalesce($2, b.scheduled_at)
                        + b.duration_minutes * interval '1 minute' end as end_at
       ) t
 cross join lateral (
       select coalesce($7, s.payment_policy) as policy
       ) p
 where b.bid_id = $1
   and b.status = 'ACCEPTED'
returning booking_id;

-- name: booking_by_id :one Booking
-- For one of its participants, or for an administrator ($3).
select {{booking_columns}}
  from {{booking_tables}}
 where k.booking_id = $1
   and ($2 in (k.seeker_id, k.provider_id) or $3);

-- name: booking_of_bid :one Booking
select {{booking_columns}}
  from {{booking_tables}}
 where k.bid_id = $1
   and ($2 in (k.seeker_id, k.provider_id) or $3);

-- name: booking_contact :one Contact
-- How the caller ($2) reaches the other side, from CONFIRMED on.
select other.email,
       other.phone
  from booking k
  join account other
    on other.user_id = case when k.seeker_id = $2 then k.provider_id
                            else k.seeker_id end
 where k.booking_id = $1
   and $2 in (k.seeker_id, k.provider_id)
   and k.status in ('CONFIRMED', 'IN_PROGRESS', 'COMPLETED');

-- $1 the caller, $2 as provider, $3 as seeker; $4 to $8 narrow.
-- fragment: booking_filter
(($2 and k.provider_id = $1) or ($3 and k.seeker_id = $1))
   and ($4::text[] is null or k.status = any ($4))
   and ($5::uuid is null or k.service_id = $5)
   and ($6::boolean is null or (k.origin = 'COURSE') = $6)
   and ($7::timestamptz is null or k.end_at > $7)
   and ($8::timestamptz is null or k.start_at < $8);

-- name: bookings_count :one CountRow
-- Up to $9; counting on would cost more than anybody gains.
select count(*) as count
  from (select
          from booking k
         where {{booking_filter}}
         limit $9) counted;

-- name: bookings_newest_first :many Booking
-- $9, $10 the row that the page starts behind.
select {{booking_columns}}
  from {{booking_tables}}
 where {{booking_filter}}
   and ($9::timestamptz is null
        or (k.created_at, k.booking_id) < ($9, $10::uuid))
 order by k.created_at desc, k.booking_id desc
 limit $11;

-- name: bookings_oldest_first :many Booking
select {{booking_columns}}
  from {{booking_tables}}
 where {{booking_filter}}
   and ($9::timestamptz is null
        or (k.created_at, k.booking_id) > ($9, $10::uuid))
 order by k.created_at, k.booking_id
 limit $11;

-- name: bookings_soonest_first :many Booking
-- Those without a time come last.
select {{booking_columns}}
  from {{booking_tables}}
 where {{booking_filter}}
   and ($9::timestamptz is null
        or (coalesce(k.start_at, '9999-12-31Z'), k.booking_id)
           > ($9, $10::uuid))
 order by coalesce(k.start_at, '9999-12-31Z'), k.booking_id
 limit $11;

-- name: bookings_latest_first :many Booking
-- Those without a time come last.
select {{booking_columns}}
  from {{booking_tables}}
 where {{booking_filter}}
   and ($9::timestamptz is null
        or (coalesce(k.start_at, '1970-01-01Z'), k.booking_id)
           < ($9, $10::uuid))
 order by coalesce(k.start_at, '1970-01-01Z') desc, k.booking_id desc
 limit $11;

-- name: booking_lock :one BookingStateRow
-- What decides whether the caller ($2; $3 an administrator) may move it; held
-- until the transaction ends.
select {{booking_state_columns}}
  from booking k
  left join service s on s.service_id = k.service_id
 where k.booking_id = $1
   and ($2 in (k.seeker_id, k.provider_id) or $3)
   for update of k;

-- name: booking_lock_service :exec :write
-- The service of a booking ($1) that came from a bid, for who ($2; $3 an
-- administrator) may end both. Before booking_lock, as locks come in one order
-- everywhere: calendar, service, its bids, their bookings.
select s.service_id
  from booking k
  join service s on s.service_id = k.service_id
 where k.booking_id = $1
   and ($2 in (k.seeker_id, k.provider_id) or $3)
   and k.origin = 'BID'
   for no key update of s;

-- name: booking_move :exec
-- Compare and set, from $2 to $3, by $4 with a reason.
update booking
   set status         = $3,
       accepted_at    = case when $3 = 'CONFIRMED' then now() else accepted_at end,
       started_at     = case when $3 = 'IN_PROGRESS' then now() else started_at end,
       completed_at   = case when $3 = 'COMPLETED' then now() else completed_at end,
       cancelled_at   = case when $3 = 'CANCELLED' then now() else cancelled_at end,
       declined_at    = case when $3 = 'DECLINED' then now() else declined_at end,
       cancelled_by   = case when $3 = 'CANCELLED' then $4 else cancelled_by end,
       cancel_reason  = case when $3 = 'CANCELLED' then $5 else cancel_reason end,
       decline_reason = case when $3 = 'DECLINED' then $5 else decline_reason end,
       updated_at     = now()
 where booking_id = $1
   and status = $2;

-- name: bookings_lock_pending_of_service :many BookingStateRow :bounded pending bookings of one service
select {{booking_state_columns}}
  from booking k
  join service s on s.service_id = k.service_id
 where k.service_id = $1
   and k.status = 'PENDING'
 order by k.booking_id
   for update of k;

-- name: bookings_lock_overdue :many BookingStateRow
-- Requests that nobody answered before their time came, and bookings that were
-- to be paid in advance and were not within two days.
select {{booking_state_columns}}
  from booking k
  left join service s on s.service_id = k.service_id
 where k.status = 'PENDING'
   and (k.start_at < now()
        or (k.payment_policy = 'PREPAY' and k.payment_status = 'UNPAID'
            and k.created_at < now() - interval '48 hours'))
 order by k.booking_id
 limit $1
   for update of k skip locked;

-- name: booking_to_remind :one BookingReminderRow
-- Unless it has been cancelled or moved ($2 is when it was to start), has begun,
-- or was confirmed less than $3 hours before.
select k.booking_id,
       k.service_id,
       k.bid_id,
       k.seeker_id,
       k.provider_id,
       coalesce(s.title, '') as service_title,
       to_char(k.start_at at time zone k.timezone, 'YYYY-MM-DD HH24:MI')
         || ' (' || k.timezone || ')' as start_text
  from booking k
  left join service s on s.service_id = k.service_id
 where k.booking_id = $1
   and k.status = 'CONFIRMED'
   and k.start_at = $2
   and k.start_at > now()
   and k.accepted_at < k.start_at - $3::int * interval '1 hour';

-- name: booking_count_overlaps :one CountRow
-- Bookings of the provider ($1) in the way of the time $2 to $3 with $4 and $5
-- minutes before and after.
select count(*) as count
  from booking
 where provider_id = $1
   and status in ('CONFIRMED', 'IN_PROGRESS')
   and slot && tstzrange($2::timestamptz - $4::int * interval '1 minute',
                         $3::timestamptz + $5::int * interval '1 minute');

-- name: booking_count_live_of_service :one CountRow
-- Bookings that stand in the way of taking the service back.
select count(*) as count
  from booking
 where service_id = $1
   and status in ('CONFIRMED', 'IN_PROGRESS');

-- name: booking_free_starts :many FreeStartRow
-- The next starts at which the provider ($1) has $3 minutes free, with $4 and
-- $5 minutes before and after, not before $2: that moment itself, or the end of
-- a booking, where nothing else is in the way.
with busy as (
  select slot
    from booking
   where provider_id = $1
     and status in ('CONFIRMED', 'IN_PROGRESS')
     and upper(slot) > $2
   order by lower(slot)
   limit 200
), candidate as (
  select $2::timestamptz as start_at
   union
  select upper(slot) + $4::int * interval '1 minute'
    from busy
)
select c.start_at as start_time
  from candidate c
 where c.start_at >= $2
   and not exists (
       select 1
         from busy
        where busy.slot && tstzrange(
                c.start_at - $4::int * interval '1 minute',
                c.start_at + ($3::int + $5::int) * interval '1 minute'))
 order by c.start_at
 limit 3;

-- name: timeline_append :exec
-- $4 is a note, or null.
insert into booking_timeline_event (booking_id, type, actor_id, metadata)
values ($1, $2, $3, jsonb_strip_nulls(jsonb_build_object('note', $4::text)));

-- name: timeline_list :many TimelineEvent
-- Oldest first; for a participant ($2), or for an administrator ($3).
select e.timeline_event_id,
       e.type,
       e.actor_id,
       e.metadata,
       e.created_at as create_time
  from booking_timeline_event e
  join booking k on k.booking_id = e.booking_id
 where e.booking_id = $1
   and ($2 in (k.seeker_id, k.provider_id) or $3)
   and ($4::timestamptz is null
        or (e.created_at, e.timeline_event_id) > ($4, $5::uuid))
 order by e.created_at, e.timeline_event_id
 limit $6;
