package main

import (
	"context"
	"io"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	pb "prbal.test/api/prbal/v1"
	"prbal.test/promises/rig"
)

func init() {
	rig.Register("P29", "five times too much load costs little of what is answered", overload)
}

const (
	p29Services    = 1400 // to look for a spelling among them costs PostgreSQL milliseconds, and a client nothing
	p29Connections = 12
	p29Closed      = 48 // callers that wait for their answers: more than keep the server busy
	p29Patience    = time.Second
	p29Adapting    = 2 * time.Second // from when on nobody waits in vain
	p29Factor      = 5
	p29Storm       = 10 * time.Second // the first one of them goes by until the server has adapted
)

type p29 struct {
	*rig.Trial
	cluster *rig.Cluster
	clients []*rig.Client
	caller  *rig.Person
}

func overload(t *rig.Trial) {
	p := &p29{Trial: t, cluster: t.Cluster(rig.Setup{Build: rig.Release,
		Settings: map[string]string{"admission_delay": "100ms"}})}
	p.prepare()
	if !p.cluster.Apart() {
		t.Measured("on a single processor")
	}
	for range 50 { // in quiet, as the server had been before
		t.Must(p.call(t.Context(), p.clients[0]), "a call")
	}
	// By turns: what else runs on the machine comes and goes.
	stop := p.watchHealth()
	load := &p29Load{other: map[codes.Code]int{}}
	rounds := t.Size(2, 10)
	first := p.closed(3 * time.Second)
	peak := first / float64(rounds+1)
	for range rounds {
		p.open(load, p29Factor*first, p29Storm)
		peak += p.closed(3*time.Second) / float64(rounds+1)
	}
	stop()
	p.judge(peak, load)
}

func (p *p29) prepare() {
	p.caller = p.cluster.Person(rig.Seeker)
	owner := p.cluster.Person(rig.Provider)
	p.cluster.Database.Exec(`
insert into service (owner_id, kind, title, description, price_minor, price_currency, category_ids)
select $1, 'OFFERED', 'One of many ' || i, 'As the title says.', 1000 + i, 'USD',
       array[(select category_id from category order by slug limit 1)]
  from generate_series(1, $2::int) i`, owner.ID, p29Services)
	p.cluster.Database.Exec("analyze service")
	for range p29Connections {
		p.clients = append(p.clients, p.cluster.Client(p.cluster.Servers[0].Address))
	}
}

var p29Page = &pb.BrowseServicesRequest{
	View: pb.BrowseView_BROWSE_VIEW_OFFERED, PageSize: 20,
	Filter:   &pb.ServiceFilter{Search: "manny"},
	ReadMask: &fieldmaskpb.FieldMask{Paths: []string{"services.service_id", "total_size"}},
}

func (p *p29) call(parent context.Context, client *rig.Client) error {
	ctx, cancel := context.WithTimeout(parent, p29Patience)
	defer cancel()
	_, err := client.Listings.BrowseServices(p.caller.In(ctx), p29Page)
	return err
}

// Answers a second when each caller waits for its answer: what the server can do.
func (p *p29) closed(length time.Duration) float64 {
	var answered atomic.Int64
	begin := time.Now()
	p.Together(p29Closed, func(number int) {
		for time.Since(begin) < length {
			if p.call(p.Context(), p.clients[number%p29Connections]) == nil {
				answered.Add(1)
			}
		}
	})
	return float64(answered.Load()) / time.Since(begin).Seconds()
}

type p29Load struct {
	mutex    sync.Mutex
	calls    int
	seconds  float64
	answered []time.Duration
	refused  []time.Duration
	unsaid   int // refusals that did not say when to come again
	inVain   int // let in, and not answered in time, after the server had time to adapt
	other    map[codes.Code]int
}

func (l *p29Load) note(err error, begun, took time.Duration) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	switch code := status.Code(err); code {
	case codes.OK:
		l.answered = append(l.answered, took)
	case codes.ResourceExhausted:
		l.refused = append(l.refused, took)
		if !saysWhen(err) {
			l.unsaid++
		}
	case codes.DeadlineExceeded:
		if begun > p29Adapting {
			l.inVain++
		}
	default:
		l.other[code]++
	}
}

func saysWhen(err error) bool {
	for _, detail := range status.Convert(err).Details() {
		if _, ok := detail.(*errdetails.RetryInfo); ok {
			return true
		}
	}
	return false
}

// Calls come at this rate whatever becomes of those before.
func (p *p29) open(load *p29Load, rate float64, length time.Duration) {
	var group sync.WaitGroup
	begin, calls := time.Now(), 0
	for time.Since(begin) < length {
		for due := int(rate * time.Since(begin).Seconds()); calls < due; calls++ {
			client := p.clients[calls%p29Connections]
			group.Add(1)
			go func() {
				defer group.Done()
				start := time.Now()
				err := p.call(p.Context(), client)
				load.note(err, start.Sub(begin), time.Since(start))
			}()
		}
		time.Sleep(time.Millisecond)
	}
	load.calls += calls
	load.seconds += time.Since(begin).Seconds()
	group.Wait()
}

// Health is asked ten times a second on a connection of its own.
func (p *p29) watchHealth() (stop func()) {
	client := p.cluster.Client(p.cluster.Servers[0].Address)
	ctx, cancel := context.WithCancel(p.Context())
	ended := make(chan struct{})
	asked := 0
	go func() {
		defer close(ended)
		for ; ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
			limited, done := context.WithTimeout(p.Context(), 5*time.Second)
			answer, err := client.Health.Check(limited, &healthpb.HealthCheckRequest{})
			done()
			p.Expect(err == nil, "health: %v", err)
			p.Expect(err != nil || answer.Status == healthpb.HealthCheckResponse_SERVING, "health is %v", answer.GetStatus())
			asked++
		}
	}()
	return func() {
		cancel()
		<-ended
		p.Tried("health checks", asked)
	}
}

func percentile(all []time.Duration, part float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	return all[int(part*float64(len(all)-1))]
}

func (p *p29) judge(peak float64, load *p29Load) {
	goodput := float64(len(load.answered)) / load.seconds
	refusal := percentile(load.refused, 0.99)
	p.Tried("calls", load.calls)
	p.Measured("peak %.0f/s, offered %.0f/s, answered in time %.0f/s (%.0f %%), p99 %v; refused %s, p50 %v, p99 %v",
		peak, float64(load.calls)/load.seconds, goodput, 100*goodput/peak,
		percentile(load.answered, 0.99).Round(time.Millisecond), rig.Count(len(load.refused)),
		percentile(load.refused, 0.5).Round(100*time.Microsecond), refusal.Round(100*time.Microsecond))
	p.ExpectInTime(goodput >= 0.8*peak, "%.0f/s were answered in time of %.0f/s at the peak", goodput, peak)
	p.Expect(len(load.refused) > load.calls/4, "only %d of %d calls were refused", len(load.refused), load.calls)
	quick := p.quickRefusals()
	p.Measured("%.1f %% of the refusals within 10 ms by the server's clock", 100*quick)
	p.ExpectInTime(quick >= 0.99, "only %.1f %% of the refusals took less than 10 ms", 100*quick)
	p.ExpectInTime(percentile(load.refused, 0.9) < 10*time.Millisecond, "a tenth of the refusals took more than 10 ms")
	p.Expect(load.unsaid == 0, "%d refusals did not say when to come again", load.unsaid)
	p.ExpectInTime(load.inVain <= len(load.answered)/5, "%d calls that were let in waited in vain", load.inVain)
	for code, count := range load.other {
		p.Broken("%d calls ended with %v", count, code)
	}
}

// Which part of the refusals took the server less than 10 ms: a client's clock
// also counts how long the client itself waits for its processor.
func (p *p29) quickRefusals() float64 {
	answer, err := http.Get("http://" + p.cluster.Servers[0].Edge + "/metrics")
	p.Must(err, "metrics")
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	p.Must(err, "metrics")
	return number(text, "_bucket", `,le="0.01"`) / number(text, "_count", "")
}

func number(metrics []byte, suffix, more string) float64 {
	name := "grpc_server_call_duration_seconds" + suffix +
		`{grpc_method="prbal.v1.ListingService/BrowseServices",grpc_status="RESOURCE_EXHAUSTED"` + more + "} "
	_, after, _ := strings.Cut(string(metrics), name)
	line, _, _ := strings.Cut(after, "\n")
	value, _ := strconv.ParseFloat(line, 64)
	return value
}
