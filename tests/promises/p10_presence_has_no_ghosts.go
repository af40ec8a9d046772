package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"

	pb "prbal.test/api/prbal/v1"
	"prbal.test/promises/rig"
)

func init() {
	rig.Register("P10", "who is gone is seen to be gone", presenceHasNoGhosts)
}

const (
	p10Each      = 5 // people of each fate
	p10Clean     = 2 * time.Second
	p10Lost      = 60 * time.Second
	p10OnlineMax = 30 * time.Second // hang bound
	p10Lease     = 20 * time.Second // as it is by itself
)

// A group of people with streams at three servers, one of whom watches.
type p10 struct {
	*rig.Trial
	cluster  *rig.Cluster
	proxies  []*rig.Proxy
	clients  []*rig.Client // past the proxies
	watcher  *p10Watcher
	visitors []*p10Visitor
}

func presenceHasNoGhosts(t *rig.Trial) {
	p := &p10{Trial: t}
	settings := map[string]string{}
	if !t.Long { // a quarter of what they are by themselves
		settings = map[string]string{"heartbeat": "6s", "keepalive": "7s", "keepalive_timeout": "5s", "presence_lease": "5s"}
	}
	// The time of a clean end is promised, so the server is the one that people run.
	p.cluster = t.Cluster(rig.Setup{Servers: 3, Build: rig.Release, Settings: settings})
	for _, server := range p.cluster.Servers {
		p.proxies = append(p.proxies, t.Proxy(server.Address))
		p.clients = append(p.clients, p.cluster.Client(server.Address))
	}
	people := p.cluster.People(1+6*p10Each, rig.Both)
	insertRoom(t, p.cluster, rig.NewID(), "GROUP", people...)
	p.watch(people[0])
	for i, person := range people[1:] {
		p.visitors = append(p.visitors, p.newVisitor(person, i))
	}
	p.come(p.visitors)
	p.goAway()
	p.churn(t.Time(4*time.Second, 2*time.Minute))
	if t.Long {
		p.sleep()
		p.compareAll("after a server has slept")
		p.outage()
	}
	p.compareAll("at the end")
}

// ---- Somebody who comes and goes.

type p10Visitor struct {
	trial  *p10
	person *rig.Person
	proxy  *rig.Proxy
	server int
	end    func()
	ended  chan struct{}
}

func (p *p10) newVisitor(person *rig.Person, number int) *p10Visitor {
	return &p10Visitor{trial: p, person: person, server: number % 3, proxy: p.proxies[number%3]}
}

// Returns when the stream is connected.
func (v *p10Visitor) come() {
	connected := make(chan struct{})
	ctx, cancel := context.WithCancel(v.trial.Context())
	v.end, v.ended = cancel, make(chan struct{})
	go func() {
		defer close(v.ended)
		isConnected := false
		for ctx.Err() == nil && !isConnected {
			v.follow(ctx, func() {
				isConnected = true
				close(connected)
			})
		}
	}()
	select {
	case <-connected:
	case <-ctx.Done():
	}
}

// One stream until it ends; it does not come back.
func (v *p10Visitor) follow(ctx context.Context, isConnected func()) {
	connection, err := v.trial.cluster.Connect(v.proxy.Address)
	if err != nil {
		return
	}
	defer connection.Close()
	stream, err := pb.NewEventServiceClient(connection).Subscribe(v.person.In(ctx), &pb.SubscribeRequest{})
	for err == nil {
		var answer *pb.SubscribeResponse
		if answer, err = stream.Recv(); err == nil && answer.Event.GetCaughtUp() != nil {
			isConnected()
		}
	}
}

func (v *p10Visitor) leave() {
	v.end()
	<-v.ended
}

func (p *p10) come(visitors []*p10Visitor) {
	p.Together(len(visitors), func(i int) { visitors[i].come() })
	for _, visitor := range visitors {
		_, isThere := p.watcher.await(visitor.person, pb.PresenceStatus_PRESENCE_STATUS_ONLINE, p10OnlineMax)
		p.Expect(isThere, "%s came, and nobody was told", visitor.person.Name)
	}
}

// ---- Who watches, at the first server, which is never harmed.

type p10Watcher struct {
	trial   *p10
	client  *rig.Client
	person  *rig.Person
	mutex   sync.Mutex
	changed *sync.Cond
	status  map[string]pb.PresenceStatus
	since   map[string]time.Time
	changes int
}

func (p *p10) watch(person *rig.Person) {
	w := &p10Watcher{trial: p, person: person, client: p.clients[0],
		status: map[string]pb.PresenceStatus{}, since: map[string]time.Time{}}
	w.changed = sync.NewCond(&w.mutex)
	p.watcher = w
	stream, err := w.client.Events.Subscribe(person.In(p.Context()),
		&pb.SubscribeRequest{Topics: []pb.EventTopic{pb.EventTopic_EVENT_TOPIC_PRESENCE}})
	p.Must(err, "a stream")
	_, err = stream.Recv()
	p.Must(err, "a stream")
	go func() {
		for {
			answer, err := stream.Recv()
			if err != nil {
				return
			}
			w.take(answer.Event)
		}
	}()
}

func (w *p10Watcher) take(event *pb.Event) {
	change := event.GetUserStatusChanged()
	if change == nil {
		return
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.status[change.UserId] = change.Status
	w.since[change.UserId] = time.Now()
	w.changes++
	w.changed.Broadcast()
}

// When the watcher was told; false when not within that time.
func (w *p10Watcher) await(person *rig.Person, status pb.PresenceStatus, patience time.Duration) (time.Time, bool) {
	wake := time.AfterFunc(patience, w.changed.Broadcast)
	defer wake.Stop()
	deadline := time.Now().Add(patience)
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for w.status[person.ID] != status && time.Now().Before(deadline) {
		w.changed.Wait()
	}
	return w.since[person.ID], w.status[person.ID] == status
}

func (w *p10Watcher) told(person *rig.Person) pb.PresenceStatus {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.status[person.ID]
}

// ---- The ways to go.

type p10Fate struct {
	name   string
	bound  time.Duration
	people []*p10Visitor
	happen func()
}

// All at once: each by an own way, and some stay.
func (p *p10) goAway() {
	at := func(server, from int) []*p10Visitor {
		var some []*p10Visitor
		for _, visitor := range p.visitors {
			if visitor.server == server {
				some = append(some, visitor)
			}
		}
		return some[from : from+p10Each]
	}
	fates := []*p10Fate{
		{name: "clean end", bound: p10Clean, people: at(0, 0)},
		{name: "half open", bound: p10Lost, people: at(1, 0)},
		{name: "kill -9", bound: p10Lost, people: at(2, 0)},
	}
	stay := at(0, p10Each)
	fates[0].happen = func() {
		for _, visitor := range fates[0].people {
			visitor.leave()
		}
	}
	// Everybody at the second server: the network swallows all, on some of them
	// in one direction that the client notices.
	fates[1].people = append(fates[1].people, at(1, p10Each)...)
	fates[1].happen = func() {
		for i, link := range p.proxies[1].Links() {
			if i%2 == 0 {
				link.HalfOpen()
			} else {
				link.Set(rig.Rule{BlackHole: true})
			}
		}
	}
	fates[2].people = append(fates[2].people, at(2, p10Each)...)
	fates[2].happen = func() {
		if err := p.cluster.Servers[2].Kill(); err != nil {
			p.Broken("a kill: %v", err)
		}
	}
	p.Together(len(fates), func(i int) { p.judge(fates[i]) })
	for _, visitor := range stay {
		p.Expect(p.watcher.told(visitor.person) == pb.PresenceStatus_PRESENCE_STATUS_ONLINE,
			"%s stayed, and was said to be gone", visitor.person.Name)
	}
	p.expectAll("after all had gone", stay)
	p.comeBack(append(fates[1].people, fates[2].people...))
}

func (p *p10) judge(fate *p10Fate) {
	begin := time.Now()
	fate.happen()
	longest := time.Duration(0)
	for _, visitor := range fate.people {
		since, isGone := p.watcher.await(visitor.person, pb.PresenceStatus_PRESENCE_STATUS_OFFLINE,
			fate.bound+30*time.Second-time.Since(begin))
		longest = max(longest, since.Sub(begin))
		p.Expect(isGone, "%s is a ghost after a %s", visitor.person.Name, fate.name)
	}
	p.ExpectInTime(longest <= fate.bound, "after a %s it took %.1f s", fate.name, longest.Seconds())
	p.Measured("%s seen after %.1f s", fate.name, longest.Seconds())
}

func (p *p10) comeBack(gone []*p10Visitor) {
	p.Must(p.cluster.Servers[2].Start(), "the server that was killed")
	for _, visitor := range gone {
		visitor.leave()
	}
	p.come(gone)
}

// ---- Coming and going at random, over all servers.

func (p *p10) churn(duration time.Duration) {
	end := time.Now().Add(duration)
	moves := make([]int, len(p.visitors))
	p.Together(len(p.visitors), func(i int) {
		visitor, random := p.visitors[i], p.Stream(i+1)
		for time.Now().Before(end) && p.Context().Err() == nil {
			visitor.leave()
			pause(random, 1500*time.Millisecond)
			visitor.server = random.IntN(3)
			visitor.proxy = p.proxies[visitor.server]
			visitor.come()
			pause(random, 500*time.Millisecond)
			moves[i]++
		}
		if random.IntN(2) == 0 {
			visitor.leave()
		}
	})
	total := 0
	for _, count := range moves {
		total += count
	}
	p.Tried("people", len(p.visitors))
	p.Tried("moves", total)
	p.compareAll("after all that")
}

func pause(random *rand.Rand, most time.Duration) {
	time.Sleep(time.Duration(random.Int64N(int64(most))))
}

// A server that does not run for longer than its lease: its people are gone
// meanwhile, and there again when it goes on.
func (p *p10) sleep() {
	p.cluster.Servers[1].Signal(syscall.SIGSTOP)
	for _, visitor := range p.visitors {
		if visitor.server == 1 && visitor.isThere() {
			_, isGone := p.watcher.await(visitor.person, pb.PresenceStatus_PRESENCE_STATUS_OFFLINE, p10Lost)
			p.Expect(isGone, "%s is a ghost of a server that sleeps", visitor.person.Name)
		}
	}
	p.cluster.Servers[1].Signal(syscall.SIGCONT)
}

// The database is gone for longer than all leases: nobody has left for that.
func (p *p10) outage() {
	before := p.watcher.count()
	p.Must(p.cluster.Database.Stop(), "PostgreSQL's end")
	time.Sleep(p10Lease + 5*time.Second)
	p.Must(p.cluster.Database.Start(), "PostgreSQL")
	time.Sleep(p10Lease + 15*time.Second) // they have noticed each other's leases
	changes := p.watcher.count() - before
	p.Expect(changes == 0, "an outage of the database made %d come or go", changes)
	p.Measured("%d said to go in an outage", changes)
}

func (w *p10Watcher) count() int {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.changes
}

func (v *p10Visitor) isThere() bool {
	select {
	case <-v.ended:
		return false
	default:
		return true
	}
}

// What the watcher was told, what each server answers, and what is so, agree
// once the last change has had its time.
func (p *p10) compareAll(when string) {
	var there []*p10Visitor
	for _, visitor := range p.visitors {
		if visitor.isThere() {
			there = append(there, visitor)
		}
	}
	p.expectAll(when, there)
}

func (p *p10) expectAll(when string, there []*p10Visitor) {
	want := map[string]pb.PresenceStatus{}
	for _, visitor := range p.visitors {
		want[visitor.person.ID] = pb.PresenceStatus_PRESENCE_STATUS_OFFLINE
	}
	for _, visitor := range there {
		want[visitor.person.ID] = pb.PresenceStatus_PRESENCE_STATUS_ONLINE
	}
	problem := "?"
	for deadline := time.Now().Add(p10Lost); problem != "" && time.Now().Before(deadline) && p.Context().Err() == nil; {
		if problem = p.disagreement(want); problem != "" {
			time.Sleep(100 * time.Millisecond)
		}
	}
	p.Expect(problem == "", "%s: %s", when, problem)
}

func (p *p10) disagreement(want map[string]pb.PresenceStatus) string {
	ids := []string{}
	for id := range want {
		ids = append(ids, id)
	}
	for number, server := range p.cluster.Servers {
		if !server.IsRunning() {
			continue
		}
		answer, err := rig.Until(p.Context(), func(ctx context.Context) (*pb.GetPresenceResponse, error) {
			return p.clients[number].Chat.GetPresence(p.watcher.person.In(ctx), &pb.GetPresenceRequest{UserIds: ids})
		})
		if err != nil || len(answer.Presences) != len(ids) {
			return fmt.Sprintf("GetPresence answers %d of %d: %v", len(answer.GetPresences()), len(ids), err)
		}
		for _, presence := range answer.Presences {
			if presence.Status != want[presence.UserId] {
				return fmt.Sprintf("server %d says that %s is %v", number, presence.UserId, presence.Status)
			}
		}
	}
	for id, status := range want {
		if told := p.watcher.told(&rig.Person{ID: id}); told != status {
			return fmt.Sprintf("a stream was told that %s is %v", id, told)
		}
	}
	return ""
}
