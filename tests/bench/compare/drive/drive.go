// Package drive calls servers with as little work of its own as possible: frames
// are written and read one by one, because a whole gRPC client costs several times
// what the servers do that are measured. Each call may ask for something else, and
// of each answer the status is read: what is not OK ends the run.
package drive

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"time"
)

// Request is what one call sends.
type Request struct {
	Message []byte // encoded, of gRPC
	Key     string // its idempotency-key, if any
	Token   string // who calls, where that differs from call to call
	Path    string // with the query, of REST
}

// Target is a server, and what it is asked.
type Target struct {
	Address     string
	Path        string // /package.Service/Method; empty is REST, by HTTP/1.1
	Connections int
	InFlight    int // on each of them; 1 with REST
	// Of a call: those of each connection are numbered from 0 on, through all runs.
	// Called by a goroutine of each connection.
	Request func(connection, number int) Request
	Token   func(connection int) string // who calls; nobody when it is nil
}

// Result of a run.
type Result struct {
	Calls   int
	Elapsed time.Duration
	Times   []time.Duration // of each call, in order of length
	Late    []time.Duration // how much later than due it was sent; of Open only
}

// Rate is calls a second.
func (r Result) Rate() float64 {
	return float64(r.Calls) / r.Elapsed.Seconds()
}

// Percentile of Times: 50, 99.9.
func (r Result) Percentile(percent float64) time.Duration {
	return percentile(r.Times, percent)
}

// Lateness of the load itself.
func (r Result) Lateness(percent float64) time.Duration {
	return percentile(r.Late, percent)
}

func percentile(sorted []time.Duration, percent float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(percent/100*float64(len(sorted)-1))]
}

// One connection; grpcLink and restLink.
type link interface {
	// Makes the calls of its work, and answers how long each took.
	closed(work *work) ([]time.Duration, error)
	close()
}

// What a connection has to do, and which of its calls is next.
type work struct {
	target     Target
	connection int
	number     int
	left       int       // calls; without a bound when a time ends it
	end        time.Time // zero: the calls end it
}

func (w *work) take(now time.Time) (Request, bool) {
	if !w.end.IsZero() && now.After(w.end) || w.left == 0 {
		return Request{}, false
	}
	w.left--
	return w.next(), true
}

func (w *work) next() Request {
	w.number++
	return w.target.Request(w.connection, w.number-1)
}

// Callers are connections to a target.
type Callers struct {
	target Target
	links  []link
	works  []*work
}

// Connect opens the connections; no call is made.
func Connect(target Target) (*Callers, error) {
	c := &Callers{target: target}
	for number := range target.Connections {
		one, err := c.open(number)
		if err != nil {
			c.Close()
			return nil, fmt.Errorf("connection %d to %s: %w", number, target.Address, err)
		}
		c.links = append(c.links, one)
		c.works = append(c.works, &work{target: target, connection: number})
	}
	return c, nil
}

func (c *Callers) open(number int) (link, error) {
	token := ""
	if c.target.Token != nil {
		token = c.target.Token(number)
	}
	if c.target.Path == "" {
		return dialREST(c.target, token)
	}
	return dialGRPC(c.target, token)
}

// Close closes the connections.
func (c *Callers) Close() {
	for _, one := range c.links {
		one.close()
	}
}

// Closed makes so many calls, in equal shares, or calls for so long (the other is
// 0), each as soon as one before it on its connection is answered.
func (c *Callers) Closed(calls int, duration time.Duration) (Result, error) {
	begin := time.Now()
	for _, work := range c.works {
		work.left, work.end = calls/len(c.links), time.Time{}
		if calls == 0 {
			work.left, work.end = math.MaxInt, begin.Add(duration)
		}
	}
	times := make([][]time.Duration, len(c.links))
	err := c.each(func(number int, one link) (err error) {
		times[number], err = one.closed(c.works[number])
		return err
	})
	return collect(begin, times), err
}

// Runs something on all connections, and answers the first error.
func (c *Callers) each(run func(number int, one link) error) error {
	errors := make([]error, len(c.links))
	var group sync.WaitGroup
	for number, one := range c.links {
		group.Add(1)
		go func() {
			defer group.Done()
			errors[number] = run(number, one)
		}()
	}
	group.Wait()
	for _, err := range errors {
		if err != nil {
			return fmt.Errorf("%s%s: %w", c.target.Address, c.target.Path, err)
		}
	}
	return nil
}

func collect(begin time.Time, times [][]time.Duration) Result {
	all := slices.Concat(times...)
	r := Result{Calls: len(all), Elapsed: time.Since(begin), Times: all}
	slices.Sort(r.Times)
	return r
}
