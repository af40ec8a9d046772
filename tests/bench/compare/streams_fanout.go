package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protowire"

	"prbal.test/bench/kit"
	"prbal.test/bench/swarm"
)

const (
	fanOutStreams  = 10_000
	fanOutPatience = 30 * time.Second // a hang bound
	// Of one stream in so many the time is taken; no divisor of the connections, so
	// that it is of streams of all of them.
	sampledStreams = 17
)

// The bench's own, of a minute ago.
var anyCertificate = &tls.Config{InsecureSkipVerify: true}

var fanOutPayload = bytes.Repeat([]byte("0123456789"), 10)

func (s *streams) fanOut(isTLS bool) {
	audiences := map[string]*audience{}
	for _, name := range s.names() {
		audiences[name] = s.audience(name, isTLS)
	}
	events := kit.Pick(s.Bench, 8, 40)
	what := fmt.Sprintf("Events to %s streams on %d connections, %s", count(fanOutStreams), fewConnections, wire(isTLS))
	found := s.Rounds(what, s.names(), func(name string) kit.Sample { return audiences[name].publish(events) })
	for _, a := range audiences {
		a.end()
	}
	table := &kit.Table{Name: "streams-events-" + wire(isTLS), Title: what,
		Text: fmt.Sprintf("%d events of 100 bytes each round, to everybody, one after the other: the next one when all have the last."+
			" CPU is that of the server over the events that the streams received. The time is from before the publisher's call to"+
			" the event on a stream; so p99 is about how long one event takes to get to all.", events),
		Columns: []kit.Column{{Title: "events per CPU second"}, {Title: "CPU", Unit: "us an event"}, {Title: "times Prbal's"},
			{Title: "events/s"}, {Title: "p50", Unit: "ms"}, {Title: "p99", Unit: "ms"}, {Title: "resident", Unit: "MB"}}}
	for _, c := range s.contenders {
		f := found[c.name]
		table.Rows = append(table.Rows, kit.Row{Label: c.label, Short: c.name, Ours: c.ours, Cells: []kit.Figure{
			f["per_cpu_second"], f["cpu_us"], f["cpu_us"].Over(found["prbal"]["cpu_us"]), f["rate"], f["p50_ms"], f["p99_ms"], f["resident_mb"]}})
	}
	s.Table(table)
	s.AtLeast(fmt.Sprintf("events per CPU second over those of the best peer, %s on %d connections, %s",
		count(fanOutStreams), fewConnections, wire(isTLS)), found["prbal"]["per_cpu_second"].Over(s.best(found)), 4, "")
}

// The peer with the best median.
func (s *streams) best(found map[string]kit.Series) (best kit.Figure) {
	for _, c := range s.contenders {
		figure := found[c.name]["per_cpu_second"]
		if !c.ours && (best == nil || figure.Median() > best.Median()) {
			best = figure
		}
	}
	return best
}

// Those who listen to one server, and who speaks.
type audience struct {
	bench     *streams
	server    *kit.Program
	swarm     *swarm.Swarm
	publisher *grpc.ClientConn

	mutex sync.Mutex
	delay []time.Duration // of the sampled streams
	wrong string          // what an event was that it should not have been
}

func (s *streams) audience(name string, isTLS bool) *audience {
	s.Progress("%s, %s: %d listeners", wire(isTLS), name, fanOutStreams)
	a := &audience{bench: s, server: s.start(name, isTLS)}
	a.swarm = s.dial(a.server.Address, isTLS, fewConnections, a.receive)
	s.subscribe(a.swarm, fanOutStreams)
	secrecy := insecure.NewCredentials()
	if isTLS {
		secrecy = credentials.NewTLS(anyCertificate)
	}
	var err error
	a.publisher, err = grpc.NewClient("passthrough:///"+a.server.Address, grpc.WithTransportCredentials(secrecy))
	s.Must(err, "a publisher")
	a.publish(2) // what compiles or grows the first time has done so
	return a
}

func (a *audience) end() {
	a.publisher.Close()
	a.swarm.Close()
	a.server.Stop()
}

func (a *audience) publish(events int) kit.Sample {
	a.delay = a.delay[:0]
	before, begin := a.server.Usage(), time.Now()
	for range events {
		a.publishOne()
	}
	elapsed, after := time.Since(begin), a.server.Usage()
	if a.wrong != "" {
		a.bench.GiveUp(a.server.Name + " sent " + a.wrong)
	}
	slices.Sort(a.delay)
	received := float64(events * fanOutStreams)
	cpu := (after.CPU - before.CPU).Seconds()
	return kit.Sample{
		"per_cpu_second": received / cpu,
		"cpu_us":         cpu * 1e6 / received,
		"rate":           received / elapsed.Seconds(),
		"p50_ms":         milliseconds(quantile(a.delay, 0.5)),
		"p99_ms":         milliseconds(quantile(a.delay, 0.99)),
		"resident_mb":    float64(after.Resident) / 1e6,
	}
}

func (a *audience) publishOne() {
	ctx, cancel := context.WithTimeout(a.bench.Context(), fanOutPatience)
	defer cancel()
	request := protowire.AppendTag(nil, 1, protowire.VarintType)
	request = protowire.AppendVarint(request, uint64(time.Now().UnixNano()))
	request = protowire.AppendTag(request, 2, protowire.BytesType)
	request = protowire.AppendBytes(request, fanOutPayload)
	due := a.swarm.Messages() + fanOutStreams
	var answer []byte
	err := a.publisher.Invoke(ctx, publishMethod, request, &answer, grpc.ForceCodec(asItIs{}))
	a.bench.Must(err, "an event by %s", a.server.Name)
	if streams, _ := varintField(answer, 1); streams != fanOutStreams {
		a.bench.GiveUp(fmt.Sprintf("%s sent an event to %d streams", a.server.Name, streams))
	}
	a.bench.Must(a.swarm.Await(due, fanOutPatience), "an event of %s", a.server.Name)
}

func (a *audience) receive(stream int, message []byte) {
	if stream%sampledStreams != 0 {
		return
	}
	now := time.Now().UnixNano()
	published, rest := varintField(message, 2)
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.delay = append(a.delay, time.Duration(now-int64(published)))
	if !bytes.HasSuffix(rest, fanOutPayload) {
		a.wrong = fmt.Sprintf("%q", message)
	}
}

// A number of a message whose fields come in order and are numbers up to there,
// and what follows it; 0 without one.
func varintField(message []byte, number protowire.Number) (uint64, []byte) {
	for len(message) > 0 {
		field, kind, size := protowire.ConsumeTag(message)
		if size < 0 || kind != protowire.VarintType {
			break
		}
		value, length := protowire.ConsumeVarint(message[size:])
		if length < 0 {
			break
		}
		message = message[size+length:]
		if field == number {
			return value, message
		}
	}
	return 0, message
}

func quantile(sorted []time.Duration, part float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(part*float64(len(sorted)-1))]
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}

// A codec for messages that are bytes already.
type asItIs struct{}

func (asItIs) Marshal(v any) ([]byte, error) { return v.([]byte), nil }

func (asItIs) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(data)
	return nil
}

func (asItIs) Name() string { return "proto" }
