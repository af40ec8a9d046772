package main

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	pb "prbal.test/api/prbal/v1"
	"prbal.test/bench/kit"
	"prbal.test/promises/rig"
)

var (
	readPeers = []string{"go-pgx", "tonic-postgres", "grpcio-asyncpg"}
	restPeers = []string{"fastapi", "django"}
)

func init() {
	kit.Register(kit.Part{Name: "read", Order: 2, Title: "Reading the marketplace", Measure: measureRead,
		Peers: append(append([]string{}, readPeers...), restPeers...)})
}

// What waits in PostgreSQL makes lists no faster, and it takes milliseconds for each.
const listInFlight = 2

const readText = `All servers read the same rows of one PostgreSQL with shared_buffers for all of
them: tests/bench/seed fills it with 200,000 services (20,000 in a quick run).
Before anything is measured, each server gets 20 requests of every kind, and what
it answers must be what Prbal does: the same message, or over REST the same JSON
but for empty fields; page tokens need only be there. ghz then makes 2,000 calls
of each gRPC server, all of which must be OK. Peers have the same access rules and
validate what the API says; they are in tests/bench/peers.

Prbal runs as in production, with its log of calls, metrics and admission, but for
the limits of how often one caller may call: the load comes from a few callers
(rate_methods=false). Its admission begins to refuse at 10 s instead of 0.1 s, so
that no call is refused while the machine is busy.

Each server has one thread for its work: a loop, GOMAXPROCS=1, one worker of tokio,
one process of Python. The other processor is for PostgreSQL, which has more to do
than any of them but Python, and for the load. Nobody is held to a processor: what a
server does not use, the others do. A table of its own has two threads each. The
figure to compare is CPU, of the server and of PostgreSQL apart, over the calls that
were answered; calls a second depend on what the load takes, too.

The load (tests/bench/compare/drive) writes and reads HTTP/2 frames by itself, 8
connections with 10 calls in flight on each, as soon as one is answered the next; it
reads the status of every answer, and another random id is asked for every time,
which h2load cannot do. REST servers get as many connections of HTTP/1.1, kept
open, as others get calls in flight. Nobody is asked to compress.`

type read struct {
	*marketplace
}

func measureRead(b *kit.Bench) {
	b.Explain(readText)
	m := &read{openMarket(b, "services")}
	m.add(false, 1, readPeers...)
	m.add(true, 1, restPeers...)
	m.point()
	m.nearby()
	m.browse()
	m.latencies()
	m.pointWithTwo()
}

// ---- GetService

func (m *read) point() {
	t := m.getService()
	m.compare(t)
	m.checkByGHZ(t, "prbal/v1/listing.proto")
	found := m.measure("GetService", m.names(), t, m.floor("get_service", 80_000), kit.Pick(m.Bench, 400*time.Millisecond, 2*time.Second))
	table := m.table("read-get", "GetService by id", found)
	table.Text = "Nobody is signed in: a token would be verified anew by each peer for every call, which costs more than" +
		" the rest of it, while Prbal keeps verified ones. " + costText
	m.Table(table)
	m.targets(found)
}

// On a machine that has PostgreSQL, too, a second loop is a second connection to it
// and half as many calls in each batch.
func (m *read) pointWithTwo() {
	m.restart(2, "go-pgx", "tonic-postgres")
	t := m.getService()
	names := []string{"prbal", "go-pgx", "tonic-postgres"}
	found := m.measure("GetService, two threads", names, t, nil, kit.Pick(m.Bench, 400*time.Millisecond, 2*time.Second))
	table := m.table("read-get-2", "GetService by id, servers with two threads", found)
	table.Text = "The same calls. Two threads, PostgreSQL's processes and the load share two processors, so each of them is" +
		" interrupted more often and finds less to do when its turn comes."
	m.Table(table)
}

const costText = "CPU is in microseconds a call; `both` is the server and PostgreSQL together, and of pgbench, which has no" +
	" server, pgbench itself and PostgreSQL: 8 clients, the statements that Prbal sends, prepared; pipelined are 10 at a time."

const listFloorText = " For lists pgbench is a mark rather than a floor: each of its connections plans them anew within few calls, and its" +
	" points are all in the middle of a city, where most services are."

func (m *read) targets(found map[string]kit.Series) {
	ours := found["prbal"]
	m.AtMost("GetService: Prbal's CPU over that of go-pgx", ours["cpu_us"].Over(found["go-pgx"]["cpu_us"]), 0.4, "")
	m.AtMost("GetService: CPU of Prbal and PostgreSQL over that of pgbench, pipelined, and PostgreSQL",
		ours["both_us"].Over(found[floorPipelined]["both_us"]), 1.8, "")
	m.AtMost("GetService: Prbal's CPU over that of tonic-postgres", ours["cpu_us"].Over(found["tonic-postgres"]["cpu_us"]), 0.8, "")
}

// Services that anybody may see, at random.
func (m *read) getService() *task {
	t := &task{method: "ListingService/GetService", inFlight: marketInFlight}
	for range 1 << 17 {
		number := 1 + m.Rand.IntN(m.services)
		if number%5 == 0 {
			number-- // needed work is for who is signed in
		}
		t.messages = append(t.messages, &pb.GetServiceRequest{ServiceId: serviceID(number)})
		t.paths = append(t.paths, "/services/"+serviceID(number))
	}
	t.encode(m.marketplace)
	return t
}

// ---- Lists

func (m *read) nearby() {
	t := &task{method: "ListingService/ListNearbyServices", inFlight: listInFlight}
	for _, place := range m.places(1 << 10) {
		t.messages = append(t.messages, &pb.ListNearbyServicesRequest{Point: place})
		t.paths = append(t.paths, fmt.Sprintf("/services/nearby?latitude=%.4f&longitude=%.4f", place.Latitude, place.Longitude))
	}
	t.encode(m.marketplace)
	m.compare(t)
	found := m.measure("ListNearbyServices", m.names(), t, m.floor("list_nearby", 1600), kit.Pick(m.Bench, 400*time.Millisecond, 1500*time.Millisecond))
	table := m.table("read-nearby", "ListNearbyServices, the first page of 12 within 10 km", found)
	table.Text = "Around places where services are; nobody is signed in. The first page comes with the number of all, counted to" +
		" 1,000. 2 calls in flight on each of 8 connections: more would only wait in PostgreSQL. " + costText + listFloorText
	m.Table(table)
}

// Where services are: people look for some where people are.
func (m *read) places(count int) (places []*pb.LatLng) {
	for range count {
		var latitude, longitude float64
		row := m.cluster.Database.SQL().QueryRow(m.Context(), "select st_y(coordinates::geometry), st_x(coordinates::geometry)"+
			" from service where service_id = $1", serviceID(1+m.Rand.IntN(m.services)))
		m.Must(row.Scan(&latitude, &longitude), "a place")
		places = append(places, &pb.LatLng{Latitude: float64(int(latitude*1e4)) / 1e4, Longitude: float64(int(longitude*1e4)) / 1e4})
	}
	return places
}

func (m *read) browse() {
	t := &task{method: "ListingService/BrowseServices", by: rig.Seeker, inFlight: listInFlight,
		messages: []proto.Message{&pb.BrowseServicesRequest{}}, paths: []string{"/services"}}
	t.encode(m.marketplace)
	m.compare(t)
	found := m.measure("BrowseServices", m.names(), t, m.floor("browse", 1600), kit.Pick(m.Bench, 400*time.Millisecond, 1500*time.Millisecond))
	table := m.table("read-browse", "BrowseServices, the first page of 12", found)
	table.Text = "Eight seekers, each signed in on a connection of its own, see their feed of all open services, newest first, with" +
		" the number of all, counted to 1,000. Peers verify the token (ES256) in every call, Prbal once and then finds it in" +
		" its cache. 2 calls in flight on each connection. " + costText + listFloorText
	m.Table(table)
}

// ---- What is measured of each.

func (m *read) measure(what string, names []string, t *task, f *floor, duration time.Duration) map[string]kit.Series {
	for _, r := range m.rivals {
		m.Progress("%s: warming up %s", what, r.name)
		m.cost(r, m.target(r, t), 0, duration/4)
	}
	return m.Rounds(what, names, func(name string) kit.Sample {
		r := m.rival(name)
		if r == nil {
			return m.costOfFloor(f, name)
		}
		return m.cost(r, m.target(r, t), 0, duration)
	})
}

func (m *read) floor(script string, calls int) *floor {
	return &floor{script: script, calls: kit.Pick(m.Bench, calls/5, calls), repeated: 10,
		variables: map[string]int{"services": m.services, "people": max(1000, m.services/5)}}
}

func (m *marketplace) table(name, title string, found map[string]kit.Series) *kit.Table {
	table := &kit.Table{Name: name, Title: title, Chart: kit.Chart{Column: 0},
		Columns: []kit.Column{{Title: "server", Unit: "us a call"}, {Title: "times Prbal's"}, {Title: "PostgreSQL", Unit: "us a call"},
			{Title: "both", Unit: "us a call"}, {Title: "times Prbal's"}, {Title: "calls/s"}, {Title: "p50", Unit: "us"},
			{Title: "p99", Unit: "us"}, {Title: "resident", Unit: "MB"}}}
	ours := found["prbal"]
	for _, r := range m.rivals {
		s := found[r.name]
		table.Rows = append(table.Rows, kit.Row{Label: r.label, Ours: r.ours, Cells: []kit.Figure{
			s["cpu_us"], s["cpu_us"].Over(ours["cpu_us"]), s["pg_us"], s["both_us"], s["both_us"].Over(ours["both_us"]),
			s["rate"], s["p50_us"], s["p99_us"], s["resident_mb"]}})
	}
	for _, name := range floorNames {
		s, isMeasured := found[name]
		if !isMeasured {
			continue
		}
		table.Rows = append(table.Rows, kit.Row{Label: floorLabels[name], Cells: []kit.Figure{s["cpu_us"], nil, s["pg_us"],
			s["both_us"], s["both_us"].Over(ours["both_us"]), s["rate"], nil, nil, nil}})
	}
	return table
}
