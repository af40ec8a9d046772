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
	table := &kit.Table{Name: "streams-prbald-memory", Title: "Event streams of prbald: resident memory",
		Text: fmt.Sprintf("EventService.Subscribe by %s accounts, one each, whose tokens are verified: on %d connections, what a"+
			" stream added; and on a connection for each, what one with its stream added. One round.",
			count(s.connectionCount()), fewConnections),
		Columns: []kit.Column{{Title: "stream", Unit: "bytes"}, {Title: "connection with one stream", Unit: "KiB"}}}
	m := s.market()
	for _, isTLS := range []bool{false, true} {
		table.Rows = append(table.Rows, m.memoryRow(isTLS))
	}
	s.Table(table)
	m.events()
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

func (m *market) memoryRow(isTLS bool) kit.Row {
	many := m.memoryOn(isTLS, len(m.people))
	few := m.memoryOn(isTLS, fewConnections)
	return kit.Row{Label: "prbald, " + wire(isTLS), Ours: true, Cells: []kit.Figure{
		{few}, {many / kib}}}
}

// What one stream of so many connections adds, its share of connections included
// when each has its own.
func (m *market) memoryOn(isTLS bool, connections int) float64 {
	m.Progress("prbald, %s: %d streams on %d connections", wire(isTLS), len(m.people), connections)
	m.fresh()
	address, pid := m.Servers[0].Address, m.Servers[0].PID()
	first := m.dial(address, isTLS, 1, ignore)
	m.listen(first, m.people[:1])
	first.Close()
	before := m.settled(pid)
	all := m.dial(address, isTLS, connections, ignore)
	defer all.Close()
	if connections < len(m.people) {
		before = m.settled(pid)
	}
	m.listen(all, m.people)
	return (m.settled(pid) - before) / float64(len(m.people))
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
