package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	pb "prbal.test/api/prbal/v1"
)

const roomNameCharacters = 120

// Who is about to take time in a provider's calendar stands in line for it. $1
// the bid, $2 its seeker, $3 an administrator; so in the next two.
const calendarLockOfBid = `
select a.user_id
  from bid b
  join account a on a.user_id = b.provider_id
 where b.bid_id = $1
   and (b.seeker_id = $2 or $3)
   for no key update of a`

// Rival acceptances queue here.
const serviceAssign = `
update service s
   set status      = 'IN_PROGRESS',
       assigned_to = b.provider_id,
       updated_at  = now()
  from bid b
 where b.bid_id = $1
   and b.status = 'PENDING'
   and s.service_id = b.service_id
   and (s.owner_id = $2 or $3)
   and s.kind = 'NEEDED'
   and s.status = 'OPEN'
   and s.is_active`

const bidAccept = `
update bid
   set status      = 'ACCEPTED',
       accepted_at = now(),
       updated_at  = now()
 where bid_id = $1
   and (seeker_id = $2 or $3)
   and status = 'PENDING'
returning bid_id, service_id, seeker_id, provider_id`

// The other live bids on the service of the bid that was accepted.
const bidsRejectRivals = `
update bid
   set status        = 'REJECTED',
       reject_reason = 'Another offer was accepted.',
       rejected_at   = now(),
       updated_at    = now()
 where service_id = $1
   and bid_id <> $2
   and status in ('REQUESTED', 'PENDING', 'COUNTERED')
returning bid_id, service_id, seeker_id, provider_id`

const auditInsert = `
insert into audit_log (actor_id, action, object_type, object_id, ip_address, request_id)
values ($1, $2, $3, $4, $5::text::inet, $6)`

// The service's row is locked before its bids: the acceptance that comes second
// finds nothing left to accept.
func (b *bidServer) AcceptBid(ctx context.Context, r *pb.AcceptBidRequest) (*pb.AcceptBidResponse, error) {
	if err := checkAcceptBid(r); err != nil {
		return nil, err
	}
	u, err := b.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer u.end()
	c := callerOf(ctx)
	bid, err := u.takeBid(r, c)
	if err != nil {
		return nil, err
	}
	if bid == nil {
		u.end()
		return b.acceptedOrWhy(ctx, r, c)
	}
	return b.acceptTaken(u, r, c, bid)
}

func checkAcceptBid(r *pb.AcceptBidRequest) error {
	if err := checkUUID("bid_id", r.BidId); err != nil {
		return err
	}
	if len(r.Address) > 500*4 {
		return failField("address", "must have at most 500 characters")
	}
	if r.StartTime != nil && !r.StartTime.AsTime().After(time.Now()) {
		return failField("start_time", "must be in the future")
	}
	return nil
}

// Nil when there was nothing to accept.
func (u *unit) takeBid(r *pb.AcceptBidRequest, c caller) (*bidParty, error) {
	var taken int64
	var found bool
	bid := &bidParty{}
	u.queue(calendarLockOfBid, r.BidId, c.id, c.isAdmin())
	u.queueCount(&taken, serviceAssign, r.BidId, c.id, c.isAdmin())
	u.queueRow(&found, bid.scan, bidAccept, r.BidId, c.id, c.isAdmin())
	if err := u.flush(); err != nil {
		return nil, err
	}
	if taken != 1 || !found {
		return nil, nil
	}
	return bid, nil
}

func (b *bidServer) acceptTaken(u *unit, r *pb.AcceptBidRequest, c caller, bid *bidParty) (*pb.AcceptBidResponse, error) {
	response := &pb.AcceptBidResponse{Bid: &pb.Bid{}, Booking: &pb.Booking{}}
	losers, err := u.book(r, bid, response.Booking)
	var failed *constraintError
	if errors.As(err, &failed) && failed.constraint == slotIsFree {
		u.end()
		return nil, b.slotTaken(u.ctx, r, bid)
	}
	if err != nil {
		return nil, err
	}
	if err := u.tellAll(r, c, bid, losers, response); err != nil {
		return nil, err
	}
	return response, u.commit(response)
}

// Makes the booking, and rejects the other bids on the service.
func (u *unit) book(r *pb.AcceptBidRequest, bid *bidParty, booking *pb.Booking) ([]*bidParty, error) {
	if r.StartTime != nil {
		if err := u.checkDuration(bid); err != nil {
			return nil, err
		}
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	var found bool
	var losers []*bidParty
	u.queue(bookingInsertFromBid, bid.bidID, timeOrNull(r.StartTime), r.Address, bufferMinutes,
		platformFeeBps, bufferMinutes, policyOffline, id)
	u.queueRow(&found, scanBooking(booking), bookingByID, id, bid.seekerID, false)
	u.queue(bidsRejectRivals, bid.serviceID, bid.bidID).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			loser := &bidParty{}
			if err := loser.scan(rows); err != nil {
				return err
			}
			losers = append(losers, loser)
		}
		return rows.Err()
	})
	return losers, u.flush()
}

// A start can be chosen for a bid that says how long the work takes.
func (u *unit) checkDuration(bid *bidParty) error {
	var minutes int32
	u.queue("select duration_minutes from bid where bid_id = $1", bid.bidID).QueryRow(func(row pgx.Row) error {
		return row.Scan(&minutes)
	})
	if err := u.flush(); err != nil {
		return err
	}
	if minutes == 0 {
		return failField("start_time",
			"the bid does not say how long the work takes: agree on a time with its provider")
	}
	return nil
}

// Everything that follows from the acceptance, in one round trip; the room's
// members join with the commit.
func (u *unit) tellAll(r *pb.AcceptBidRequest, c caller, bid *bidParty, losers []*bidParty, response *pb.AcceptBidResponse) error {
	booking := response.Booking
	var roomID string
	var roomIsNew, found bool
	title := cut(booking.ServiceTitle, roomNameCharacters)
	u.queue(timelineCreated, booking.BookingId, c.id)
	u.queue(roomOpenContext, bid.seekerID, bid.providerID, title,
		bid.serviceID, bid.bidID, booking.BookingId).QueryRow(func(row pgx.Row) error {
		return row.Scan(&roomID, &roomIsNew)
	})
	toProvider := u.notify(bookingNotice(booking, booking.Provider, booking.Seeker))
	toSeeker := u.notify(bookingNotice(booking, booking.Seeker, booking.Provider))
	toWinner := u.notify(bid.notice(pb.NotificationType_NOTIFICATION_TYPE_BID_ACCEPTED, "Bid accepted",
		"Your bid on "+booking.ServiceTitle+" was accepted"))
	toLosers := make([]*pb.Notification, len(losers))
	for i, loser := range losers {
		toLosers[i] = u.notify(loser.notice(pb.NotificationType_NOTIFICATION_TYPE_BID_REJECTED, "Bid not accepted",
			"Your bid on "+booking.ServiceTitle+" was not accepted: another offer was accepted"))
	}
	u.audit(c, "bid.accepted", "Bid", bid.bidID)
	u.queueRow(&found, scanBid(response.Bid), bidByID, r.BidId, c.id, c.isAdmin())
	if err := u.planReminders(booking); err != nil {
		return err
	}
	if err := u.flush(); err != nil {
		return err
	}
	u.events.addBooking(booking)
	if roomIsNew {
		u.queue(roomJoin, roomID, bid.seekerID, bid.providerID)
		update := &pb.RoomListUpdate{RoomId: roomID, Kind: pb.ChatRoomKind_CHAT_ROOM_KIND_CONTEXT, RoomName: title}
		u.events.addRoom(bid.seekerID, update)
		u.events.addRoom(bid.providerID, update)
	}
	u.tell(bid.providerID, toProvider)
	u.tell(bid.seekerID, toSeeker)
	u.events.addBid(bid, pb.BidStatus_BID_STATUS_ACCEPTED)
	u.tell(bid.providerID, toWinner)
	for i, loser := range losers {
		u.events.addBid(loser, pb.BidStatus_BID_STATUS_REJECTED)
		u.tell(loser.providerID, toLosers[i])
	}
	return nil
}

// Both hear of a booking that came from a bid, which nobody has to answer any
// more.
func bookingNotice(b *pb.Booking, to, from *pb.UserSummary) *notice {
	return &notice{
		recipientID: to.UserId, senderID: from.UserId,
		kind:       pb.NotificationType_NOTIFICATION_TYPE_BOOKING_CREATED,
		title:      "New booking",
		message:    fmt.Sprintf("You and %s have a booking for %s", from.FullName, b.ServiceTitle),
		objectType: "Booking", objectID: b.BookingId, serviceID: b.ServiceId, bidID: b.BidId,
	}
}

// The provider hears what became of the bid.
func (b *bidParty) notice(kind pb.NotificationType, title, message string) *notice {
	return &notice{
		recipientID: b.providerID, senderID: b.seekerID,
		kind: kind, title: title, message: message,
		objectType: "Bid", objectID: b.bidID, serviceID: b.serviceID, bidID: b.bidID,
	}
}

func (u *unit) audit(c caller, action, objectType, objectID string) {
	address := ""
	if from, ok := peer.FromContext(u.ctx); ok {
		address, _, _ = net.SplitHostPort(from.Addr.String())
	}
	requestID := uuid.NewString()
	if given := metadata.ValueFromIncomingContext(u.ctx, "x-request-id"); len(given) == 1 {
		requestID = given[0]
	}
	u.queue(auditInsert, c.id, action, objectType, objectID, textOrNull(address), requestID)
}

// An acceptance that is repeated answers what the first one did; everything else
// says why not.
func (b *bidServer) acceptedOrWhy(ctx context.Context, r *pb.AcceptBidRequest, c caller) (*pb.AcceptBidResponse, error) {
	response := &pb.AcceptBidResponse{Bid: &pb.Bid{}}
	err := scanBid(response.Bid)(b.pool.QueryRow(ctx, bidByID, r.BidId, c.id, c.isAdmin()))
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, notFound("bid")
	}
	if err != nil {
		return nil, err
	}
	if response.Bid.Seeker.UserId != c.id && !c.isAdmin() {
		return nil, failReason(codes.PermissionDenied, "NOT_THE_SEEKER",
			"only the seeker of a bid can accept it")
	}
	switch response.Bid.Status {
	case pb.BidStatus_BID_STATUS_ACCEPTED:
		response.Booking = &pb.Booking{}
		err = scanBooking(response.Booking)(b.pool.QueryRow(ctx, bookingOfBid, r.BidId, c.id, c.isAdmin()))
		return response, err
	case pb.BidStatus_BID_STATUS_PENDING:
		return nil, failReason(codes.FailedPrecondition, "SERVICE_NOT_OPEN",
			"the service of this bid is not open any more")
	}
	return nil, failReason(codes.FailedPrecondition, "WRONG_STATE",
		"cannot accept a bid that is "+bidStatuses.names[int32(response.Bid.Status)])
}

// The time is gone: says so, with the provider's next free starts.
func (b *bidServer) slotTaken(ctx context.Context, r *pb.AcceptBidRequest, bid *bidParty) error {
	var start time.Time
	var minutes int32
	err := b.pool.QueryRow(ctx, "select coalesce($2, scheduled_at), duration_minutes from bid where bid_id = $1",
		bid.bidID, timeOrNull(r.StartTime)).Scan(&start, &minutes)
	if err != nil {
		return err
	}
	rows, err := b.pool.Query(ctx, bookingFreeStarts, bid.providerID, start, minutes, bufferMinutes, bufferMinutes)
	if err != nil {
		return err
	}
	starts, err := pgx.CollectRows(rows, pgx.RowTo[time.Time])
	if err != nil {
		return err
	}
	info := &errdetails.ErrorInfo{Reason: "SLOT_TAKEN", Domain: "prbal", Metadata: map[string]string{}}
	for i, free := range starts {
		info.Metadata[fmt.Sprintf("next_free_start_%d", i+1)] = free.UTC().Format("2006-01-02T15:04:05Z")
	}
	return withDetails(codes.Aborted,
		"the provider is already booked at that time; choose another", info)
}
