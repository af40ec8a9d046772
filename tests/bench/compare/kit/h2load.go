package kit

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Load is what h2load asks of a server.
type Load struct {
	URL         string
	Body        string // a file; GET without one
	Headers     []string
	Connections int
	InFlight    int // on each of them
	CPUs        CPUs
}

// GRPC is the load of a unary call: the file holds the framed request.
func GRPC(address, method, body string) Load {
	return Load{URL: "http://" + address + method, Body: body,
		Headers: []string{"content-type: application/grpc", "te: trailers"}}
}

// OverTLS is the same load by TLS.
func (l Load) OverTLS() Load {
	l.URL = strings.Replace(l.URL, "http://", "https://", 1)
	return l
}

// Frame writes messages as gRPC sends them, length and all, into a file for Load.
func (b *Bench) Frame(name string, message []byte) string {
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	path := b.Folder(name)
	b.Must(os.WriteFile(path, append(frame, message...), 0o644), "a request")
	return path
}

type loadResult struct {
	calls    int
	seconds  float64
	p50, p99 time.Duration
}

var (
	finished = regexp.MustCompile(`finished in ([0-9.]+)(us|ms|s|m), `)
	requests = regexp.MustCompile(`requests: (\d+) total, \d+ started, \d+ done, (\d+) succeeded`)
)

// CallCost loads a server for some seconds, and tells for each call: "cpu_us" of
// the server, "p50_us" and "p99_us" as the client sees them; and "rate" in calls a
// second and "resident_mb" of the server after it. What it costs the server to take
// the connections is measured apart and not counted.
func (b *Bench) CallCost(server *Program, load Load, duration time.Duration) Sample {
	calls := b.callsFor(server, load, duration)
	before := server.Usage()
	b.h2load(load, load.Connections)
	opened := server.Usage()
	result := b.h2load(load, calls)
	after := server.Usage()
	opening := opened.CPU - before.CPU
	return Sample{
		"cpu_us":      (after.CPU - opened.CPU - opening).Seconds() * 1e6 / float64(result.calls-load.Connections),
		"rate":        float64(result.calls) / result.seconds,
		"p50_us":      float64(result.p50.Microseconds()),
		"p99_us":      float64(result.p99.Microseconds()),
		"resident_mb": float64(after.Resident) / 1e6,
	}
}

// How many calls take about as long: found out once for a server and a load, by
// a run that also warms up what compiles while it runs.
func (b *Bench) callsFor(server *Program, load Load, duration time.Duration) int {
	key := fmt.Sprint(server.Name, load.URL, load.Connections, load.InFlight, duration)
	if calls := b.calls[key]; calls > 0 {
		return calls
	}
	least := load.Connections * load.InFlight
	calls := max(2000, 2*least)
	for {
		result := b.h2load(load, calls)
		fits := int(float64(calls) * duration.Seconds() / result.seconds)
		if result.seconds > duration.Seconds()/3 {
			b.calls[key] = max(fits, least, 100)
			return b.calls[key]
		}
		calls = max(2*calls, fits)
	}
}

func (b *Bench) h2load(load Load, calls int) loadResult {
	log := b.Scratch("h2load")
	os.Remove(log)
	defer os.Remove(log)
	arguments := []string{"-t1", "-c", fmt.Sprint(load.Connections), "-m", fmt.Sprint(load.InFlight),
		"-n", fmt.Sprint(calls), "--log-file=" + log}
	if load.Body != "" {
		arguments = append(arguments, "-d", load.Body)
	}
	for _, header := range load.Headers {
		arguments = append(arguments, "-H", header)
	}
	output, err := load.CPUs.On("h2load", append(arguments, load.URL)...).CombinedOutput()
	b.Must(err, "h2load of %s: %s", load.URL, output)
	result, err := readOutput(output)
	b.Must(err, "h2load of %s", load.URL)
	text, err := os.ReadFile(log)
	b.Must(err, "the log of h2load")
	result.p50, result.p99 = percentiles(text)
	return result
}

// What did not succeed was not measured: then the figures would be of something
// else.
func readOutput(output []byte) (loadResult, error) {
	took, counts := finished.FindSubmatch(output), requests.FindSubmatch(output)
	if took == nil || counts == nil {
		return loadResult{}, fmt.Errorf("not understood: %s", output)
	}
	duration, err := time.ParseDuration(string(took[1]) + string(took[2]))
	if err != nil {
		return loadResult{}, err
	}
	total, _ := strconv.Atoi(string(counts[1]))
	succeeded, _ := strconv.Atoi(string(counts[2]))
	if succeeded != total {
		return loadResult{}, fmt.Errorf("%d of %d calls failed: %s", total-succeeded, total, output)
	}
	return loadResult{calls: total, seconds: duration.Seconds()}, nil
}

// Of lines "start status microseconds".
func percentiles(log []byte) (p50, p99 time.Duration) {
	times := make([]int32, 0, bytes.Count(log, []byte{'\n'}))
	for len(log) > 0 {
		var line []byte
		line, log, _ = bytes.Cut(log, []byte{'\n'})
		at := bytes.LastIndexByte(line, '\t')
		microseconds, err := strconv.Atoi(string(line[at+1:]))
		if err == nil {
			times = append(times, int32(microseconds))
		}
	}
	if len(times) == 0 {
		return 0, 0
	}
	slices.Sort(times)
	at := func(share float64) time.Duration {
		return time.Duration(times[int(share*float64(len(times)-1))]) * time.Microsecond
	}
	return at(0.5), at(0.99)
}
