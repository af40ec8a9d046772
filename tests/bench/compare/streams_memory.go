package main

import (
	"fmt"
	"syscall"

	"prbal.test/bench/kit"
)

// How much is opened: streams in two steps, on few connections and on many.
func (s *streams) streamCounts() (int, int) {
	return 10_000, kit.Pick(s.Bench, 20_000, 50_000)
}

// As many as client and server may each have open, by the thousand.
func (s *streams) connectionCount() int {
	const others = 500 // files of a process
	allowed := (s.openFiles - others) / 1000 * 1000
	return min(kit.Pick(s.Bench, 1_000, 10_000), max(allowed, 200))
}

// Raises the limit on open files as far as it goes, of servers too: those that are
// started from now on inherit it.
func (s *streams) raiseOpenFiles() {
	var files syscall.Rlimit
	s.Must(syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files), "the limit on open files")
	files.Cur = min(files.Max, 100_000)
	s.Must(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &files), "the limit on open files")
	s.openFiles = int(files.Cur)
}

const kib = 1024

func (s *streams) memory(isTLS bool) {
	some, more := s.streamCounts()
	many := s.connectionCount()
	few := s.memoryRounds(isTLS, kit.Pick(s.Bench, 1, 3), s.onFew)
	lot := s.memoryRounds(isTLS, 1, s.onMany)
	table := &kit.Table{Name: "streams-memory-" + wire(isTLS), Title: "Idle streams, " + wire(isTLS) + ": resident memory",
		Text: fmt.Sprintf("Of a stream: what %s and %s of them on %d connections added to what the connections had, over the streams."+
			" Of a connection: what %s of them added, without a stream, with one, and with five on each."+
			" Streams on few connections: %s; many connections: one round.", count(some), count(more), fewConnections,
			count(many), times(kit.Pick(s.Bench, 1, 3))),
		Columns: []kit.Column{{Title: "stream of " + count(some), Unit: "bytes"}, {Title: "stream of " + count(more), Unit: "bytes"},
			{Title: "connection", Unit: "KiB"}, {Title: "with one stream", Unit: "KiB"}, {Title: "with five", Unit: "KiB"}}}
	for _, c := range s.contenders {
		f, l := few[c.name], lot[c.name]
		table.Rows = append(table.Rows, kit.Row{Label: c.label, Short: c.name, Ours: c.ours, Cells: []kit.Figure{
			f["some"], f["more"], l["bare"], l["one"], l["five"]}})
	}
	s.Table(table)
	s.memoryTargets(isTLS, few["prbal"], lot["prbal"])
}

func times(rounds int) string {
	if rounds == 1 {
		return "one round"
	}
	return fmt.Sprintf("%d rounds", rounds)
}

func (s *streams) memoryTargets(isTLS bool, few, lot kit.Series) {
	some, more := s.streamCounts()
	s.AtMost(fmt.Sprintf("idle stream, %s on %d connections, %s", count(some), fewConnections, wire(isTLS)), few["some"], 1200, " bytes")
	s.AtMost(fmt.Sprintf("idle stream, %s on %d connections, %s", count(more), fewConnections, wire(isTLS)), few["more"], 1200, " bytes")
	bound := 18.0
	if isTLS {
		bound = 46
	}
	s.AtMost(fmt.Sprintf("idle connection with one stream, %s", wire(isTLS)), lot["one"], bound, " KiB")
}

// Memory is no matter of luck as time is: fewer rounds than elsewhere.
func (s *streams) memoryRounds(isTLS bool, rounds int, measure func(name string, isTLS bool) kit.Sample) map[string]kit.Series {
	all := map[string]kit.Series{}
	for range rounds {
		for _, name := range s.names() {
			if all[name] == nil {
				all[name] = kit.Series{}
			}
			for what, value := range measure(name, isTLS) {
				all[name][what] = append(all[name][what], value)
			}
		}
	}
	return all
}

func (s *streams) onFew(name string, isTLS bool) kit.Sample {
	some, more := s.streamCounts()
	s.Progress("%s, %s: %d streams on %d connections", wire(isTLS), name, more, fewConnections)
	server := s.start(name, isTLS)
	defer server.Stop()
	all := s.dial(server.Address, isTLS, fewConnections, func(int, []byte) {})
	defer all.Close()
	before := s.settled(server.PID())
	s.subscribe(all, some)
	afterSome := s.settled(server.PID())
	s.subscribe(all, more-some)
	afterMore := s.settled(server.PID())
	s.Must(all.Err(), "%s", name)
	return kit.Sample{"some": (afterSome - before) / float64(some), "more": (afterMore - before) / float64(more)}
}

func (s *streams) onMany(name string, isTLS bool) kit.Sample {
	many := s.connectionCount()
	s.Progress("%s, %s: %d streams on %d connections", wire(isTLS), name, 5*many, many)
	server := s.start(name, isTLS)
	defer server.Stop()
	before := s.settled(server.PID())
	each := func() float64 { return (s.settled(server.PID()) - before) / float64(many) / kib }
	all := s.dial(server.Address, isTLS, many, func(int, []byte) {})
	defer all.Close()
	bare := each()
	s.subscribe(all, many)
	one := each()
	s.subscribe(all, 4*many)
	five := each()
	s.Must(all.Err(), "%s", name)
	return kit.Sample{"bare": bare, "one": one, "five": five}
}
