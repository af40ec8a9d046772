package main

import (
	"fmt"

	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"

	pb "prbal.test/api/prbal/v1"
	"prbal.test/bench/kit"
	"prbal.test/bench/swarm"
	"prbal.test/promises/rig"
)

// prbald with PostgreSQL, and accounts that each have one event stream.
type market struct {
	*streams
	*rig.Cluster
	people []*rig.Person // seekers at even places, providers at odd ones
}

// What a stream begins with: connected, caught_up.
const greetings = 2

func (s *streams) product() {
	m := s.market()
	secret, clear := m.connectionBytes(true), m.connectionBytes(false)
	c := &conversation{market: m}
	var stream float64
	c.swarm, stream = m.listeners(false, fewConnections, c.receive)
	defer c.swarm.Close()
	s.Table(&kit.Table{Name: "streams-prbald-memory", Title: "Event streams of prbald: resident memory",
		Text: fmt.Sprintf("EventService.Subscribe by %s accounts, one each, whose tokens are verified: on a connection for each,"+
			" what one with its stream added; and on %d connections, what a stream added. One round.",
			count(s.connectionCount()), fewConnections),
		Columns: []kit.Column{{Title: "resident", Unit: "KiB"}},
		Rows: []kit.Row{{Label: "connection with one stream, TLS", Ours: true, Cells: []kit.Figure{{secret / kib}}},
			{Label: "connection with one stream, h2c", Ours: true, Cells: []kit.Figure{{clear / kib}}},
			{Label: "stream, h2c", Ours: true, Cells: []kit.Figure{{stream / kib}}}}})
	c.measure()
}

func (s *streams) market() *market {
	s.Progress("prbald: its accounts")
	m := &market{streams: s}
	m.Cluster = s.Cluster(rig.Setup{Build: rig.Release, Settings: map[string]string{"listen_mode": "both",
		"loops": "1", "connections": "12000", "log_calls": "true"}})
	seekers := m.People(s.connectionCount()/2, rig.Seeker)
	providers := m.People(s.connectionCount()/2, rig.Provider)
	for i := range seekers {
		m.people = append(m.people, seekers[i], providers[i])
	}
	return m
}

// A server that has served nobody yet.
func (m *market) fresh() {
	m.Must(m.Servers[0].Terminate(), "the end of prbald")
	m.Must(m.Servers[0].Start(), "prbald")
	m.Apart()
}

func (m *market) connectionBytes(isTLS bool) float64 {
	all, bytes := m.listeners(isTLS, len(m.people), ignore)
	all.Close()
	return bytes
}

// Everybody listens to a fresh server; and what each of them has added to it, the
// connection included when each has their own.
func (m *market) listeners(isTLS bool, connections int, receive func(int, []byte)) (*swarm.Swarm, float64) {
	m.Progress("prbald, %s: %d streams on %d connections", wire(isTLS), len(m.people), connections)
	m.fresh()
	address, pid := m.Servers[0].Address, m.Servers[0].PID()
	first := m.dial(address, isTLS, 1, ignore)
	m.listen(first, m.people[:1])
	first.Close()
	before := m.settled(pid)
	all := m.dial(address, isTLS, connections, receive)
	if connections < len(m.people) {
		before = m.settled(pid)
	}
	m.listen(all, m.people)
	return all, (m.settled(pid) - before) / float64(len(m.people))
}

func ignore(int, []byte) {}

// Each of the people opens a stream, in this order, and has been greeted.
func (m *market) listen(all *swarm.Swarm, people []*rig.Person) {
	request, err := proto.Marshal(&pb.SubscribeRequest{})
	m.Must(err, "a request")
	err = all.Open(len(people), func(stream int) swarm.Request {
		return swarm.Request{Path: pb.EventService_Subscribe_FullMethodName, Message: request,
			Headers: []hpack.HeaderField{{Name: "authorization", Value: "Bearer " + people[stream].Token, Sensitive: true}}}
	})
	m.Must(err, "%d event streams", len(people))
	m.Must(all.Await(int64(greetings*len(people)), fanOutPatience), "greetings of %d event streams", len(people))
}
