package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	pb "prbal.test/api/prbal/v1"
	"prbal.test/promises/rig"
)

func init() {
	rig.Register("P30", "an outage of the database is survived", outageIsSurvived)
}

const (
	p30Clients = 32
	p30Fast    = time.Second     // within which a call is refused when there is no database
	p30Silence = 6 * time.Second // db_statement_timeout, 3 s more, and one to spare
)

// A way for a database to be away, and how it comes back.
type p30Outage struct {
	name   string
	begin  func(database *rig.Postgres) error
	end    func(database *rig.Postgres) error
	notice time.Duration // until the server knows
}

var p30Outages = []p30Outage{
	{"killed", (*rig.Postgres).Kill, (*rig.Postgres).Start, time.Second},
	{"shut down", (*rig.Postgres).Stop, (*rig.Postgres).Start, time.Second},
	{"silent", (*rig.Postgres).Silence, (*rig.Postgres).Wake, p30Silence},
}

type p30 struct {
	*rig.Trial
	cluster *rig.Cluster
	server  *rig.Server
	shared  *rig.Client
	history *rig.History
	service string
	away    atomic.Pointer[time.Time] // from when on calls have to be refused

	mutex     sync.Mutex
	refusals  []time.Duration
	recovered []time.Duration
}

type p30Client struct {
	*rig.Client
	*rig.Person
	random *rand.Rand
	room   string
	key    string // of the write that is not settled yet
	kind   int
}

func outageIsSurvived(t *rig.Trial) {
	p := &p30{Trial: t, history: rig.NewHistory()}
	p.cluster = t.Cluster(rig.Setup{Settings: map[string]string{"db_statement_timeout": "2s"}})
	p.server = p.cluster.Servers[0]
	process := p.server.PID()
	clients := p.clients()

	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, outage := range p30Outages {
			p.suffer(outage, t.Time(3*time.Second, 60*time.Second))
		}
	}()
	t.Together(p30Clients, func(number int) { p.work(clients[number], done) })
	t.Together(p30Clients, func(number int) { p.settle(clients[number]) })

	t.Expect(p.server.PID() == process && p.server.IsRunning(), "the server did not stay up")
	p.report()
	p.check()
}

func (p *p30) clients() []*p30Client {
	p.shared = p.cluster.Client(p.server.Address)
	providers := p.cluster.People(p30Clients, rig.Provider)
	var err error
	p.service, err = p.cluster.Offer(p.shared, providers[0], rig.Deal{Title: "Without a time"})
	p.Must(err, "a service")
	var clients []*p30Client
	for i, person := range p.cluster.People(p30Clients, rig.Seeker) {
		c := &p30Client{Client: p.cluster.Client(p.server.Address), Person: person, random: p.Stream(i + 1)}
		answer, err := rig.Until(p.Context(), func(ctx context.Context) (*pb.OpenDirectRoomResponse, error) {
			return c.Chat.OpenDirectRoom(c.In(ctx), &pb.OpenDirectRoomRequest{TargetUserId: providers[i].ID})
		})
		p.Must(err, "a room")
		c.room = answer.Room.RoomId
		clients = append(clients, c)
	}
	return clients
}

// The database is away for that long, and the server says so.
func (p *p30) suffer(outage p30Outage, length time.Duration) {
	database := p.cluster.Database
	p.rest(time.Second)
	if err := outage.begin(database); err != nil {
		p.Broken("%s: %v", outage.name, err)
	}
	known := time.Now().Add(outage.notice)
	p.away.Store(&known)
	p.await("while "+outage.name+": /readyz says 503", func() bool { return p.server.Probe("/readyz") == 503 })
	p.Expect(p.server.Probe("/healthz") == 200, "while %s: /healthz is not 200 any more", outage.name)
	p.Expect(!p.isServing(), "while %s: health is SERVING", outage.name)
	p.rest(time.Until(known) + length)
	p.away.Store(nil)
	if err := outage.end(database); err != nil {
		p.Broken("after being %s: %v", outage.name, err)
	}
	up := time.Now()
	p.await("after being "+outage.name+": /readyz says 200", func() bool { return p.server.Probe("/readyz") == 200 })
	p.await("after being "+outage.name+": health is SERVING", p.isServing)
	p.mutex.Lock()
	p.recovered = append(p.recovered, time.Since(up))
	p.mutex.Unlock()
}

func (p *p30) rest(length time.Duration) {
	select {
	case <-time.After(length):
	case <-p.Context().Done():
	}
}

// A hang bound: what is measured is in the report.
func (p *p30) await(what string, holds func() bool) {
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.Broken("not within 30 s %s", what)
			return
		}
	}
}

func (p *p30) isServing() bool {
	answer, err := rig.Once(p.Context(), func(ctx context.Context) (*healthpb.HealthCheckResponse, error) {
		return p.shared.Health.Check(ctx, &healthpb.HealthCheckRequest{})
	})
	return err == nil && answer.Status == healthpb.HealthCheckResponse_SERVING
}

// Writes under keys of its own. What is not settled is tried again, and again, as
// any client does that has been told to.
func (p *p30) work(c *p30Client, done chan struct{}) {
	for p.Context().Err() == nil {
		select {
		case <-done:
			return
		default:
		}
		p.write(c)
	}
}

func (p *p30) settle(c *p30Client) {
	for c.key != "" && p.Context().Err() == nil {
		p.write(c)
	}
}

func (p *p30) write(c *p30Client) {
	if c.key == "" {
		c.key, c.kind = rig.NewID(), c.random.IntN(4)
	}
	begin := time.Now()
	kind, err := p.call(c)
	p.judge(begin, err)
	p.history.Record(kind, c.key, rig.OutcomeOf(err), c.ID)
	if rig.IsForNow(err) {
		time.Sleep(time.Duration(5+c.random.IntN(20)) * time.Millisecond)
		return
	}
	p.Expect(err == nil, "%s: %v", kind, err)
	c.key = ""
}

func (p *p30) call(c *p30Client) (kind string, err error) {
	if c.kind == 0 {
		_, err = rig.Once(p.Context(), func(ctx context.Context) (*pb.CreateBookingResponse, error) {
			return c.Bookings.CreateBooking(c.In(ctx), &pb.CreateBookingRequest{
				ServiceId: p.service, FullName: c.Name, RequestId: c.key})
		})
		return "CreateBooking", err
	}
	_, err = rig.Once(p.Context(), func(ctx context.Context) (*pb.SendMessageResponse, error) {
		return c.Chat.SendMessage(c.In(ctx), &pb.SendMessageRequest{
			RoomId: c.room, Content: c.key, ClientMessageId: c.key})
	})
	return "SendMessage", err
}

// Of a call that began when the server knew that the database is gone.
func (p *p30) judge(begin time.Time, err error) {
	known := p.away.Load()
	if known == nil || begin.Before(*known) {
		return
	}
	p.Expect(status.Code(err) == codes.Unavailable && rig.OutcomeOf(err) == rig.Refused,
		"without a database the answer was %v", err)
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.refusals = append(p.refusals, time.Since(begin))
}

// Everything is there once, and what is counted was counted once.
func (p *p30) check() {
	twice := 0
	for kind, query := range map[string]string{
		"SendMessage":   `select client_message_id, sender_id::text from chat_message where client_message_id = any ($1::text[])`,
		"CreateBooking": `select request_id::text, seeker_id::text from booking where request_id = any ($1::text[]::uuid[])`,
	} {
		twice += len(p.history.Compare(p.Trial, p.cluster.Database, kind, query).Doubled)
	}
	p.Measured("%d effects twice", twice)
	wrong := p.cluster.Database.Number(`
		select count(*) from chat_room r
		 where last_seq <> (select count(*) from chat_message m where m.room_id = r.room_id)`)
	p.Expect(wrong == 0, "%d rooms count their messages wrongly", wrong)
	wrong = p.cluster.Database.Number(`
		select count(*) from service s
		 where bookings_count <> (select count(*) from booking b where b.service_id = s.service_id)`)
	p.Expect(wrong == 0, "%d services count their bookings wrongly", wrong)
}

func (p *p30) report() {
	p.Tried("clients", p30Clients)
	p.Tried("writes", p.history.Size("SendMessage")+p.history.Size("CreateBooking"))
	p.Tried("outages", len(p30Outages))
	p.Measured("%s calls refused, 99 %% within %.0f ms", rig.Count(len(p.refusals)), rig.Percentile(p.refusals, 99).Seconds()*1000)
	p.Measured("healthy %.1f s after the database", rig.Percentile(p.recovered, 100).Seconds())
	p.Expect(len(p.refusals) > 0, "no call was refused")
	p.ExpectInTime(rig.Percentile(p.refusals, 99) <= p30Fast, "refusals took %v", rig.Percentile(p.refusals, 99))
}
