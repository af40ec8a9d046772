package main

import (
	"os/exec"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/proto"

	"prbal.test/bench/drive"
	"prbal.test/bench/kit"
	"prbal.test/promises/rig"
)

const (
	marketConnections = 8
	marketInFlight    = 10
	marketCallers     = 8 // people who are signed in: one on each connection
)

// One seeded database, and servers of the same API on it: the world of the parts
// read and write.
type marketplace struct {
	*kit.Bench
	cluster  *rig.Cluster
	services int
	rivals   []*rival
	programs []*kit.Program // of the peers
	tokens   map[rig.Kind][]string
}

// A server of the marketplace.
type rival struct {
	name, label string
	ours        bool
	isREST      bool
	address     string
	pid         func() int
	client      *rig.Client
}

func openMarket(b *kit.Bench, seeds ...string) *marketplace {
	m := &marketplace{Bench: b, services: kit.Pick(b, 20_000, 200_000), tokens: map[rig.Kind][]string{}}
	b.Progress("starting PostgreSQL and Prbal")
	m.cluster = b.Cluster(rig.Setup{Build: rig.Release,
		Settings: map[string]string{"log_calls": "true", "log_file": b.Log("prbal.log"), "admission_delay": "10s", "loops": "1"},
		// The rows that are asked for, and a checkpoint only where one is due.
		Postgres: []string{"shared_buffers=1GB", "max_wal_size=8GB", "checkpoint_timeout=30min"}})
	server := m.cluster.Servers[0]
	m.rivals = []*rival{{name: "prbal", label: "Prbal", ours: true, address: server.Address, pid: server.PID}}
	m.makeFloors()
	for _, seed := range seeds {
		m.seed(seed, "services="+itoa(m.services))
	}
	for _, kind := range []rig.Kind{rig.Seeker, rig.Provider} {
		for number := range marketCallers {
			m.tokens[kind] = append(m.tokens[kind], m.cluster.Known(personID(kind, number+1), kind).Token)
		}
	}
	return m
}

// One part of tests/bench/seed.
func (m *marketplace) seed(part string, numbers ...string) {
	m.Progress("seeding %s %v", part, numbers)
	arguments := append([]string{m.cluster.Database.URL(), part}, numbers...)
	output, err := exec.Command(filepath.Join(m.Root, "tests", "bench", "seed", "seed"), arguments...).CombinedOutput()
	m.Must(err, "the seed %s: %s", part, output)
}

// All servers again, Prbal and these peers, with so many threads each.
func (m *marketplace) restart(threads int, peers ...string) {
	for _, program := range m.programs {
		program.Stop()
	}
	server := m.cluster.Servers[0]
	m.Must(server.Terminate(), "prbald")
	server.Settings = map[string]string{"loops": itoa(threads)}
	m.Must(server.Start(), "prbald")
	m.rivals, m.programs = m.rivals[:1], nil
	m.add(false, threads, peers...)
}

// Starts peers.
func (m *marketplace) add(isREST bool, threads int, peers ...string) {
	for _, name := range peers {
		m.Progress("starting %s", name)
		program := m.Start(kit.Launch{Name: name, Path: m.Peer(name, "serve"), Threads: threads,
			Arguments: []string{"--database", m.cluster.Database.StandardURL(), "--token-key", m.cluster.PublicKey()}})
		m.programs = append(m.programs, program)
		m.rivals = append(m.rivals, &rival{name: name, label: m.PeerVersion(name), isREST: isREST,
			address: program.Address, pid: program.PID})
	}
}

func (m *marketplace) rival(name string) *rival {
	for _, one := range m.rivals {
		if one.name == name {
			return one
		}
	}
	return nil
}

// All that take turns in a round.
func (m *marketplace) names() (names []string) {
	for _, one := range m.rivals {
		names = append(names, one.name)
	}
	return append(names, floorNames...)
}

// What is asked of each server.
type task struct {
	method   string // "ListingService/GetService"
	messages []proto.Message
	paths    []string // the same requests, of REST
	by       rig.Kind // who asks; nobody when empty
	inFlight int      // on each connection
	encoded  []drive.Request
}

func (t *task) encode(m *marketplace) {
	for i, message := range t.messages {
		encoded, err := proto.Marshal(message)
		m.Must(err, "a request")
		request := drive.Request{Message: encoded}
		if i < len(t.paths) {
			request.Path = t.paths[i]
		}
		t.encoded = append(t.encoded, request)
	}
}

func (m *marketplace) target(r *rival, t *task) drive.Target {
	target := drive.Target{Address: r.address, Path: "/prbal.v1." + t.method,
		Connections: marketConnections, InFlight: t.inFlight}
	if r.isREST {
		target.Path, target.Connections, target.InFlight = "", marketConnections*t.inFlight, 1
	}
	begin := m.Rand.IntN(len(t.encoded))
	target.Request = func(connection, number int) drive.Request {
		return t.encoded[(begin+number*target.Connections+connection)%len(t.encoded)]
	}
	if t.by != "" {
		tokens := m.tokens[t.by]
		target.Token = func(connection int) string { return tokens[connection%len(tokens)] }
	}
	return target
}

func (m *marketplace) connect(r *rival, target drive.Target) *drive.Callers {
	callers, err := drive.Connect(target)
	m.Must(err, "%s", r.name)
	return callers
}

// CPU of a server and of PostgreSQL.
type usages struct{ server, postgres kit.Usage }

func (m *marketplace) usage(r *rival) usages {
	server, err := kit.UsageOf(r.pid())
	m.Must(err, "%s has ended", r.name)
	postgres, err := kit.UsageOf(m.cluster.Database.PID())
	m.Must(err, "PostgreSQL has ended")
	return usages{server, postgres}
}

// What calls cost: "cpu_us" of the server, "pg_us" of PostgreSQL, "both_us", each
// for one call; "rate", "p50_us", "p99_us", "resident_mb".
func (m *marketplace) cost(r *rival, target drive.Target, calls int, duration time.Duration) kit.Sample {
	callers := m.connect(r, target)
	defer callers.Close()
	before := m.usage(r)
	result, err := callers.Closed(calls, duration)
	m.Must(err, "%s", r.name)
	after := m.usage(r)
	each := func(used time.Duration) float64 { return used.Seconds() * 1e6 / float64(result.Calls) }
	server, postgres := each(after.server.CPU-before.server.CPU), each(after.postgres.CPU-before.postgres.CPU)
	return kit.Sample{"cpu_us": server, "pg_us": postgres, "both_us": server + postgres,
		"rate": result.Rate(), "p50_us": microseconds(result.Percentile(50)),
		"p99_us": microseconds(result.Percentile(99)), "resident_mb": float64(after.server.Resident) / 1e6}
}

func microseconds(d time.Duration) float64 {
	return float64(d.Nanoseconds()) / 1e3
}
