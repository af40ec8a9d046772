package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "prbal.test/api/prbal/v1"
	"prbal.test/promises/rig"
)

func init() {
	rig.Register("P1", "no provider is booked twice", noProviderIsBookedTwice)
}

const (
	p1Groups    = 8 // clients that race for the same slot
	p1GroupSize = 8
	p1Providers = 4
)

// What is for sale: each provider has a service that is booked at once, and one
// whose bookings wait for an answer.
type p1Provider struct {
	*rig.Person
	instant, asked string
}

type p1 struct {
	*rig.Trial
	cluster   *rig.Cluster
	history   *rig.History
	providers []p1Provider
	base      time.Time // races are from here on, random bookings before

	mutex     sync.Mutex
	conflicts int // deadlocks and the like, which the server leaves to its clients
	expected  []p1Slot
}

// A slot that many wanted, and who was told to have it.
type p1Slot struct {
	providerID string
	middle     time.Time
	winner     string
}

func noProviderIsBookedTwice(t *rig.Trial) {
	p := &p1{Trial: t, history: rig.NewHistory()}
	p.cluster = t.Cluster(rig.Setup{Servers: 2})
	p.base = time.Now().Add(40 * 24 * time.Hour).Truncate(time.Hour)
	p.offer()
	clients := p.clients()

	chaos := t.Chaos(500*time.Millisecond, 3*time.Second, rig.Fault{Name: "kill", Happen: p.killOne})
	end := time.Now().Add(t.Time(20*time.Second, 5*time.Minute))
	t.Together(p1Groups, func(group int) {
		for race := 0; time.Now().Before(end) && t.Context().Err() == nil; race++ {
			p.race(group, race, clients[group*p1GroupSize:(group+1)*p1GroupSize])
		}
	})
	kills := chaos.Stop()
	p.check()

	t.Tried("clients", p1Groups*p1GroupSize)
	t.Tried("bookings tried", p.history.Size("book")+p.history.Size("bid"))
	t.Tried("kills", kills)
	if p.conflicts > 0 {
		t.Measured("%d conflicts told to clients", p.conflicts)
	}
}

func (p *p1) killOne(random *rand.Rand) error {
	server := p.cluster.Servers[random.IntN(len(p.cluster.Servers))]
	if err := server.Kill(); err != nil {
		return err
	}
	return server.Start()
}

func (p *p1) offer() {
	client := p.cluster.Client(p.cluster.Servers[0].Address)
	for _, person := range p.cluster.People(p1Providers, rig.Provider) {
		instant, err := p.cluster.Offer(client, person, rig.Deal{Title: "Booked at once", Instant: true})
		p.Must(err, "a service")
		asked, err := p.cluster.Offer(client, person, rig.Deal{Title: "Booked when accepted"})
		p.Must(err, "a service")
		p.providers = append(p.providers, p1Provider{person, instant, asked})
	}
}

// One of the 64: a seeker with a connection to one of the servers.
type p1Client struct {
	*rig.Client
	*rig.Person
	random *rand.Rand
	booked []string // confirmed, and not yet cancelled
}

func (p *p1) clients() []*p1Client {
	var clients []*p1Client
	for i, person := range p.cluster.People(p1Groups*p1GroupSize, rig.Seeker) {
		server := p.cluster.Servers[i%len(p.cluster.Servers)]
		clients = append(clients, &p1Client{Client: p.cluster.Client(server.Address), Person: person, random: p.Stream(i + 1)})
	}
	return clients
}

// A way to a confirmed booking: prepare() leads up to the call that decides, and
// decide() makes it.
type p1Attempt struct {
	provider   p1Provider
	start, end time.Time
	requestID  string
	bookingID  string // of what waits for its provider
	bidID      string
	patient    bool // repeats a call until its outcome is known
}

func ask[T any](p *p1, attempt *p1Attempt, call func(ctx context.Context) (T, error)) (T, error) {
	answer, err := rig.Once(p.Context(), call)
	for attempt.patient && rig.IsForNow(err) && p.Context().Err() == nil {
		if status.Code(err) == codes.Aborted {
			p.mutex.Lock()
			p.conflicts++
			p.mutex.Unlock()
		}
		time.Sleep(20 * time.Millisecond)
		answer, err = rig.Once(p.Context(), call)
	}
	return answer, err
}

func (p *p1) create(c *p1Client, attempt *p1Attempt, serviceID string) (*pb.Booking, error) {
	answer, err := ask(p, attempt, func(ctx context.Context) (*pb.CreateBookingResponse, error) {
		return c.Bookings.CreateBooking(c.In(ctx), &pb.CreateBookingRequest{
			ServiceId: serviceID, FullName: c.Name, RequestId: attempt.requestID,
			StartTime: timestamppb.New(attempt.start), EndTime: timestamppb.New(attempt.end)})
	})
	value := fmt.Sprint(attempt.start.Unix(), " ", attempt.end.Unix())
	p.history.Record("book", attempt.requestID, rig.OutcomeOf(err), value)
	return answer.GetBooking(), err
}

// What comes before the race: nothing, a request, or a bid. False when it did
// not come about.
func (p *p1) prepare(c *p1Client, attempt *p1Attempt) bool {
	switch c.random.IntN(3) {
	case 0:
		return true
	case 1:
		booking, err := p.create(c, attempt, attempt.provider.asked)
		attempt.bookingID = booking.GetBookingId()
		return err == nil
	}
	serviceID, err := p.cluster.Need(c.Client, c.Person, rig.Deal{Title: "Work that is needed"})
	if err != nil {
		return false
	}
	minutes := int32(attempt.end.Sub(attempt.start).Minutes())
	answer, err := rig.Once(p.Context(), func(ctx context.Context) (*pb.CreateBidResponse, error) {
		return c.Bids.CreateBid(attempt.provider.In(ctx), &pb.CreateBidRequest{
			ServiceId: serviceID, Message: "I can do that.", DurationMinutes: minutes,
			Amount: &pb.Money{AmountMinor: 9000, Currency: "USD"}, ScheduledTime: timestamppb.New(attempt.start)})
	})
	attempt.bidID = answer.GetBid().GetBidId()
	return err == nil
}

// The call that takes the time in the provider's calendar.
func (p *p1) decide(c *p1Client, attempt *p1Attempt) (*pb.Booking, error) {
	switch {
	case attempt.bookingID != "":
		answer, err := ask(p, attempt, func(ctx context.Context) (*pb.AcceptBookingResponse, error) {
			return c.Bookings.AcceptBooking(attempt.provider.In(ctx), &pb.AcceptBookingRequest{BookingId: attempt.bookingID})
		})
		p.history.Record("accept", attempt.bookingID, rig.OutcomeOf(err), "")
		return answer.GetBooking(), err
	case attempt.bidID != "":
		answer, err := ask(p, attempt, func(ctx context.Context) (*pb.AcceptBidResponse, error) {
			return c.Bids.AcceptBid(c.In(ctx), &pb.AcceptBidRequest{BidId: attempt.bidID})
		})
		p.history.Record("bid", attempt.bidID, rig.OutcomeOf(err), "")
		return answer.GetBooking(), err
	}
	return p.create(c, attempt, attempt.provider.instant)
}

// Everybody in the group wants a time that the others want, too.
func (p *p1) race(group, race int, clients []*p1Client) {
	provider := p.providers[group%p1Providers]
	middle := p.base.Add(time.Duration(race*p1Groups+group) * 6 * time.Hour)
	attempts := make([]*p1Attempt, len(clients))
	p.Together(len(clients), func(i int) {
		c := clients[i]
		p.bookAnywhere(c)
		attempt := p.around(c, provider, middle)
		attempt.patient = true
		if p.prepare(c, attempt) {
			attempts[i] = attempt
		}
	})
	answers := make([]*pb.Booking, len(clients))
	errs := make([]error, len(clients))
	p.Together(len(clients), func(i int) {
		if attempts[i] != nil {
			answers[i], errs[i] = p.decide(clients[i], attempts[i])
		}
	})
	p.judge(provider, middle, answers, errs)
}

// A time of one to four hours in which that moment is.
func (p *p1) around(c *p1Client, provider p1Provider, middle time.Time) *p1Attempt {
	before, after := 30+c.random.IntN(90), 30+c.random.IntN(90)
	return &p1Attempt{provider: provider, requestID: rig.NewID(),
		start: middle.Add(-time.Duration(before) * time.Minute),
		end:   middle.Add(time.Duration(after) * time.Minute)}
}

// Without a second try, so that outcomes stay unknown; and what was got is given
// back now and then, so that times become free again.
func (p *p1) bookAnywhere(c *p1Client) {
	provider := p.providers[c.random.IntN(p1Providers)]
	hours := int(time.Until(p.base).Hours()) - 48
	middle := p.base.Add(-time.Duration(24+c.random.IntN(hours)) * time.Hour)
	attempt := p.around(c, provider, middle)
	if p.prepare(c, attempt) {
		if booking, err := p.decide(c, attempt); err == nil {
			c.booked = append(c.booked, booking.BookingId)
		}
	}
	if len(c.booked) > 0 && c.random.IntN(2) == 0 {
		id := c.booked[0]
		c.booked = c.booked[1:]
		_, err := rig.Once(p.Context(), func(ctx context.Context) (*pb.CancelBookingResponse, error) {
			return c.Bookings.CancelBooking(c.In(ctx), &pb.CancelBookingRequest{BookingId: id})
		})
		p.history.Record("cancel", id, rig.OutcomeOf(err), "")
	}
}

// Exactly one winner, and the table says the same.
func (p *p1) judge(provider p1Provider, middle time.Time, answers []*pb.Booking, errs []error) {
	winner := ""
	for i, booking := range answers {
		switch {
		case booking != nil && winner == "":
			winner = booking.BookingId
		case booking != nil:
			p.Broken("two clients were told that they have %s of %s", middle, provider.Name)
		case errs[i] != nil && rig.Reason(errs[i]) != "SLOT_TAKEN" && p.Context().Err() == nil:
			p.Broken("a slot was lost to %v", errs[i])
		}
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.expected = append(p.expected, p1Slot{provider.ID, middle, winner})
}

const p1Live = "status in ('CONFIRMED', 'IN_PROGRESS')"

func (p *p1) check() {
	overlaps := p.cluster.Database.Number(`
		select count(*) from booking a join booking b using (provider_id)
		 where a.booking_id < b.booking_id and a.` + p1Live + ` and b.` + p1Live + `
		   and a.start_at < b.end_at and b.start_at < a.end_at`)
	p.Expect(overlaps == 0, "%d pairs of bookings overlap", overlaps)
	p.Measured("%d overlaps", overlaps)
	wrong := 0
	for _, slot := range p.expected {
		var ids []string
		err := p.cluster.Database.SQL().QueryRow(p.Context(), `
			select coalesce(array_agg(booking_id::text), '{}') from booking
			 where provider_id = $1 and start_at <= $2 and $2 < end_at and `+p1Live,
			slot.providerID, slot.middle).Scan(&ids)
		p.Must(err, "who has a slot")
		if len(ids) != 1 || ids[0] != slot.winner {
			wrong++
			p.Broken("a slot was given to %q, and %v have it", slot.winner, ids)
		}
	}
	if wrong == 0 {
		p.Measured("one winner in each of %s slots", rig.Count(len(p.expected)))
	}
	for kind, query := range map[string]string{
		"book": `select request_id::text, extract(epoch from start_at)::bigint || ' ' || extract(epoch from end_at)::bigint
		           from booking where request_id = any ($1::text[]::uuid[])`,
		"accept": `select booking_id::text, '' from booking where booking_id = any ($1::text[]::uuid[]) and accepted_at is not null`,
		"bid":    `select bid_id::text, '' from booking where bid_id = any ($1::text[]::uuid[])`,
		"cancel": `select booking_id::text, '' from booking where booking_id = any ($1::text[]::uuid[]) and status = 'CANCELLED'`,
	} {
		p.history.Compare(p.Trial, p.cluster.Database, kind, query)
	}
}
