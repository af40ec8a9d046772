package main

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	pb "prbal.test/api/prbal/v1"
	"prbal.test/bench/drive"
	"prbal.test/bench/kit"
	"prbal.test/promises/rig"
)

var writePeers = []string{"go-pgx"}

func init() {
	kit.Register(kit.Part{Name: "write", Order: 3, Title: "Writing to the marketplace", Measure: measureWrite, Peers: writePeers})
}

const writeText = `Each call is a transaction that is on the disk before it is answered
(synchronous_commit and fsync are on), with an idempotency-key of its own, whose
answer is kept for a retry, with the events and notifications for those whom it
concerns. Before anything is measured every server makes 20 such calls, of the same
people on rows that are alike: the answers must be the same but for ids, moments and
running numbers, and so must the number of rows that they leave in every table.

160 people take turns, 20 on each of 8 connections with 10 calls in flight, so that
nobody waits for himself; each server makes the same number of calls in a round.
Peers verify the token in every call, Prbal finds it in its cache from the second
one on. The floor is pgbench with
the statements of the bare transaction, 8 clients, and pipelined with all of them
sent at once; it keeps no idempotency-key. Everything else is as in the part about
reading.`

const (
	// Of each kind. Each person calls on one connection: of the ten that are in flight
	// there, no two are of the same person, who would wait for himself.
	writePeople   = marketConnections * peopleOfEach
	peopleOfEach  = 20
	bidsOfPost    = 3
	messagesAhead = 20 // in each room
)

type write struct {
	*marketplace
	posts  int                   // for each of the two jobs that use posts up, but for the floor
	spare  int                   // and those of pgbench behind them, for each
	people map[rig.Kind][]string // their tokens
}

func measureWrite(b *kit.Bench) {
	b.Explain(writeText)
	m := &write{marketplace: openMarket(b), people: map[rig.Kind][]string{}}
	m.add(false, 1, writePeers...)
	blocks := 1 + len(m.rivals)*(1+(b.RoundCount()+1)*m.calls()/writePeople)
	m.posts = blocks * writePeople
	m.spare = len(floorNames) * b.RoundCount() * m.calls()
	m.seed("posts", "posts="+itoa(2*(m.posts+m.spare)), "bids="+itoa(bidsOfPost), "people="+itoa(writePeople))
	m.seed("chat", "rooms="+itoa(writePeople), "messages="+itoa(messagesAhead), "people="+itoa(writePeople))
	for _, kind := range []rig.Kind{rig.Seeker, rig.Provider} {
		for number := range writePeople {
			m.people[kind] = append(m.people[kind], m.cluster.Known(personID(kind, number+1), kind).Token)
		}
	}
	for _, job := range m.jobs() {
		m.compareWrites(job)
		found := m.measure(job)
		table := m.table(job.table, job.title, found)
		table.Text = job.text + " CPU is in microseconds a call; `both` is the server and PostgreSQL together, and of pgbench, which has no server, pgbench itself and PostgreSQL."
		m.Table(table)
	}
}

// Calls of one contender in one round: a multiple of writePeople.
func (m *write) calls() int {
	return kit.Pick(m.Bench, 2, 15) * writePeople
}

// A write that is measured. Each turn makes another call, good once. A connection's
// twenty people take turns.
type job struct {
	table, title, text string
	method             string
	make               func(connection, turn int) call
	used               int // turns of each connection so far
	floor              *floor
}

type call struct {
	message proto.Message
	token   string
}

const (
	bidText     = "A bid on a post that has three already; the seeker is told."
	messageText = "A message into a room of two; both are told."
	acceptText  = "One of three bids is accepted: a booking is made, the post is given away, the other two are rejected, and all four people are told."
)

func (m *write) jobs() []*job {
	return []*job{
		{table: "write-bid", title: "CreateBid", text: bidText, method: "BidService/CreateBid", make: m.createBid,
			floor: m.floor("create_bid", m.posts)},
		{table: "write-message", title: "SendMessage", text: messageText, method: "ChatService/SendMessage", make: m.sendMessage,
			floor: m.floor("send_message", 0)},
		{table: "write-accept", title: "AcceptBid", text: acceptText, method: "BidService/AcceptBid", make: m.acceptBid,
			floor: m.floor("accept_bid", 2*m.posts+m.spare)},
	}
}

// The statements of the same transaction, on posts of its own behind the others: the
// first ones are those of number first + floorClients.
func (m *write) floor(script string, posts int) *floor {
	return &floor{script: script, calls: m.calls(), repeated: 1, variables: map[string]int{"first": posts - floorClients,
		"people": writePeople, "rooms": writePeople, "posts": 2 * (m.posts + m.spare), "bids": bidsOfPost}}
}

// The person whose turn it is, from 0 on, and what is new in each round of turns.
func person(connection, turn int) (person, round int) {
	return connection*peopleOfEach + turn%peopleOfEach, turn / peopleOfEach
}

// Bids on a post of the same person's number; tests/bench/seed/posts.sql says who
// has bid on it already.
func (m *write) createBid(connection, turn int) call {
	owner, round := person(connection, turn)
	provider, _ := person(connection, turn+peopleOfEach/2)
	for hasBid(owner, provider) {
		turn++
		provider, _ = person(connection, turn+peopleOfEach/2)
	}
	return call{token: m.people[rig.Provider][provider],
		message: &pb.CreateBidRequest{ServiceId: postID(1 + round*writePeople + owner),
			Amount:   &pb.Money{AmountMinor: 12_000, Currency: "USD"},
			Duration: "3-5 days", Message: "I can begin this week and have done this many times."}}
}

// On all posts of this owner, since writePeople of them have a multiple of that of
// bids.
func hasBid(owner, provider int) bool {
	return (provider-owner*bidsOfPost%writePeople+writePeople)%writePeople < bidsOfPost
}

// In the room of the seeker and the provider of the same number: one of the two.
func (m *write) sendMessage(connection, turn int) call {
	sender, _ := person(connection, turn)
	kind := rig.Seeker
	if sender%2 == 1 {
		kind = rig.Provider
	}
	return call{token: m.people[kind][sender], message: &pb.SendMessageRequest{RoomId: roomID(1 + sender),
		Content: "I can come in the morning and bring the tools.", ClientMessageId: rig.NewID()}}
}

// One of three bids, by the seeker; the other two are rejected with it.
func (m *write) acceptBid(connection, turn int) call {
	owner, round := person(connection, turn)
	post := 1 + m.posts + m.spare + round*writePeople + owner
	return call{token: m.people[rig.Seeker][owner],
		message: &pb.AcceptBidRequest{BidId: bidID((post-1)*bidsOfPost + 1), Address: "12 Nile Street"}}
}

// Everybody makes the same number of calls, so that the tables grow alike.
func (m *write) measure(j *job) map[string]kit.Series {
	for _, r := range m.rivals {
		m.Progress("%s: warming up %s", j.title, r.name)
		m.costOfWrites(r, j)
	}
	return m.Rounds(j.title, m.names(), func(name string) kit.Sample {
		if r := m.rival(name); r != nil {
			return m.costOfWrites(r, j)
		}
		return m.costOfFloor(j.floor, name)
	})
}

func (m *write) costOfWrites(r *rival, j *job) kit.Sample {
	used := j.used
	j.used += m.calls() / marketConnections
	return m.cost(r, drive.Target{Address: r.address, Path: "/prbal.v1." + j.method, Connections: marketConnections,
		InFlight: marketInFlight, Request: func(connection, number int) drive.Request {
			return j.request(connection, used+number)
		}}, m.calls(), 0)
}

func (j *job) request(connection, turn int) drive.Request {
	one := j.make(connection, turn)
	encoded, err := proto.Marshal(one.message)
	if err != nil {
		panic(fmt.Sprint(j.method, ": ", err))
	}
	return drive.Request{Message: encoded, Token: one.token, Key: rig.NewID()}
}
