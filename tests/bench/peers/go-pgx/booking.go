package main

import (
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	pb "prbal.test/api/prbal/v1"
)

// What Prbal's settings are by default.
const (
	bufferMinutes  = 0
	platformFeeBps = 1000
	policyOffline  = "OFFLINE" // without a gateway nobody can pay in advance
)

const slotIsFree = "booking_slot_is_free"

// For one of its participants ($2), or for an administrator ($3); $1 is added to
// it. In the order of scanBooking.
const bookingColumns = `
select k.booking_id, k.service_id, s.title, k.bid_id,
       k.seeker_id, seeker.full_name, seeker.user_type, sp.avatar_url,
       sp.rating_avg, sp.total_reviews,
       k.provider_id, provider.full_name, provider.user_type, pp.avatar_url,
       pp.rating_avg, pp.total_reviews,
       k.origin, k.status, k.start_at, k.end_at, k.timezone, k.address,
       st_y(k.coordinates::geometry), st_x(k.coordinates::geometry),
       k.full_name, k.linkedin_url, k.notes, k.pricing_option, k.total_minor,
       k.currency, k.platform_fee_minor, k.payment_policy, k.payment_status,
       k.cancel_reason, k.cancelled_by, k.decline_reason, k.accepted_at,
       k.started_at, k.completed_at, k.cancelled_at, k.declined_at,
       k.created_at, k.updated_at
  from booking k
  left join service s   on s.service_id = k.service_id
  join account seeker   on seeker.user_id = k.seeker_id
  join profile sp       on sp.user_id = k.seeker_id
  join account provider on provider.user_id = k.provider_id
  join profile pp       on pp.user_id = k.provider_id
 where ($2 in (k.seeker_id, k.provider_id) or $3)`

const (
	bookingByID  = bookingColumns + " and k.booking_id = $1"
	bookingOfBid = bookingColumns + " and k.bid_id = $1"
)

func scanBooking(b *pb.Booking) func(row pgx.Row) error {
	b.Seeker, b.Provider = &pb.UserSummary{}, &pb.UserSummary{}
	b.TotalAmount, b.PlatformFee = &pb.Money{}, &pb.Money{}
	return func(row pgx.Row) error {
		var latitude, longitude *float64
		err := row.Scan(slices.Concat(
			[]any{&b.BookingId, toText(&b.ServiceId), toText(&b.ServiceTitle), toText(&b.BidId)},
			toSummary(b.Seeker), toSummary(b.Provider),
			[]any{toEnum(&b.Origin, &bookingOrigins), toEnum(&b.Status, &bookingStatuses),
				timeTarget{&b.StartTime}, timeTarget{&b.EndTime}, &b.Timezone, &b.Address,
				&latitude, &longitude, &b.FullName, &b.LinkedinUrl, &b.Notes, &b.PricingOption,
				&b.TotalAmount.AmountMinor, &b.TotalAmount.Currency, &b.PlatformFee.AmountMinor,
				toEnum(&b.PaymentPolicy, &paymentPolicies), toEnum(&b.PaymentStatus, &paymentStatuses),
				&b.CancelReason, toText(&b.CancelledBy), &b.DeclineReason,
				timeTarget{&b.AcceptTime}, timeTarget{&b.StartWorkTime}, timeTarget{&b.CompleteTime},
				timeTarget{&b.CancelTime}, timeTarget{&b.DeclineTime},
				timeTarget{&b.CreateTime}, timeTarget{&b.UpdateTime}})...)
		b.PlatformFee.Currency = b.TotalAmount.Currency
		if latitude != nil && longitude != nil {
			b.Coordinates = &pb.LatLng{Latitude: *latitude, Longitude: *longitude}
		}
		return err
	}
}

// The booking of an accepted bid ($1). $2 replaces the bid's start; $3 is the
// address, $4 and $6 the minutes kept free before and after, $5 the platform's
// part, $7 a payment policy that overrules the service's, $8 its id.
const bookingInsertFromBid = `
insert into booking
       (booking_id, service_id, bid_id, seeker_id, provider_id, origin, status,
        start_at, end_at, slot, timezone, address, coordinates, full_name,
        total_minor, platform_fee_minor, currency, payment_policy, accepted_at)
select $8,
       b.service_id,
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
   and b.status = 'ACCEPTED'`

const timelineCreated = `
insert into booking_timeline_event (booking_id, type, actor_id, metadata)
values ($1, 'CREATED', $2, '{}')`

const bookingFreeStarts = `
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
select c.start_at
  from candidate c
 where c.start_at >= $2
   and not exists (
       select 1
         from busy
        where busy.slot && tstzrange(
                c.start_at - $4::int * interval '1 minute',
                c.start_at + ($3::int + $5::int) * interval '1 minute'))
 order by c.start_at
 limit 3`

// The room stays the same when a bid becomes a booking.
const roomOpenContext = `
insert into chat_room as r
       (kind, name, low_id, high_id, service_id, bid_id, booking_id, context_id)
values ('CONTEXT', $3, least($1::uuid, $2::uuid), greatest($1::uuid, $2::uuid),
        $4::uuid, $5::uuid, $6::uuid,
        coalesce($5::uuid, $6::uuid, $4::uuid))
on conflict (context_id, low_id, high_id) where kind = 'CONTEXT' do update
   set service_id = coalesce(r.service_id, excluded.service_id),
       bid_id = coalesce(r.bid_id, excluded.bid_id),
       booking_id = coalesce(r.booking_id, excluded.booking_id),
       updated_at = now()
returning room_id, xmax = 0`

const roomJoin = `
insert into room_member (room_id, user_id)
select $1, person
  from unnest(array[$2::uuid, $3::uuid]) person
    on conflict (room_id, user_id) do nothing`

const jobInsert = `
insert into job (job_id, kind, unique_key, arguments, run_at, attempts_max)
select $1, 'booking_remind', $2, $3,
       greatest(to_timestamp($4::bigint / 1000000.0), now()), 6
on conflict (kind, unique_key) where unique_key is not null do nothing`

// Jobs that remind both participants of a booking a day and an hour before it
// starts. Their argument is prbal.internal.BookingReminder, which has no stub.
func (u *unit) planReminders(b *pb.Booking) error {
	if b.StartTime == nil || b.Status != pb.BookingStatus_BOOKING_STATUS_CONFIRMED {
		return nil
	}
	start, err := proto.Marshal(b.StartTime)
	if err != nil {
		return err
	}
	startMicros := b.StartTime.AsTime().UnixMicro()
	for _, hours := range []int64{24, 1} {
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		reminder := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), b.BookingId)
		reminder = protowire.AppendBytes(protowire.AppendTag(reminder, 2, protowire.BytesType), start)
		reminder = protowire.AppendVarint(protowire.AppendTag(reminder, 3, protowire.VarintType), uint64(hours))
		u.queue(jobInsert, id, fmt.Sprintf("%s %d -%dh", b.BookingId, startMicros, hours), reminder,
			startMicros-hours*3600*1000000)
	}
	return nil
}
