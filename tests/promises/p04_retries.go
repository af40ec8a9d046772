package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"prbal.test/promises/rig"
)

func init() {
	rig.Register("P4", "a retried write happens once", retriesHappenOnce)
}

const (
	p4Twins   = 32
	p4Threads = 4 // RPCs that are tried at a time
)

type p4 struct {
	*rig.Trial
	cluster *rig.Cluster
	methods []rig.Method // those that honour a key
	quiet   *rig.Client  // of the server that stays, for what comes before
	admin   *rig.Person
	free    time.Time // a day on which nobody is booked

	mutex     sync.Mutex
	people    [2][]*rig.Person // seekers and providers that nobody has used yet
	calls     atomic.Int64
	identical atomic.Int64 // answers that were the first one, byte for byte
	once      atomic.Int64 // situations with exactly one
	lost      atomic.Int64 // calls that were cut off by a kill
	happened  atomic.Int64 // and had happened
}

func retriesHappenOnce(t *rig.Trial) {
	p := &p4{Trial: t, cluster: t.Cluster(rig.Setup{Servers: 2}), free: time.Now().Add(30 * 24 * time.Hour)}
	p.quiet = p.cluster.Client(p.cluster.Servers[1].Address)
	p.choose()
	p.admin = p.cluster.Person(rig.Admin)
	rounds, kills, outages := t.Size(1, 10), t.Size(3, 60), t.Size(1, 30)
	count := len(p.methods) * (3*rounds + kills + outages)
	p.people = [2][]*rig.Person{p.cluster.People(count, rig.Seeker), p.cluster.People(count, rig.Provider)}

	for range rounds {
		p.each(p.again)
		p.each(p.twins)
		p.each(p.elsewhere)
	}
	server, database := p.cluster.Servers[0], p.cluster.Database
	for range kills {
		p.killed(t.Rand.IntN(len(p.methods)), server.Kill, server.Start)
	}
	for range outages {
		p.killed(t.Rand.IntN(len(p.methods)), database.Kill, func() error {
			defer database.SQL().Reset() // links of the checks that died with it
			return database.Start()
		})
	}
	t.Tried("RPCs", len(p.methods))
	t.Tried("calls", int(p.calls.Load()))
	t.Tried("kills of a server", kills)
	t.Tried("of the database", outages)
	t.Measured("one effect in each of %s situations", rig.Count(int(p.once.Load())))
	t.Measured("%s answers again, byte for byte", rig.Count(int(p.identical.Load())))
	t.Measured("%d calls cut off, of which %d had happened", p.lost.Load(), p.happened.Load())
	t.Expect(p.lost.Load() > 0, "no kill met a call: nothing was tried")
}

// The descriptors say which RPCs honour a key; each has to have a row.
func (p *p4) choose() {
	for _, method := range rig.Methods() {
		_, known := p4Matrix[method.Name]
		if method.Idempotent {
			p.Expect(known, "%s has no row in retry_matrix.go", method.Name)
		} else {
			p.Expect(!known, "%s honours no key", method.Name)
		}
		if method.Idempotent && known {
			p.methods = append(p.methods, method)
		}
	}
}

func (p *p4) pair() *p4Pair {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	pair := &p4Pair{p4: p, seeker: p.people[0][0], provider: p.people[1][0]}
	p.people[0], p.people[1] = p.people[0][1:], p.people[1][1:]
	return pair
}

// One call of a person's: all tries have the same bytes and the same key.
type p4Try struct {
	*p4
	p4Situation
	method rig.Method
	key    string
	bytes  []byte
	first  []byte // the answer
	known  bool   // there was one
}

func (p *p4) prepare(method rig.Method) *p4Try {
	situation := p4Matrix[method.Name](p.pair())
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(situation.request)
	p.Must(err, "%s", method.Name)
	return &p4Try{p4: p, p4Situation: situation, method: method, key: rig.NewID(), bytes: text}
}

// each tries all RPCs, some at a time.
func (p *p4) each(attempt func(try *p4Try)) {
	next := make(chan rig.Method, len(p.methods))
	for _, method := range p.methods {
		next <- method
	}
	close(next)
	p.Together(p4Threads, func(int) {
		for method := range next {
			try := p.prepare(method)
			attempt(try)
			try.check()
		}
	})
}

func (try *p4Try) check() {
	effects := try.cluster.Database.Number(try.effects, try.arguments...)
	try.Expect(effects == 1, "%s had %d effects", try.method.Name, effects)
	if effects == 1 {
		try.once.Add(1)
	}
}

// What came in is what is compared: nothing decodes it.
type p4Codec struct{}

func (p4Codec) Name() string                      { return "proto" }
func (p4Codec) Marshal(value any) ([]byte, error) { return *value.(*[]byte), nil }
func (p4Codec) Unmarshal(text []byte, value any) error {
	*value.(*[]byte) = bytes.Clone(text)
	return nil
}

type p4Answer struct {
	bytes    []byte
	replayed bool
	err      error
}

func (try *p4Try) send(client *rig.Client, request []byte) p4Answer {
	var header metadata.MD
	try.calls.Add(1)
	answer, err := rig.Once(try.Context(), func(ctx context.Context) (answer []byte, err error) {
		ctx = metadata.AppendToOutgoingContext(try.who.In(ctx), "idempotency-key", try.key)
		err = client.Connection.Invoke(ctx, "/prbal.v1."+try.method.Name, &request, &answer,
			grpc.ForceCodec(p4Codec{}), grpc.Header(&header))
		return answer, err
	})
	return p4Answer{answer, slices.Contains(header.Get("idempotency-replayed"), "true"), err}
}

// Until there is an answer that is not for now.
func (try *p4Try) insist(client *rig.Client) p4Answer {
	answer := try.send(client, try.bytes)
	for rig.IsForNow(answer.err) && try.Context().Err() == nil {
		time.Sleep(50 * time.Millisecond)
		answer = try.send(client, try.bytes)
	}
	return answer
}

// All answers are the first one.
func (try *p4Try) compare(answer p4Answer, from string) {
	switch {
	case answer.err != nil:
		try.Broken("%s %s: %v", try.method.Name, from, answer.err)
	case !try.known:
		try.first, try.known = answer.bytes, true
	case !bytes.Equal(try.first, answer.bytes):
		try.Broken("%s %s answered %x, and first %x", try.method.Name, from, answer.bytes, try.first)
	case !answer.replayed:
		try.Broken("%s %s did not say that it is the answer of before", try.method.Name, from)
	default:
		try.identical.Add(1)
	}
}

func (p *p4) client(server int) *rig.Client {
	return p.cluster.Client(p.cluster.Servers[server].Address)
}

// One after the other: by gRPC, by Connect in JSON, and with something else under
// the same key.
func (p *p4) again(try *p4Try) {
	client := p.client(0)
	for range 3 {
		try.compare(try.insist(client), "again")
	}
	p.inJSON(try)
	if other := p4Other(try.request); other != nil {
		answer := try.send(client, other)
		p.Expect(rig.Reason(answer.err) == "IDEMPOTENCY_KEY_REUSED", "%s took another request under the same key: %v",
			try.method.Name, answer.err)
	}
	try.compare(try.insist(client), "at last")
}

// By a client that speaks no gRPC: the same answer, in its own words.
func (p *p4) inJSON(try *p4Try) {
	var texts [2][]byte
	for i := range texts {
		texts[i] = p.post(try)
	}
	answer, same := try.method.Output(), try.method.Output()
	p.Must(protojson.Unmarshal(texts[0], answer), "%s in JSON: %s", try.method.Name, texts[0])
	p.Must(proto.Unmarshal(try.first, same), "%s", try.method.Name)
	p.Expect(proto.Equal(answer, same), "%s in JSON answered %s", try.method.Name, texts[0])
	p.Expect(bytes.Equal(texts[0], texts[1]), "%s in JSON answered %s, then %s", try.method.Name, texts[0], texts[1])
}

func (p *p4) post(try *p4Try) []byte {
	body, err := protojson.Marshal(try.request)
	p.Must(err, "%s", try.method.Name)
	url := fmt.Sprintf("http://%s/prbal.v1.%s", p.cluster.Servers[0].Address, try.method.Name)
	request, err := http.NewRequestWithContext(p.Context(), http.MethodPost, url, bytes.NewReader(body))
	p.Must(err, "%s", try.method.Name)
	request.Header.Set("content-type", "application/json")
	request.Header.Set("authorization", "Bearer "+try.who.Token)
	request.Header.Set("idempotency-key", try.key)
	p.calls.Add(1)
	answer, err := http.DefaultClient.Do(request)
	p.Must(err, "%s in JSON", try.method.Name)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	p.Must(err, "%s in JSON", try.method.Name)
	p.Expect(answer.StatusCode == http.StatusOK && answer.Header.Get("idempotency-replayed") == "true",
		"%s in JSON was not answered again: %s %s", try.method.Name, answer.Status, text)
	return text
}

// A request that differs in a text and is as valid; nil when it has none.
func p4Other(request proto.Message) []byte {
	other := proto.Clone(request).ProtoReflect()
	changed := false
	other.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Kind() != protoreflect.StringKind:
			return true
		case field.IsList():
			value.List().Set(0, protoreflect.ValueOf(rig.NewID()))
		case len(value.String()) == 36: // an id
			other.Set(field, protoreflect.ValueOf(rig.NewID()))
		default:
			other.Set(field, protoreflect.ValueOf(value.String()+"!"))
		}
		changed = true
		return false
	})
	if !changed {
		return nil
	}
	text, _ := proto.Marshal(other.Interface())
	return text
}

// All at once, over both servers.
func (p *p4) twins(try *p4Try) {
	clients := []*rig.Client{p.client(0), p.client(1)}
	answers := make([]p4Answer, p4Twins)
	p.Together(p4Twins, func(i int) { answers[i] = try.insist(clients[i%2]) })
	slices.SortStableFunc(answers, func(a, b p4Answer) int {
		if a.replayed == b.replayed {
			return 0
		} else if b.replayed {
			return -1
		}
		return 1
	})
	for _, answer := range answers {
		try.compare(answer, "of many at once")
	}
}

// By one server, then by the other.
func (p *p4) elsewhere(try *p4Try) {
	for _, server := range []int{0, 1, 0} {
		try.compare(try.insist(p.client(server)), fmt.Sprintf("by server %d", server))
	}
}

// All RPCs are on their way by a server, and so many of them answered, when it or
// the database is killed; the other server is asked as soon as it can answer, and
// that one at last.
func (p *p4) killed(answered int, kill, start func() error) {
	tries := make([]*p4Try, len(p.methods))
	p.Together(len(tries), func(i int) { tries[i] = p.prepare(p.methods[i]) })
	client := p.client(0)
	_, err := client.Health.Check(p.Context(), &healthpb.HealthCheckRequest{}) // it is connected
	p.Must(err, "health")
	first := make([]p4Answer, len(tries))
	answers := make(chan int, len(tries))
	for i := range tries {
		go func() {
			first[i] = tries[i].send(client, tries[i].bytes)
			answers <- i
		}()
	}
	for number := range tries {
		if number == answered {
			p.Must(kill(), "a kill")
		}
		<-answers
	}
	started := make(chan error)
	go func() { started <- start() }()
	p.Together(len(tries), func(i int) { p.retried(tries[i], first[i]) })
	p.Must(<-started, "a start")
	p.Together(len(tries), func(i int) {
		tries[i].compare(tries[i].insist(client), "after the restart")
		tries[i].check()
	})
}

func (p *p4) retried(try *p4Try, first p4Answer) {
	if first.err == nil {
		try.compare(first, "before the kill")
	}
	second := try.insist(p.quiet)
	if first.err != nil {
		p.lost.Add(1)
		if second.replayed {
			p.happened.Add(1)
		}
	}
	try.compare(second, "after the kill")
}
