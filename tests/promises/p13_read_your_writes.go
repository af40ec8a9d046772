package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "prbal.test/api/prbal/v1"
	"prbal.test/promises/rig"
)

func init() {
	rig.Register("P13", "whoever writes by one server reads it by any", tryReadYourWrites)
}

const (
	readAfter    = "prbal-read-after"
	standbyDelay = 500 * time.Millisecond
)

// A client that does what docs/read-your-writes.md asks of it.
type reader struct {
	person *rig.Person
	mutex  sync.Mutex
	token  string
}

func (r *reader) keep(token string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.token = max(r.token, token)
}

func (r *reader) in(ctx context.Context) context.Context {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return metadata.AppendToOutgoingContext(r.person.In(ctx), readAfter, r.token)
}

// A call that may write: keeps what it tells.
func call[Q, A any](ctx context.Context, r *reader, method func(context.Context, *Q, ...grpc.CallOption) (*A, error),
	request *Q) (*A, error) {
	var header, trailer metadata.MD
	answer, err := method(r.in(ctx), request, grpc.Header(&header), grpc.Trailer(&trailer))
	for _, token := range append(header.Get(readAfter), trailer.Get(readAfter)...) {
		r.keep(token)
	}
	return answer, err
}

type readWorld struct {
	*rig.Trial
	cluster                       *rig.Cluster
	clients                       []*rig.Client // one for each server
	pairs, stale, untold          atomic.Int64
	plain, plainStale, heard, gap atomic.Int64
}

func (w *readWorld) anyone(random *rand.Rand) *rig.Client {
	return w.clients[random.IntN(len(w.clients))]
}

func tryReadYourWrites(t *rig.Trial) {
	w := &readWorld{Trial: t, cluster: t.Cluster(rig.Setup{
		Servers:  2,
		Build:    rig.Release,
		Standbys: []time.Duration{standbyDelay, 0},
		Settings: map[string]string{"replica_lag": "5s", "replica_without_token": "true"},
	})}
	for _, server := range w.cluster.Servers {
		w.clients = append(w.clients, w.cluster.Client(server.Address))
	}
	people := w.cluster.People(32, rig.Both)
	chaos := t.Chaos(time.Second, 3*time.Second, rig.Fault{Name: "standby kills", Happen: w.killStandby})
	each := t.Size(10_000, 400_000)/len(people) + 1
	t.Together(len(people), func(number int) {
		w.writeAndRead(&reader{person: people[number]}, number, each)
	})
	w.listen(people)
	kills := chaos.Stop()
	w.report(kills)
}

// Either of them, at once with all its processes.
func (w *readWorld) killStandby(random *rand.Rand) error {
	standby := w.cluster.Standbys[random.IntN(len(w.cluster.Standbys))]
	if err := standby.Kill(); err != nil {
		return err
	}
	return standby.Start()
}

// ---- Pairs.

func (w *readWorld) writeAndRead(r *reader, number, count int) {
	random := w.Stream(number)
	for i := range count {
		bio := fmt.Sprintf("number %d", i)
		if !w.write(r, random, bio) {
			return
		}
		w.read(r, random, bio)
		if i%10 == 0 {
			w.readPlainly(r, random, bio)
		}
	}
}

func (w *readWorld) write(r *reader, random *rand.Rand, bio string) bool {
	before := r.token
	_, err := rig.Until(w.Context(), func(ctx context.Context) (*pb.UpdateMeResponse, error) {
		return call(ctx, r, w.anyone(random).Users.UpdateMe, &pb.UpdateMeRequest{Bio: &bio})
	})
	if err != nil {
		w.Broken("a write: %v", err)
		return false
	}
	if r.token <= before {
		w.untold.Add(1)
	}
	return true
}

func (w *readWorld) read(r *reader, random *rand.Rand, bio string) {
	answer, err := rig.Until(w.Context(), func(ctx context.Context) (*pb.GetMeResponse, error) {
		return w.anyone(random).Users.GetMe(r.in(ctx), &pb.GetMeRequest{})
	})
	if err != nil {
		w.Broken("a read: %v", err)
		return
	}
	w.pairs.Add(1)
	if answer.Profile.GetBio() != bio {
		w.stale.Add(1)
	}
}

// As a client that knows nothing of tokens.
func (w *readWorld) readPlainly(r *reader, random *rand.Rand, bio string) {
	answer, err := rig.Until(w.Context(), func(ctx context.Context) (*pb.GetMeResponse, error) {
		return w.anyone(random).Users.GetMe(r.person.In(ctx), &pb.GetMeRequest{})
	})
	if err != nil && status.Code(err) != codes.NotFound { // an account that is not there yet
		w.Broken("a read without a token: %v", err)
		return
	}
	w.plain.Add(1)
	if answer.GetProfile().GetBio() != bio {
		w.plainStale.Add(1)
	}
}

// ---- Streams: who hears of a bid reads it.

func (w *readWorld) listen(people []*rig.Person) {
	bidders, owner := people[1:], people[0]
	client := w.clients[0]
	services := make([]string, w.Size(8, 40))
	for i := range services {
		id, err := w.cluster.Need(client, owner, rig.Deal{Title: fmt.Sprintf("Paint fence %d", i)})
		w.Must(err, "a service")
		services[i] = id
	}
	ctx, cancel := context.WithCancel(w.Context())
	defer cancel()
	stream, err := w.clients[1].Events.Subscribe(owner.In(ctx), &pb.SubscribeRequest{})
	w.Must(err, "a stream")
	first, err := stream.Recv()
	w.Must(err, "a stream")
	w.Expect(first.Event.GetConnected() != nil, "a stream begins with %v", first)
	done := make(chan struct{})
	expected := len(services) * len(bidders)
	go func() {
		defer close(done)
		w.hear(stream, owner, expected)
	}()
	w.Together(len(bidders), func(number int) { w.bid(bidders[number], number, services) })
	select {
	case <-done:
	case <-time.After(time.Minute):
		w.Broken("of %d bids the stream has told %d", expected, w.heard.Load())
	}
}

func (w *readWorld) bid(bidder *rig.Person, number int, services []string) {
	random := w.Stream(1000 + number)
	for _, service := range services {
		_, err := rig.Until(w.Context(), func(ctx context.Context) (*pb.CreateBidResponse, error) {
			return w.anyone(random).Bids.CreateBid(bidder.In(ctx), &pb.CreateBidRequest{
				ServiceId: service, Amount: &pb.Money{AmountMinor: 9_000, Currency: "USD"}, Message: "I can."})
		})
		w.Expect(err == nil || rig.Reason(err) == "BID_EXISTS", "a bid: %v", err)
	}
}

// Each reader has no token but that of the event.
func (w *readWorld) hear(stream pb.EventService_SubscribeClient, owner *rig.Person, count int) {
	random := w.Stream(2000)
	for w.heard.Load() < int64(count) {
		message, err := stream.Recv()
		if err != nil {
			w.Expect(errors.Is(err, io.EOF), "the stream: %v", err)
			return
		}
		updated := message.Event.GetBidUpdated()
		if updated == nil {
			continue
		}
		r := &reader{person: owner, token: message.ReadAfter}
		w.Expect(r.token != "", "an event without read_after")
		_, err = rig.Until(w.Context(), func(ctx context.Context) (*pb.GetBidResponse, error) {
			return w.anyone(random).Bids.GetBid(r.in(ctx), &pb.GetBidRequest{BidId: updated.BidId})
		})
		if err != nil {
			w.gap.Add(1)
		}
		w.heard.Add(1)
	}
}

// ---- What came of it.

func (w *readWorld) report(kills int) {
	w.Expect(w.stale.Load() == 0, "%d of %d reads did not see the write before them", w.stale.Load(), w.pairs.Load())
	w.Expect(w.gap.Load() == 0, "%d of %d bids that a stream told of were not there", w.gap.Load(), w.heard.Load())
	w.Expect(w.untold.Load() == 0, "%d writes told no token", w.untold.Load())
	by := func(who, why string) int {
		return w.cluster.Figure(fmt.Sprintf(`db_replica_calls_total{by="%s",why="%s"}`, who, why))
	}
	ready, waited := by("replica", "ready"), by("replica", "waited")
	w.Expect(w.plainStale.Load() > 0, "no read was stale without the token either: this shows nothing")
	w.Expect(ready+waited > 0, "no standby has answered anything")
	w.Tried("pairs of write and read on two servers with two standbys", int(w.pairs.Load()))
	w.Tried("events read", int(w.heard.Load()))
	w.Tried("standby kills", kills)
	w.Measured("%d stale", w.stale.Load()+w.gap.Load())
	w.Measured("without the token %s of %s", rig.Count(int(w.plainStale.Load())), rig.Count(int(w.plain.Load())))
	w.Measured("answered by a standby %s at once and %s after a wait, by the primary %s that none had, %s without a standby, %s that failed",
		rig.Count(ready), rig.Count(waited), rig.Count(by("primary", "behind")),
		rig.Count(by("primary", "left_out")), rig.Count(by("primary", "failed")))
}
