package main

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "prbal.test/api/prbal/v1"
	"prbal.test/promises/rig"
)

// A call that is about to be made, by somebody for whom it works, and how often
// the database says that it has happened.
type p4Situation struct {
	who       *rig.Person
	request   proto.Message
	effects   string // a query of one number, which is to be 1 in the end
	arguments []any
}

// Two people who have nothing to do with any others.
type p4Pair struct {
	*p4
	seeker, provider *rig.Person
}

// What has to be there before each RPC that honours a key. An RPC that is not
// here breaks the promise.
var p4Matrix = map[string]func(p *p4Pair) p4Situation{
	"AdminService/RetryJob": func(p *p4Pair) p4Situation {
		id := p.job()
		return p.audited(p.admin, &pb.RetryJobRequest{JobId: id}, "job.retried", id)
	},
	"AdminService/CancelJob": func(p *p4Pair) p4Situation {
		id := p.job()
		return p.audited(p.admin, &pb.CancelJobRequest{JobId: id}, "job.cancelled", id)
	},
	"AdminService/PauseQueue": func(p *p4Pair) p4Situation {
		p.cluster.Database.Exec(`delete from job_pause where queue = 'reminders'`)
		before := p.cluster.Database.Number(`select count(*) from audit_log where action = 'queue.paused'`)
		return p4Situation{p.admin, &pb.PauseQueueRequest{Queue: "reminders", Paused: true},
			`select count(*) - $1::bigint from audit_log where action = 'queue.paused'`, []any{before}}
	},
	"AuthService/RevokeSession": func(p *p4Pair) p4Situation {
		id := rig.NewID()
		p.cluster.Database.Exec(`insert into session (session_id, user_id, refresh_hash, expires_at)
			values ($1, $2, sha256('another'), now() + interval '1 day')`, id, p.seeker.ID)
		return p.audited(p.seeker, &pb.RevokeSessionRequest{SessionId: id}, "auth.session_revoked", id)
	},
	"BidService/CreateBid": func(p *p4Pair) p4Situation {
		service := p.need()
		return p4Situation{p.provider, p.bidRequest(service),
			`select count(*) + (select bids_count - 1 from service where service_id = $1) from bid where service_id = $1`,
			[]any{service}}
	},
	"BidService/UpdateBid": func(p *p4Pair) p4Situation {
		_, bid := p.bid()
		return p4Situation{p.provider, &pb.UpdateBidRequest{BidId: bid, Message: proto.String("I can do it better.")},
			`select count(*) from bid_revision where bid_id = $1`, []any{bid}}
	},
	"BidService/AcceptBid": func(p *p4Pair) p4Situation {
		_, bid := p.bid()
		return p4Situation{p.seeker, &pb.AcceptBidRequest{BidId: bid},
			`select greatest(count(*), (select count(*) from notification where bid_id = $1 and type = 'BID_ACCEPTED'))
			   from booking where bid_id = $1`, []any{bid}}
	},
	"BidService/RejectBid": func(p *p4Pair) p4Situation {
		_, bid := p.bid()
		return p.noticed(p.seeker, &pb.RejectBidRequest{BidId: bid}, p.provider, "BID_REJECTED")
	},
	"BidService/WithdrawBid": func(p *p4Pair) p4Situation {
		_, bid := p.bid()
		return p.noticed(p.provider, &pb.WithdrawBidRequest{BidId: bid}, p.seeker, "BID_WITHDRAWN")
	},
	"BookingService/CreateBooking": func(p *p4Pair) p4Situation {
		service := p.offer()
		return p4Situation{p.seeker, &pb.CreateBookingRequest{ServiceId: service, FullName: p.seeker.Name},
			`select greatest(count(*), (select bookings_count from service where service_id = $1))
			   from booking where service_id = $1`, []any{service}}
	},
	"BookingService/AcceptBooking": func(p *p4Pair) p4Situation {
		id := p.book()
		return p.moved(p.provider, &pb.AcceptBookingRequest{BookingId: id}, id, "ACCEPTED")
	},
	"BookingService/DeclineBooking": func(p *p4Pair) p4Situation {
		id := p.book()
		return p.moved(p.provider, &pb.DeclineBookingRequest{BookingId: id, Reason: "no time"}, id, "DECLINED")
	},
	"BookingService/StartBooking": func(p *p4Pair) p4Situation {
		id := p.accepted()
		return p.moved(p.provider, &pb.StartBookingRequest{BookingId: id}, id, "STARTED")
	},
	"BookingService/CompleteBooking": func(p *p4Pair) p4Situation {
		id := p.accepted()
		p4Done(p, &pb.StartBookingRequest{BookingId: id}, p.quiet.Bookings.StartBooking, p.provider)
		return p.moved(p.provider, &pb.CompleteBookingRequest{BookingId: id}, id, "COMPLETED")
	},
	"BookingService/CancelBooking": func(p *p4Pair) p4Situation {
		id := p.accepted()
		return p.moved(p.seeker, &pb.CancelBookingRequest{BookingId: id}, id, "CANCELLED")
	},
	"ChatService/OpenDirectRoom": func(p *p4Pair) p4Situation {
		return p4Situation{p.seeker, &pb.OpenDirectRoomRequest{TargetUserId: p.provider.ID},
			`select greatest(count(*), (select last_seq from user_event_cursor where user_id = $1))
			   from chat_room where $1::uuid in (low_id, high_id)`, []any{p.provider.ID}}
	},
	"ChatService/SendMessage": func(p *p4Pair) p4Situation {
		room := p.room()
		return p4Situation{p.seeker, &pb.SendMessageRequest{RoomId: room, Content: "hello"},
			`select count(*) from chat_message where room_id = $1`, []any{room}}
	},
	"ChatService/MarkRoomRead": func(p *p4Pair) p4Situation {
		room := p.room()
		p4Done(p, &pb.SendMessageRequest{RoomId: room, Content: "hello"}, p.quiet.Chat.SendMessage, p.provider)
		before := p.cluster.Database.Number(`select last_seq from user_event_cursor where user_id = $1`, p.provider.ID)
		return p4Situation{p.seeker, &pb.MarkRoomReadRequest{RoomId: room},
			`select last_seq - $2::bigint from user_event_cursor where user_id = $1`, []any{p.provider.ID, before}}
	},
	"ListingService/CreateService": func(p *p4Pair) p4Situation {
		request := p.cluster.NeedRequest(rig.Deal{Title: "Work that is needed"})
		request.RequestId = "" // which would do the same for ever
		return p4Situation{p.seeker, request, `select count(*) from service where owner_id = $1`, []any{p.seeker.ID}}
	},
	"ListingService/UpdateService": func(p *p4Pair) p4Situation {
		service, _ := p.bid()
		return p.noticed(p.seeker, &pb.UpdateServiceRequest{ServiceId: service, Title: proto.String("Other work")},
			p.provider, "TASK_UPDATE")
	},
	"ListingService/DeleteService": func(p *p4Pair) p4Situation {
		service, _ := p.bid()
		return p.audited(p.seeker, &pb.DeleteServiceRequest{ServiceId: service}, "service.deleted", service)
	},
	"ListingService/CancelService": func(p *p4Pair) p4Situation {
		service, _ := p.bid()
		return p.audited(p.seeker, &pb.CancelServiceRequest{ServiceId: service}, "service.cancelled", service)
	},
	"ListingService/ReopenService": func(p *p4Pair) p4Situation {
		service := p.need()
		p4Done(p, &pb.CancelServiceRequest{ServiceId: service}, p.quiet.Listings.CancelService, p.seeker)
		return p.audited(p.seeker, &pb.ReopenServiceRequest{ServiceId: service}, "service.reopened", service)
	},
	"NotificationService/MarkRead": func(p *p4Pair) p4Situation {
		p.bid()
		list := p4Done(p, &pb.ListNotificationsRequest{}, p.quiet.Notifications.ListNotifications, p.seeker)
		var ids []string
		for _, notification := range list.GetNotifications() {
			ids = append(ids, notification.NotificationId)
		}
		return p.read(&pb.MarkReadRequest{NotificationIds: ids})
	},
	"NotificationService/MarkAllRead": func(p *p4Pair) p4Situation {
		p.bid()
		return p.read(&pb.MarkAllReadRequest{})
	},
	"UserService/UpdateMe": func(p *p4Pair) p4Situation {
		return p.audited(p.seeker, &pb.UpdateMeRequest{FullName: proto.String("Another Name")}, "user.updated", p.seeker.ID)
	},
}

// A call on the way to a situation, which has to succeed.
func p4Done[Q, A any](p *p4Pair, request Q, call func(context.Context, Q, ...grpc.CallOption) (A, error), who *rig.Person) A {
	key := rig.NewID()
	answer, err := rig.Until(p.Context(), func(ctx context.Context) (A, error) {
		return call(metadata.AppendToOutgoingContext(who.In(ctx), "idempotency-key", key), request)
	})
	p.Must(err, "%T", request)
	return answer
}

func (p *p4Pair) audited(who *rig.Person, request proto.Message, action, object string) p4Situation {
	return p4Situation{who, request, `select count(*) from audit_log where action = $1 and object_id = $2`, []any{action, object}}
}

func (p *p4Pair) noticed(who *rig.Person, request proto.Message, recipient *rig.Person, kind string) p4Situation {
	return p4Situation{who, request, `select count(*) from notification where recipient_id = $1 and type = $2`, []any{recipient.ID, kind}}
}

func (p *p4Pair) moved(who *rig.Person, request proto.Message, booking, kind string) p4Situation {
	return p4Situation{who, request, `select count(*) from booking_timeline_event where booking_id = $1 and type = $2`, []any{booking, kind}}
}

func (p *p4Pair) read(request proto.Message) p4Situation {
	return p4Situation{p.seeker, request,
		`select count(*) from notification where recipient_id = $1 and read_at is not null`, []any{p.seeker.ID}}
}

// A job that waits for tomorrow.
func (p *p4Pair) job() string {
	id := rig.NewID()
	p.cluster.Database.Exec(`insert into job (job_id, kind, run_at, attempts_max, arguments)
		values ($1, 'auth_sweep', now() + interval '1 day', 2, '')`, id)
	return id
}

func (p *p4Pair) need() string {
	id, err := p.cluster.Need(p.quiet, p.seeker, rig.Deal{Title: "Work that is needed"})
	p.Must(err, "a service")
	return id
}

func (p *p4Pair) offer() string {
	id, err := p.cluster.Offer(p.quiet, p.provider, rig.Deal{Title: "Work that is offered"})
	p.Must(err, "a service")
	return id
}

func (p *p4Pair) bidRequest(service string) *pb.CreateBidRequest {
	return &pb.CreateBidRequest{ServiceId: service, Message: "I can do that.", DurationMinutes: 60,
		Amount: &pb.Money{AmountMinor: 9000, Currency: "USD"}, ScheduledTime: timestamppb.New(p.free)}
}

func (p *p4Pair) bid() (service, bid string) {
	service = p.need()
	answer := p4Done(p, p.bidRequest(service), p.quiet.Bids.CreateBid, p.provider)
	return service, answer.GetBid().GetBidId()
}

func (p *p4Pair) book() string {
	request := &pb.CreateBookingRequest{ServiceId: p.offer(), FullName: p.seeker.Name}
	return p4Done(p, request, p.quiet.Bookings.CreateBooking, p.seeker).GetBooking().GetBookingId()
}

func (p *p4Pair) accepted() string {
	id := p.book()
	p4Done(p, &pb.AcceptBookingRequest{BookingId: id}, p.quiet.Bookings.AcceptBooking, p.provider)
	return id
}

func (p *p4Pair) room() string {
	request := &pb.OpenDirectRoomRequest{TargetUserId: p.provider.ID}
	return p4Done(p, request, p.quiet.Chat.OpenDirectRoom, p.seeker).GetRoom().GetRoomId()
}
