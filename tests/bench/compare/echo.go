package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"prbal.test/bench/kit"
	"prbal.test/promises/rig"
)

const echoMethod = "/prbal.test.TestService/Echo"

func init() {
	kit.Register(kit.Part{Name: "echo", Order: 1, Title: "Unary calls", Measure: measureEcho,
		Peers: []string{"grpc-go", "connect-go", "tonic", "grpc-cpp", "grpc-java", "grpc-js", "grpcio", "nghttpd"}})
}

const echoText = `The call is prbal.test.TestService/Echo, with 28 characters and a number each way.
Prbal does with it what it does with every call: access rules, limits of method
and caller, admission, a line in the log and metrics; authentication is off where
there is nothing to verify, because no peer has any, and has a table of its own.
The peers are bare, as their examples are, and tuned (tests/bench/peers). nghttpd
serves a file of the same size: it is what HTTP/2 costs without gRPC.

The server has processor 0 to itself and h2load processor 1. What it costs to open
the connections is not counted.`

// Loads of the tables: connections, and calls in flight on each.
func (e *echo) loads() [][2]int {
	return kit.Pick(e.Bench, [][2]int{{8, 1}, {8, 10}},
		[][2]int{{8, 1}, {8, 10}, {8, 100}, {64, 1}, {64, 10}, {64, 100}})
}

const headline = 1 // of loads()

// A contender: its label, and how its server is started.
type contender struct {
	name, label, short string
	ours               bool
	launch             kit.Launch
	load               func(address string) kit.Load
	warmup             time.Duration
}

type echo struct {
	*kit.Bench
	body       string // framed request
	contenders []contender
}

func measureEcho(b *kit.Bench) {
	e := &echo{Bench: b, body: b.Frame("echo.bin", echoRequest())}
	b.Explain(echoText)
	e.contenders = e.list()
	for _, isTLS := range []bool{false, true} {
		one := e.matrix(isTLS, 1)
		e.details(isTLS, one)
		e.targets(isTLS, one)
		e.matrix(isTLS, 2)
	}
	e.withHeaders()
}

func echoRequest() []byte {
	message := protowire.AppendTag(nil, 1, protowire.BytesType)
	message = protowire.AppendString(message, "what comes in is what goes out"[:28])
	message = protowire.AppendTag(message, 2, protowire.VarintType)
	return protowire.AppendVarint(message, 1234567)
}

func (e *echo) list() []contender {
	load := func(address string) kit.Load { return kit.GRPC(address, echoMethod, e.body) }
	all := []contender{{name: "prbal", label: "Prbal", ours: true, launch: testserver(e.Bench), load: load}}
	for _, peer := range []string{"tonic", "grpc-go", "connect-go", "grpc-cpp", "grpc-java", "grpc-js", "grpcio"} {
		c := contender{name: peer, short: peer, label: e.PeerVersion(peer), load: load, warmup: 500 * time.Millisecond,
			launch: kit.Launch{Name: peer, Path: e.Peer(peer, "serve")}}
		if peer == "grpc-java" {
			c.warmup = 6 * time.Second // it compiles the last of it after some 600,000 calls
		}
		all = append(all, c)
	}
	return append(all, contender{name: "nghttpd", short: "nghttpd", label: e.PeerVersion("nghttpd") + ", a file",
		launch: kit.Launch{Name: "nghttpd", Path: e.Peer("nghttpd", "serve")},
		load:   func(address string) kit.Load { return kit.Load{URL: "http://" + address + "/echo.bin"} }})
}

// With a log, as in production.
func testserver(b *kit.Bench) kit.Launch {
	return kit.Launch{Name: "prbal", Path: b.Program("testserver"),
		Own: func(address, certificate, key string) []string {
			arguments := []string{address, "--log", b.Folder("prbal.log"), "--keys", b.Folder("keys")}
			if certificate != "" {
				arguments = append(arguments, "--tls", certificate, key)
			}
			return arguments
		}}
}

// All contenders in all loads, their servers on so many processors. Answers the
// series of the headline.
func (e *echo) matrix(isTLS bool, cores int) map[string]kit.Series {
	servers := e.start(isTLS, cores)
	defer stopAll(servers)
	table := &kit.Table{Name: fmt.Sprintf("echo-%s-%d", wire(isTLS), cores),
		Title: fmt.Sprintf("Echo, %s, %s: CPU per call", wire(isTLS), processors(cores)),
		Text:  "In microseconds, by connections x calls in flight on each.",
		Chart: kit.Chart{Column: headline}}
	var main map[string]kit.Series
	cells := map[string][]kit.Figure{}
	for i, load := range e.loads() {
		found := e.rounds(servers, table.Title, load, isTLS, cores, i == headline)
		if i == headline {
			main = found
		}
		table.Columns = append(table.Columns, kit.Column{Title: fmt.Sprintf("%d x %d", load[0], load[1])})
		for name, series := range found {
			cells[name] = append(cells[name], series["cpu_us"])
		}
	}
	for _, c := range e.contenders {
		table.Rows = append(table.Rows, kit.Row{Label: c.label, Short: c.short, Ours: c.ours, Cells: cells[c.name]})
	}
	e.Table(table)
	return main
}

func (e *echo) start(isTLS bool, cores int) map[string]*kit.Program {
	servers := map[string]*kit.Program{}
	for _, c := range e.contenders {
		e.Progress("%s, %s: starting and warming up %s", wire(isTLS), processors(cores), c.name)
		launch := c.launch
		launch.TLS, launch.Threads, launch.CPUs = isTLS, cores, kit.ServerCPU
		if cores == 2 {
			launch.CPUs = kit.BothCPUs
			if c.ours {
				launch.Arguments = []string{"--loops", "2"}
			}
		}
		servers[c.name] = e.Start(launch)
		if c.name != "nghttpd" {
			e.expectEcho(servers[c.name], isTLS)
		}
		// What compiles while it runs has done so after this.
		e.CallCost(servers[c.name], e.load(c, servers[c.name], [2]int{8, 10}, isTLS, cores),
			kit.Pick(e.Bench, 200*time.Millisecond, max(c.warmup, 200*time.Millisecond)))
	}
	return servers
}

func (e *echo) load(c contender, server *kit.Program, shape [2]int, isTLS bool, cores int) kit.Load {
	load := c.load(server.Address)
	load.Connections, load.InFlight, load.CPUs = shape[0], shape[1], kit.LoadCPU
	if cores == 2 {
		load.CPUs = kit.BothCPUs
	}
	if isTLS {
		load = load.OverTLS()
	}
	return load
}

func (e *echo) rounds(servers map[string]*kit.Program, what string, shape [2]int, isTLS bool, cores int, isMain bool) map[string]kit.Series {
	duration := kit.Pick(e.Bench, 60*time.Millisecond, 200*time.Millisecond)
	if isMain {
		duration *= 3
	}
	byName := map[string]contender{}
	var names []string
	for _, c := range e.contenders {
		byName[c.name] = c
		names = append(names, c.name)
	}
	what = fmt.Sprintf("%s, %d x %d", what, shape[0], shape[1])
	return e.Rounds(what, names, func(name string) kit.Sample {
		server := servers[name]
		return e.CallCost(server, e.load(byName[name], server, shape, isTLS, cores), duration)
	})
}

// One call by curl, whose answer is the request: h2load looks at no answer.
func (e *echo) expectEcho(server *kit.Program, isTLS bool) {
	arguments := []string{"-sS", "--fail", "--max-time", "20", "-H", "content-type: application/grpc", "-H", "te: trailers",
		"--data-binary", "@" + e.body}
	if isTLS {
		arguments = append(arguments, "-k", "--http2", "https://"+server.Address+echoMethod)
	} else {
		arguments = append(arguments, "--http2-prior-knowledge", "http://"+server.Address+echoMethod)
	}
	answer, err := exec.Command("curl", arguments...).Output()
	e.Must(err, "a call of %s", server.Name)
	request, err := os.ReadFile(e.body)
	e.Must(err, "the request")
	if !bytes.Equal(answer, request) {
		e.GiveUp(fmt.Sprintf("%s answered %q", server.Name, answer))
	}
}

// Everything about the headline's load.
func (e *echo) details(isTLS bool, found map[string]kit.Series) {
	table := &kit.Table{Name: "echo-" + wire(isTLS), Title: "Echo, " + wire(isTLS) + ", 8 connections x 10 calls in flight",
		Text: "    " + e.command(isTLS), Chart: kit.Chart{Column: 0},
		Columns: []kit.Column{{Title: "CPU", Unit: "us a call"}, {Title: "times Prbal's"}, {Title: "calls/s"},
			{Title: "p50", Unit: "us"}, {Title: "p99", Unit: "us"}, {Title: "resident", Unit: "MB"}}}
	ours := found["prbal"]["cpu_us"]
	for _, c := range e.contenders {
		s := found[c.name]
		table.Rows = append(table.Rows, kit.Row{Label: c.label, Short: c.short, Ours: c.ours, Cells: []kit.Figure{
			s["cpu_us"], s["cpu_us"].Over(ours), s["rate"], s["p50_us"], s["p99_us"], s["resident_mb"]}})
	}
	e.Table(table)
}

func (e *echo) command(isTLS bool) string {
	scheme := "http"
	if isTLS {
		scheme = "https"
	}
	return fmt.Sprintf("h2load -t1 -c8 -m10 -n N -d echo.bin -H 'content-type: application/grpc' -H 'te: trailers' %s://127.0.0.1:PORT%s",
		scheme, echoMethod)
}

func (e *echo) targets(isTLS bool, found map[string]kit.Series) {
	bounds := map[string]float64{"grpc-go": 0.4, "grpc-java": 0.4, "grpc-cpp": 0.4, "connect-go": 0.4, "tonic": 0.7, "nghttpd": 1.7}
	if isTLS {
		bounds = map[string]float64{"grpc-go": 0.5, "grpc-java": 0.5, "grpc-cpp": 0.5, "connect-go": 0.5, "tonic": 0.8}
	}
	for _, c := range e.contenders {
		if bound := bounds[c.name]; bound > 0 {
			e.AtMost(fmt.Sprintf("echo, %s, 8 x 10: Prbal's CPU over that of %s", wire(isTLS), c.name),
				found["prbal"]["cpu_us"].Over(found[c.name]["cpu_us"]), bound, "")
		}
	}
}

// ---- What clients really send.

// As grpc clients send them, with a token as long as ours are.
func realHeaders(token string) []string {
	return []string{"user-agent: grpc-dart/3.2.4", "grpc-accept-encoding: identity,deflate,gzip",
		"accept-encoding: identity", "grpc-timeout: 9998m", "x-request-id: 6f1d2c0e-3e7b-4b52-9c1a-5d0f8a7c1e22",
		"authorization: Bearer " + token}
}

func (e *echo) withHeaders() {
	servers := map[string]*kit.Program{}
	for _, c := range e.contenders[:3] {
		launch := c.launch
		launch.CPUs = kit.ServerCPU
		servers[c.name] = e.Start(launch)
	}
	token, err := rig.NewToken(e.Folder("keys"), rig.Provider, time.Hour)
	e.Must(err, "a token")
	note := e.Frame("note.bin", append([]byte{0x0a, 10}, "ten bytes."...))
	rows := []struct {
		name, server, label string
		load                kit.Load
		headers             []string
	}{
		{"bare", "prbal", "Prbal, bare echo", e.load(e.contenders[0], servers["prbal"], [2]int{8, 10}, false, 1), nil},
		{"no token", "prbal", "Prbal, echo with the headers but the token", e.load(e.contenders[0], servers["prbal"], [2]int{8, 10}, false, 1), realHeaders(token)[:5]},
		{"headers", "prbal", "Prbal, echo with the headers", e.load(e.contenders[0], servers["prbal"], [2]int{8, 10}, false, 1), realHeaders(token)},
		{"signed in", "prbal", "Prbal, with the headers, token verified", kit.GRPC(servers["prbal"].Address, "/prbal.test.TestService/Note", note), realHeaders(token)},
		{"tonic", "tonic", e.contenders[1].label + ", with the headers, not verified", e.load(e.contenders[1], servers["tonic"], [2]int{8, 10}, false, 1), realHeaders(token)},
		{"grpc-go", "grpc-go", e.contenders[2].label + ", with the headers, not verified", e.load(e.contenders[2], servers["grpc-go"], [2]int{8, 10}, false, 1), realHeaders(token)},
	}
	var names []string
	for i := range rows {
		names = append(names, rows[i].name)
		load := &rows[i].load
		load.Connections, load.InFlight, load.CPUs = 8, 10, kit.LoadCPU
		load.Headers = append(load.Headers, rows[i].headers...)
	}
	found := e.Rounds("with a client's headers", names, func(name string) kit.Sample {
		for _, row := range rows {
			if row.name == name {
				return e.CallCost(servers[row.server], row.load, kit.Pick(e.Bench, 100*time.Millisecond, 600*time.Millisecond))
			}
		}
		return nil
	})
	table := &kit.Table{Name: "echo-headers", Title: "Echo with what a client really sends",
		Text: "User agent, accepted encodings, a timeout, a request id and a token of " + fmt.Sprint(len(token)) +
			" bytes, which h2load sends as a literal each time, as clients made of nghttp2 do. Prbal's last row calls a" +
			" method that nobody may call without a verified token; it finds this one in its cache of those.",
		Columns: []kit.Column{{Title: "CPU", Unit: "us a call"}, {Title: "times the bare echo"}, {Title: "calls/s"}, {Title: "p99", Unit: "us"}}}
	for _, row := range rows {
		s := found[row.name]
		table.Rows = append(table.Rows, kit.Row{Label: row.label, Short: row.name, Ours: strings.HasPrefix(row.label, "Prbal"), Cells: []kit.Figure{
			s["cpu_us"], s["cpu_us"].Over(found["bare"]["cpu_us"]), s["rate"], s["p99_us"]}})
	}
	e.Table(table)
	e.AtMost("a call with real headers and a verified token over the bare echo",
		found["signed in"]["cpu_us"].Over(found["bare"]["cpu_us"]), 2, "")
	stopAll(servers)
}

func stopAll(servers map[string]*kit.Program) {
	for _, server := range servers {
		server.Stop()
	}
}

func wire(isTLS bool) string {
	if isTLS {
		return "TLS"
	}
	return "h2c"
}

func processors(count int) string {
	if count == 1 {
		return "one processor"
	}
	return fmt.Sprintf("%d processors", count)
}
