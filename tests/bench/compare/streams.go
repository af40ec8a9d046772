package main

import (
	"fmt"
	"time"

	"prbal.test/bench/kit"
	"prbal.test/bench/swarm"
)

func init() {
	kit.Register(kit.Part{Name: "streams", Order: 4, Title: "Streams", Measure: measureStreams,
		Peers: []string{"grpc-go", "tonic"}})
}

const streamsText = `The runtimes serve prbal.bench.Streams (tests/bench/peers/streams.proto), which keeps
nothing: who listens hears what is published. Then prbald itself streams what is in
PostgreSQL, which no peer does.

Memory is the growth of what is resident in the server, once it has settled, over
the streams or connections; what the kernel has for sockets is not in it. Each server
is fresh, and has had one connection with a stream before. Connections and streams are
opened 64 at a time. Of Prbal the limits on connections and on the streams of each
were raised as far as this takes; tonic's is raised likewise, grpc-go has none. TLS is
1.3 with X25519 and a certificate of P-256.

The server has processor 0 to itself and the client processor 1: a program of the
bench's own (tests/bench/compare/swarm), whose windows are so large that no server
waits for it.`

const (
	subscribeMethod = "/prbal.bench.Streams/Subscribe"
	publishMethod   = "/prbal.bench.Streams/Publish"
	fewConnections  = 100
)

type streams struct {
	*kit.Bench
	contenders []contender
	openFiles  int // at most, of this process and of each server
}

func measureStreams(b *kit.Bench) {
	s := &streams{Bench: b, contenders: streamContenders(b)}
	b.Explain(streamsText)
	b.RunOn(kit.LoadCPU)
	s.raiseOpenFiles()
	for _, isTLS := range []bool{false, true} {
		s.memory(isTLS)
	}
	for _, isTLS := range []bool{false, true} {
		s.fanOut(isTLS)
	}
	s.product()
}

func streamContenders(b *kit.Bench) []contender {
	ours := testserver(b)
	ours.Arguments = []string{"--limit", "streams=1000",
		"--limit", "connections=12000"}
	all := []contender{{name: "prbal", label: "Prbal", ours: true, launch: ours}}
	for _, peer := range []string{"tonic", "grpc-go"} {
		all = append(all, contender{name: peer, label: b.PeerVersion(peer),
			launch: kit.Launch{Name: peer, Path: b.Peer(peer, "serve")}})
	}
	return all
}

func (s *streams) names() (names []string) {
	for _, c := range s.contenders {
		names = append(names, c.name)
	}
	return names
}

func (s *streams) start(name string, isTLS bool) *kit.Program {
	for _, c := range s.contenders {
		if c.name != name {
			continue
		}
		launch := c.launch
		launch.TLS, launch.CPUs = isTLS, kit.ServerCPU
		server := s.Start(launch)
		first := s.dial(server.Address, isTLS, 1, func(int, []byte) {})
		s.subscribe(first, 1)
		first.Close()
		return server
	}
	panic(name)
}

func (s *streams) dial(address string, isTLS bool, connections int, receive func(int, []byte)) *swarm.Swarm {
	all, err := swarm.Dial(s.Context(), swarm.Options{Address: address, TLS: isTLS, Connections: connections, Receive: receive})
	s.Must(err, "%d connections to %s", connections, address)
	return all
}

func (s *streams) subscribe(all *swarm.Swarm, count int) {
	err := all.Open(count, func(int) swarm.Request { return swarm.Request{Path: subscribeMethod} })
	s.Must(err, "%d streams", count)
}

// What is resident once it changes no more, or does so for good.
func (s *streams) settled(pid int) float64 {
	const calm = 100 * time.Millisecond
	patience := kit.Pick(s.Bench, 300*time.Millisecond, 3*time.Second)
	last := int64(0)
	for begin := time.Now(); time.Since(begin) < patience; {
		usage, err := kit.UsageOf(pid)
		s.Must(err, "process %d", pid)
		change := usage.Resident - last
		last = usage.Resident
		if max(change, -change) < last/500 {
			break
		}
		time.Sleep(calm)
	}
	return float64(last)
}

func count(number int) string {
	if number < 1000 {
		return fmt.Sprint(number)
	}
	return fmt.Sprintf("%d,%03d", number/1000, number%1000)
}
