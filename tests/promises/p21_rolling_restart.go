package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "prbal.test/api/prbal/v1"
	"prbal.test/promises/rig"
)

func init() {
	rig.Register("P21", "a rolling restart fails no call", rollingRestartFailsNoCall)
}

const (
	p21Servers = 3
	p21Callers = 16
	p21Resume  = 5 * time.Second // from a stream's end to the next one's caught_up
)

type p21 struct {
	*rig.Trial
	cluster  *rig.Cluster
	address  string // of the balancer
	pairs    []p21Pair
	calls    atomic.Int64
	sent     atomic.Int64
	restarts atomic.Int64
	upgrades atomic.Int64

	mutex    sync.Mutex
	resumes  []time.Duration
	failures map[string]int
}

// Two people with a room, of whom the provider follows its events.
type p21Pair struct {
	seeker, provider *rig.Person
	room             string
	reader           *p21Reader
}

func rollingRestartFailsNoCall(t *rig.Trial) {
	p := &p21{Trial: t, failures: map[string]int{}}
	p.cluster = t.Cluster(rig.Setup{Servers: p21Servers, Build: rig.Release, Settings: map[string]string{
		// As docs/operations.md says for servers behind a balancer: it looks every
		// 0.2 s here.
		"drain_notice": "1s", "drain": "10s",
	}})
	balancer := p.cluster.Balancer()
	p.address = balancer.Address
	p.meet(t.Size(300, 1000))

	follow, stop := context.WithCancel(t.Context())
	var following sync.WaitGroup
	for _, pair := range p.pairs {
		following.Add(1)
		go func() {
			defer following.Done()
			pair.reader.follow(follow)
		}()
	}
	p.awaitStreams()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if last := p.restartAll(balancer, t.Size(5, 30)); last != nil {
			p.upgrade(last, t.Size(2, 10))
		}
	}()
	clients := make([]*rig.Client, p21Callers)
	for i := range clients {
		clients[i] = p.cluster.Client(p.address)
	}
	t.Together(p21Callers, func(number int) { p.call(clients[number], t.Stream(number+1), done) })
	p.awaitEvents()
	stop()
	following.Wait()
	p.report()
}

func (p *p21) meet(count int) {
	client := p.cluster.Client(p.address)
	seekers, providers := p.cluster.People(count, rig.Seeker), p.cluster.People(count, rig.Provider)
	p.pairs = make([]p21Pair, count)
	p.Together(count, func(i int) {
		answer, err := rig.Once(p.Context(), func(ctx context.Context) (*pb.OpenDirectRoomResponse, error) {
			return client.Chat.OpenDirectRoom(seekers[i].In(ctx), &pb.OpenDirectRoomRequest{TargetUserId: providers[i].ID})
		})
		p.Must(err, "a room")
		p.pairs[i] = p21Pair{seekers[i], providers[i], answer.Room.RoomId, nil}
	})
	var shared []*rig.Client
	for range 12 {
		shared = append(shared, p.cluster.Client(p.address))
	}
	for i := range p.pairs {
		p.pairs[i].reader = &p21Reader{trial: p, client: shared[i%len(shared)], person: providers[i]}
	}
}

// One server after the other: SIGTERM, its end, its next start. The next one's
// turn comes when the balancer has seen that it is back. Answers the last one.
func (p *p21) restartAll(balancer *rig.Balancer, count int) (server *rig.Server) {
	for i := range count {
		server = p.cluster.Servers[i%p21Servers]
		err := server.Terminate()
		if err == nil {
			err = server.Start()
		}
		if err == nil {
			err = balancer.Await(server, true)
		}
		if err != nil {
			p.Broken("%v", err)
			return nil
		}
		p.restarts.Add(1)
	}
	return server
}

// The other way: a new process takes the sockets of the old one.
func (p *p21) upgrade(server *rig.Server, count int) {
	for range count {
		if err := server.Upgrade(); err != nil {
			p.Broken("%v", err)
			return
		}
		p.upgrades.Add(1)
	}
}

// Half of the calls read, half write what the readers are to see.
func (p *p21) call(client *rig.Client, random *rand.Rand, done chan struct{}) {
	for p.Context().Err() == nil {
		select {
		case <-done:
			return
		case <-time.After(time.Duration(random.IntN(40)) * time.Millisecond):
		}
		pair := p.pairs[random.IntN(len(p.pairs))]
		err := p.readOrWrite(client, pair, random)
		p.calls.Add(1)
		if err != nil {
			p.mutex.Lock()
			p.failures[status.Code(err).String()]++
			p.mutex.Unlock()
			p.Broken("a call failed: %v", err)
		}
	}
}

func (p *p21) readOrWrite(client *rig.Client, pair p21Pair, random *rand.Rand) error {
	if random.IntN(2) == 0 {
		_, err := rig.Once(p.Context(), func(ctx context.Context) (*pb.ListMessagesResponse, error) {
			return client.Chat.ListMessages(pair.seeker.In(ctx), &pb.ListMessagesRequest{RoomId: pair.room})
		})
		return err
	}
	_, err := rig.Once(p.Context(), func(ctx context.Context) (*pb.SendMessageResponse, error) {
		return client.Chat.SendMessage(pair.seeker.In(ctx), &pb.SendMessageRequest{
			RoomId: pair.room, Content: "Hello", ClientMessageId: rig.NewID()})
	})
	if err == nil {
		p.sent.Add(1)
		pair.reader.expected.Add(1)
	}
	return err
}

// A client of the event stream that resumes as event.proto tells it to.
type p21Reader struct {
	trial    *p21
	client   *rig.Client
	person   *rig.Person
	expected atomic.Int64 // messages sent to it
	messages atomic.Int64 // and seen
	isLive   atomic.Bool

	seq     int64
	mark    int32
	endedAt time.Time // of the last stream; zero before the first
}

func (r *p21Reader) follow(ctx context.Context) {
	for ctx.Err() == nil {
		err := r.one(ctx)
		if r.isLive.Swap(false) {
			r.endedAt = time.Now()
		}
		if code := status.Code(err); ctx.Err() == nil && code != codes.Unavailable {
			r.trial.Broken("a stream ended with %v", err)
		}
	}
}

func (r *p21Reader) one(ctx context.Context) error {
	request := &pb.SubscribeRequest{ResumeAfter: proto.Int64(r.seq), ResumeMark: r.mark}
	stream, err := r.client.Events.Subscribe(r.person.In(ctx), request)
	for err == nil {
		var answer *pb.SubscribeResponse
		if answer, err = stream.Recv(); err == nil {
			r.take(answer.Event)
		}
	}
	return err
}

func (r *p21Reader) take(event *pb.Event) {
	switch {
	case event.EventId > 0:
		r.trial.Expect(event.EventId == r.seq+1, "%s got event %d after %d", r.person.Name, event.EventId, r.seq)
		r.seq, r.mark = event.EventId, event.Mark
		if event.GetChatMessage() != nil {
			r.messages.Add(1)
		}
	case event.GetResyncRequired() != nil:
		r.trial.Broken("%s was told to read all again", r.person.Name)
		r.seq, r.mark = event.GetResyncRequired().Position, event.GetResyncRequired().Mark
	case event.GetCaughtUp() != nil:
		r.isLive.Store(true)
		if !r.endedAt.IsZero() {
			r.trial.resumed(time.Since(r.endedAt))
		}
	}
}

func (p *p21) resumed(after time.Duration) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.resumes = append(p.resumes, after)
}

func (p *p21) awaitStreams() {
	p.await("streams are not live", func(r *p21Reader) bool { return r.isLive.Load() })
}

func (p *p21) awaitEvents() {
	p.await("messages have not come", func(r *p21Reader) bool { return r.messages.Load() == r.expected.Load() })
}

// A hang bound.
func (p *p21) await(what string, holds func(r *p21Reader) bool) {
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		left := 0
		for _, pair := range p.pairs {
			if !holds(pair.reader) {
				left++
			}
		}
		if left == 0 || p.Context().Err() != nil {
			return
		}
		if time.Now().After(deadline) {
			p.Broken("after 30 s %d %s", left, what)
			return
		}
	}
}

func (p *p21) report() {
	failed := 0
	for _, count := range p.failures {
		failed += count
	}
	p.Tried("restarts", int(p.restarts.Load()))
	p.Tried("upgrades", int(p.upgrades.Load()))
	p.Tried("calls", int(p.calls.Load()))
	p.Tried("streams", len(p.pairs))
	p.Measured("%d calls failed", failed)
	longest := rig.Percentile(p.resumes, 100)
	p.Measured("%s streams resumed, 99 %% within %.2f s, all within %.2f s", rig.Count(len(p.resumes)),
		rig.Percentile(p.resumes, 99).Seconds(), longest.Seconds())
	p.Measured("%s messages seen, each once", rig.Count(int(p.sent.Load())))
	p.ExpectInTime(longest <= p21Resume, "a stream resumed after %.1f s", longest.Seconds())
	p.Expect(len(p.resumes) > 0, "no stream was ended by a restart")
}
