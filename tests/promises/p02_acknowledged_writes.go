package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	pb "prbal.test/api/prbal/v1"
	"prbal.test/promises/rig"
)

func init() {
	rig.Register("P2", "an acknowledged write survives kill -9", acknowledgedWritesSurvive)
}

const (
	p2Writers     = 64
	p2Connections = 8
	p2Recovery    = 5 * time.Second  // from a kill to the next acknowledged write
	p2Stall       = 60 * time.Second // a hang bound: the machine may be busy with others
)

type p2 struct {
	*rig.Trial
	cluster  *rig.Cluster
	server   *rig.Server
	history  *rig.History
	acks     atomic.Int64
	serviced string // an offered service that is booked without a time

	mutex      sync.Mutex
	killedAt   time.Time // not yet recovered from
	recoveries []time.Duration
}

// A seeker who writes into a room of its own with a provider.
type p2Writer struct {
	*rig.Client
	*rig.Person
	random *rand.Rand
	room   string
	count  int
	bio    string   // acknowledged last
	maybe  []string // of unknown outcome since then
}

// The server runs as it does without settings, its PostgreSQL included: what is
// acknowledged is flushed to the disk, and what is killed is started again.
func acknowledgedWritesSurvive(t *rig.Trial) {
	p := &p2{Trial: t, history: rig.NewHistory()}
	p.cluster = t.Cluster(rig.Setup{Build: rig.Release, Private: true})
	p.server = p.cluster.Servers[0]
	writers := p.writers()

	chaos := t.Chaos(3*time.Second, 7*time.Second,
		rig.Fault{Name: "server", Weight: 2, Happen: p.killServer},
		rig.Fault{Name: "PostgreSQL", Weight: 2, Happen: p.killPostgres},
		rig.Fault{Name: "both", Weight: 1, Happen: p.killBoth})
	// A slow machine does what it can in the time.
	wanted, end := int64(t.Size(50_000, 1_000_000)), time.Now().Add(t.Time(80*time.Second, 50*time.Minute))
	t.Together(p2Writers, func(number int) {
		for p.acks.Load() < wanted && time.Now().Before(end) && t.Context().Err() == nil {
			p.write(writers[number])
		}
	})
	kills := chaos.Stop()
	t.Must(p.killBoth(t.Rand), "the last kill")
	p.check(writers)

	t.Tried("acknowledged writes", int(p.acks.Load()))
	t.Tried("kills", kills+1)
	p.report()
}

func (p *p2) writers() []*p2Writer {
	var clients []*rig.Client
	for range p2Connections {
		clients = append(clients, p.cluster.Client(p.server.Address))
	}
	providers := p.cluster.People(p2Writers, rig.Provider)
	seekers := p.cluster.People(p2Writers, rig.Seeker)
	service, err := p.cluster.Offer(clients[0], providers[0], rig.Deal{Title: "Without a time"})
	p.Must(err, "a service")
	p.serviced = service
	writers := make([]*p2Writer, p2Writers)
	p.Together(p2Writers, func(i int) {
		w := &p2Writer{Client: clients[i%p2Connections], Person: seekers[i], random: p.Stream(i + 1)}
		answer, err := rig.Until(p.Context(), func(ctx context.Context) (*pb.OpenDirectRoomResponse, error) {
			return w.Chat.OpenDirectRoom(w.In(ctx), &pb.OpenDirectRoomRequest{TargetUserId: providers[i].ID})
		})
		p.Must(err, "a room")
		w.room = answer.Room.RoomId
		writers[i] = w
	})
	return writers
}

// Of twenty writes sixteen are messages, two bookings, one a service, one a profile.
func (p *p2) write(w *p2Writer) {
	begin := time.Now()
	var err error
	switch kind := w.random.IntN(20); {
	case kind < 16:
		err = p.sendMessage(w)
	case kind < 18:
		err = p.book(w)
	case kind < 19:
		err = p.need(w)
	default:
		err = p.updateMe(w)
	}
	if err == nil {
		p.acks.Add(1)
		p.recovered(begin)
	} else {
		time.Sleep(time.Duration(25+w.random.IntN(50)) * time.Millisecond)
	}
}

// What is unknown is tried again with the same key by every other client.
func p2Call[T any](p *p2, w *p2Writer, kind, key, value string, call func(ctx context.Context) (T, error)) error {
	_, err := rig.Once(p.Context(), call)
	if rig.OutcomeOf(err) == rig.Unknown && w.random.IntN(2) == 0 {
		_, err = rig.Until(p.Context(), call)
	}
	p.history.Record(kind, key, rig.OutcomeOf(err), value)
	return err
}

func (p *p2) sendMessage(w *p2Writer) error {
	key := rig.NewID()
	w.count++
	text := fmt.Sprintf("%s says %d", w.Name, w.count)
	return p2Call(p, w, "SendMessage", key, text, func(ctx context.Context) (*pb.SendMessageResponse, error) {
		return w.Chat.SendMessage(w.In(ctx), &pb.SendMessageRequest{RoomId: w.room, Content: text, ClientMessageId: key})
	})
}

func (p *p2) book(w *p2Writer) error {
	key := rig.NewID()
	return p2Call(p, w, "CreateBooking", key, w.ID, func(ctx context.Context) (*pb.CreateBookingResponse, error) {
		return w.Bookings.CreateBooking(w.In(ctx), &pb.CreateBookingRequest{
			ServiceId: p.serviced, FullName: w.Name, RequestId: key})
	})
}

func (p *p2) need(w *p2Writer) error {
	request := p.cluster.NeedRequest(rig.Deal{Title: "Work that is needed"})
	return p2Call(p, w, "CreateService", request.RequestId, w.ID, func(ctx context.Context) (*pb.CreateServiceResponse, error) {
		return w.Listings.CreateService(w.In(ctx), request)
	})
}

// Each overwrites the one before: the last acknowledged one counts, and what came
// after it without an answer.
func (p *p2) updateMe(w *p2Writer) error {
	w.count++
	bio := fmt.Sprintf("%s is %d", w.Name, w.count)
	_, err := rig.Once(p.Context(), func(ctx context.Context) (*pb.UpdateMeResponse, error) {
		return w.Users.UpdateMe(w.In(ctx), &pb.UpdateMeRequest{Bio: &bio,
			UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"bio"}}})
	})
	switch rig.OutcomeOf(err) {
	case rig.Done:
		w.bio, w.maybe = bio, nil
	case rig.Unknown:
		w.maybe = append(w.maybe, bio)
	}
	return err
}

func (p *p2) killServer(*rand.Rand) error {
	p.killed()
	if err := p.server.Kill(); err != nil {
		return err
	}
	return p.server.Start()
}

func (p *p2) killPostgres(*rand.Rand) error {
	p.killed()
	if err := p.cluster.Database.Kill(); err != nil {
		return err
	}
	return p.server.AwaitReady(time.Minute)
}

func (p *p2) killBoth(random *rand.Rand) error {
	p.killed()
	if err := p.cluster.Database.Kill(); err != nil {
		return err
	}
	return p.killServer(random)
}

// The clock of a recovery runs from the first kill to the first write that began
// after it and was acknowledged.
func (p *p2) killed() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.killedAt.IsZero() {
		p.killedAt = time.Now()
	}
}

func (p *p2) recovered(begin time.Time) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if !p.killedAt.IsZero() && begin.After(p.killedAt) {
		p.recoveries = append(p.recoveries, time.Since(p.killedAt))
		p.killedAt = time.Time{}
	}
}

func (p *p2) check(writers []*p2Writer) {
	lost := 0
	for kind, query := range map[string]string{
		"SendMessage":   `select client_message_id, content from chat_message where client_message_id = any ($1::text[])`,
		"CreateBooking": `select request_id::text, seeker_id::text from booking where request_id = any ($1::text[]::uuid[])`,
		"CreateService": `select request_id::text, owner_id::text from service where request_id = any ($1::text[]::uuid[])`,
	} {
		verdict := p.history.Compare(p.Trial, p.cluster.Database, kind, query)
		lost += len(verdict.Lost) + len(verdict.Changed)
	}
	for _, w := range writers {
		var bio string
		err := p.cluster.Database.SQL().QueryRow(p.Context(), "select bio from profile where user_id = $1", w.ID).Scan(&bio)
		p.Must(err, "a profile")
		good := bio == w.bio
		for _, maybe := range w.maybe {
			good = good || bio == maybe
		}
		if !good {
			lost++
			p.Broken("UpdateMe: %q was acknowledged, %q is there", w.bio, bio)
		}
	}
	p.Measured("%d lost", lost)
}

// One of ten may be the machine's: it may be busy with others.
func (p *p2) report() {
	most, longest := rig.Percentile(p.recoveries, 90), rig.Percentile(p.recoveries, 100)
	p.Measured("writes again after %.1f s, 90 %% within %.1f s, all within %.1f s",
		rig.Percentile(p.recoveries, 50).Seconds(), most.Seconds(), longest.Seconds())
	p.ExpectInTime(most <= p2Recovery && longest <= p2Stall,
		"no write was acknowledged for %.1f s after a kill", longest.Seconds())
}
