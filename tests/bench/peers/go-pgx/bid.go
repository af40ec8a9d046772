package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/codes"

	pb "prbal.test/api/prbal/v1"
)

type bidServer struct {
	pb.UnimplementedBidServiceServer
	*store
}

// $1 the bid; for one of its parties ($2), or for an administrator ($3). In the
// order of scanBid.
const bidByID = `
select b.bid_id, b.service_id, s.title,
       b.seeker_id, seeker.full_name, seeker.user_type, sp.avatar_url,
       sp.rating_avg, sp.total_reviews,
       b.provider_id, provider.full_name, provider.user_type, pp.avatar_url,
       pp.rating_avg, pp.total_reviews,
       b.origin, b.amount_minor, b.currency, b.duration, b.scheduled_at,
       b.duration_minutes, b.message, b.cover_letter, b.full_name,
       b.linkedin_url, b.status, b.reject_reason, k.booking_id, b.expires_at,
       b.accepted_at, b.rejected_at, b.withdrawn_at, b.completed_at,
       b.cancelled_at, b.created_at, b.updated_at
  from bid b
  join service s        on s.service_id = b.service_id
  join account seeker   on seeker.user_id = b.seeker_id
  join profile sp       on sp.user_id = b.seeker_id
  join account provider on provider.user_id = b.provider_id
  join profile pp       on pp.user_id = b.provider_id
  left join booking k   on k.bid_id = b.bid_id
 where b.bid_id = $1
   and ($2 in (b.seeker_id, b.provider_id) or $3)`

func scanBid(b *pb.Bid) func(row pgx.Row) error {
	b.Seeker, b.Provider, b.Amount = &pb.UserSummary{}, &pb.UserSummary{}, &pb.Money{}
	return func(row pgx.Row) error {
		return row.Scan(slices.Concat(
			[]any{&b.BidId, &b.ServiceId, &b.ServiceTitle},
			toSummary(b.Seeker), toSummary(b.Provider),
			[]any{toEnum(&b.Origin, &bidOrigins), &b.Amount.AmountMinor, &b.Amount.Currency, &b.Duration,
				timeTarget{&b.ScheduledTime}, &b.DurationMinutes, &b.Message, &b.CoverLetter, &b.FullName,
				&b.LinkedinUrl, toEnum(&b.Status, &bidStatuses), &b.RejectReason, toText(&b.BookingId),
				timeTarget{&b.ExpireTime}, timeTarget{&b.AcceptTime}, timeTarget{&b.RejectTime},
				timeTarget{&b.WithdrawTime}, timeTarget{&b.CompleteTime}, timeTarget{&b.CancelTime},
				timeTarget{&b.CreateTime}, timeTarget{&b.UpdateTime}})...)
	}
}

// Who is concerned by a bid.
type bidParty struct {
	bidID, serviceID, seekerID, providerID string
}

func (b *bidParty) scan(row pgx.Row) error {
	return row.Scan(&b.bidID, &b.serviceID, &b.seekerID, &b.providerID)
}

// The service as far as a new bid depends on it; listed ones only.
const bidTarget = `
select s.owner_id, s.title, s.kind, s.status, s.price_currency,
       coalesce(s.deadline < now(), false),
       exists (select 1
                 from bid b
                where b.service_id = s.service_id
                  and b.provider_id = $2
                  and b.status = 'REJECTED')
  from service s
 where s.service_id = $1
   and s.is_listed`

type target struct {
	ownerID, title, currency    string
	kind                        pb.ServiceKind
	status                      pb.ServiceStatus
	deadlinePassed, wasRejected bool
}

// One bid more on a service that takes bids. Locks the row, so that a bid cannot
// slip in beside an acceptance.
const serviceCountBid = `
update service
   set bids_count = bids_count + 1
 where service_id = $1
   and status = 'OPEN'
   and is_active`

// The name on the bid is the account's own unless another one is given.
const bidInsert = `
insert into bid
       (bid_id, service_id, seeker_id, provider_id, amount_minor, currency,
        duration, scheduled_at, duration_minutes, message, cover_letter,
        full_name, linkedin_url, expires_at)
select $12, s.service_id, s.owner_id, a.user_id, $3, $4, $5,
       $6, $7, $8, $9, coalesce($10, a.full_name),
       $11, s.deadline
  from service s,
       account a
 where s.service_id = $1
   and a.user_id = $2
   and s.owner_id <> a.user_id
   and s.kind = 'NEEDED'
   and s.status = 'OPEN'
   and s.is_listed`

var errNotOpen = failReason(codes.FailedPrecondition, "SERVICE_NOT_OPEN",
	"the service does not take bids any more")

func (t *target) check(callerID string, amount *pb.Money) error {
	switch {
	case t.ownerID == callerID:
		return failReason(codes.PermissionDenied, "OWN_SERVICE", "you cannot bid on your own service")
	case t.kind != pb.ServiceKind_SERVICE_KIND_NEEDED:
		return failReason(codes.FailedPrecondition, "SERVICE_NOT_NEEDED",
			"this service is an offer: book it instead")
	case t.status != pb.ServiceStatus_SERVICE_STATUS_OPEN:
		return errNotOpen
	case t.deadlinePassed:
		return failReason(codes.FailedPrecondition, "DEADLINE_PASSED",
			"the deadline of the service has passed")
	case t.wasRejected:
		return failReason(codes.AlreadyExists, "BID_REJECTED_BEFORE",
			"your bid on this service was rejected")
	case t.currency != amount.Currency:
		return failReason(codes.FailedPrecondition, "CURRENCY_MISMATCH",
			fmt.Sprintf("bid in %s, not %s", t.currency, amount.Currency))
	}
	return nil
}

var isCurrency = regexp.MustCompile("^[A-Z]{3}$")

// What the .proto says of the fields. A currency that is none is not the
// service's either.
func checkCreateBid(r *pb.CreateBidRequest) error {
	if err := checkUUID("service_id", r.ServiceId); err != nil {
		return err
	}
	switch {
	case r.Amount == nil:
		return failField("amount", "is required")
	case !isCurrency.MatchString(r.Amount.Currency):
		return failField("amount.currency", "must match ^[A-Z]{3}$")
	case len(r.Duration) > 80*4 || len(r.CoverLetter) > 10000*4 || len(r.FullName) > 150*4:
		return failField("duration", "is too long")
	case r.ScheduledTime != nil && !r.ScheduledTime.AsTime().After(time.Now()):
		return failField("scheduled_time", "must be in the future")
	case r.DurationMinutes < 0 || r.DurationMinutes > 44640:
		return failField("duration_minutes", "must be from 0 to 44640")
	case r.Message == "" || len(r.Message) > 5000*4:
		return failField("message", "must have 1 to 5000 characters")
	case r.Amount.AmountMinor <= 0:
		return failField("amount.amount_minor", "must be more than 0")
	}
	return nil
}

func (b *bidServer) readTarget(ctx context.Context, serviceID, callerID string) (*target, error) {
	t := &target{}
	err := b.pool.QueryRow(ctx, bidTarget, serviceID, callerID).Scan(&t.ownerID, &t.title,
		toEnum(&t.kind, &serviceKinds), toEnum(&t.status, &serviceStatuses), &t.currency,
		&t.deadlinePassed, &t.wasRejected)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, notFound("service")
	}
	return t, err
}

// The service's row is counted up first: its lock puts a bid and a rival's
// acceptance in order, so no bid is left PENDING on work that is given away.
func (b *bidServer) CreateBid(ctx context.Context, r *pb.CreateBidRequest) (*pb.CreateBidResponse, error) {
	if err := checkCreateBid(r); err != nil {
		return nil, err
	}
	callerID := callerOf(ctx).id
	t, err := b.readTarget(ctx, r.ServiceId, callerID)
	if err != nil {
		return nil, err
	}
	if err := t.check(callerID, r.Amount); err != nil {
		return nil, err
	}
	u, err := b.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer u.end()
	response := &pb.CreateBidResponse{Bid: &pb.Bid{}}
	if err := u.insertBid(r, callerID, response.Bid); err != nil {
		return nil, err
	}
	if err := u.tellSeeker(t, response.Bid); err != nil {
		return nil, err
	}
	return response, u.commit(response)
}

func (u *unit) insertBid(r *pb.CreateBidRequest, callerID string, bid *pb.Bid) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	var counted int64
	var found bool
	u.queueCount(&counted, serviceCountBid, r.ServiceId)
	u.queue(bidInsert, r.ServiceId, callerID, r.Amount.AmountMinor, r.Amount.Currency, r.Duration,
		timeOrNull(r.ScheduledTime), r.DurationMinutes, r.Message, r.CoverLetter, textOrNull(r.FullName),
		r.LinkedinUrl, id)
	u.queueRow(&found, scanBid(bid), bidByID, id, callerID, false)
	if err := u.flush(); err != nil {
		return err
	}
	if counted == 0 {
		return errNotOpen
	}
	if !found {
		return notFound("bid id")
	}
	return nil
}

// The seeker hears of a new bid.
func (u *unit) tellSeeker(t *target, bid *pb.Bid) error {
	message := fmt.Sprintf("%s made a bid on %s: %s", bid.Provider.FullName, t.title, moneyText(bid.Amount))
	made := u.notify(&notice{
		recipientID: t.ownerID, senderID: bid.Provider.UserId,
		kind:  pb.NotificationType_NOTIFICATION_TYPE_NEW_BID,
		title: "New bid", message: message,
		objectType: "Bid", objectID: bid.BidId,
		serviceID: bid.ServiceId, bidID: bid.BidId,
	})
	if err := u.flush(); err != nil {
		return err
	}
	u.events.addBid(&bidParty{bid.BidId, bid.ServiceId, bid.Seeker.UserId, bid.Provider.UserId}, bid.Status)
	u.tell(t.ownerID, made)
	return nil
}

// Decimals of the currencies that have not two.
const (
	noDecimals    = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
	threeDecimals = "BHD IQD JOD KWD LYD OMR TND"
)

func moneyText(m *pb.Money) string {
	switch {
	case strings.Contains(noDecimals, m.Currency):
		return fmt.Sprintf("%d %s", m.AmountMinor, m.Currency)
	case strings.Contains(threeDecimals, m.Currency):
		return fmt.Sprintf("%d.%03d %s", m.AmountMinor/1000, m.AmountMinor%1000, m.Currency)
	}
	return fmt.Sprintf("%d.%02d %s", m.AmountMinor/100, m.AmountMinor%100, m.Currency)
}
