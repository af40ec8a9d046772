// Package swarm is a client that holds tens of thousands of gRPC streams open and
// stays lean meanwhile: a goroutine for each connection, nothing for a stream, and
// no more of HTTP/2 than such a client needs.
package swarm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2/hpack"
)

// How many connections, and then how many streams, are on their way at once. All at
// once would measure the queues of who lets them in, not what they are later.
const openingAtOnce = 64

// Options of a swarm.
type Options struct {
	Address     string
	TLS         bool // any certificate will do
	Connections int
	// Gets each message of each stream, numbered from 0 in the order in which they
	// were opened; on the goroutine of the connection, which waits for it. The bytes
	// are good until it returns.
	Receive func(stream int, message []byte)
}

// Request opens a stream.
type Request struct {
	Path    string
	Headers []hpack.HeaderField // besides those of every gRPC call
	Message []byte
}

// Swarm is connections to one server, and streams that are spread evenly over
// them. A stream that ends, for whatever reason, is a failure of the swarm.
type Swarm struct {
	options     Options
	connections []*connection
	streams     int           // asked for
	opening     chan struct{} // one for each that waits for its headers

	messages, wanted atomic.Int64
	reached          chan struct{}

	once     sync.Once
	failure  error // good when failed is closed
	failed   chan struct{}
	isClosed atomic.Bool
}

// Dial makes the connections and returns when HTTP/2 is established on all.
func Dial(ctx context.Context, options Options) (*Swarm, error) {
	s := &Swarm{options: options, connections: make([]*connection, options.Connections),
		opening: make(chan struct{}, openingAtOnce),
		reached: make(chan struct{}, 1), failed: make(chan struct{})}
	if err := s.dialAll(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Open opens more streams and returns when the headers of all answers are there.
func (s *Swarm) Open(count int, request func(stream int) Request) error {
	for range count {
		select {
		case s.opening <- struct{}{}:
		case <-s.failed:
			return s.failure
		}
		number := s.streams
		s.streams++
		if err := s.connections[number%len(s.connections)].open(request(number)); err != nil {
			return err
		}
	}
	return s.awaitOpen()
}

func (s *Swarm) awaitOpen() error {
	for range cap(s.opening) {
		select {
		case s.opening <- struct{}{}:
		case <-s.failed:
			return s.failure
		}
	}
	for range cap(s.opening) {
		<-s.opening
	}
	return nil
}

// Messages is how many have come on all streams so far.
func (s *Swarm) Messages() int64 {
	return s.messages.Load()
}

// Await returns when so many messages have come since the start.
func (s *Swarm) Await(count int64, patience time.Duration) error {
	s.wanted.Store(count)
	late := time.NewTimer(patience)
	defer late.Stop()
	for s.messages.Load() < count {
		select {
		case <-s.reached:
		case <-s.failed:
			return s.failure
		case <-late.C:
			return fmt.Errorf("%d of %d messages have come after %v", s.messages.Load(), count, patience)
		}
	}
	return nil
}

// Err is why the swarm is not whole any more; nil while it is.
func (s *Swarm) Err() error {
	select {
	case <-s.failed:
		return s.failure
	default:
		return nil
	}
}

func (s *Swarm) received() {
	if s.messages.Add(1) != s.wanted.Load() {
		return
	}
	select {
	case s.reached <- struct{}{}:
	default:
	}
}

func (s *Swarm) fail(err error) {
	if s.isClosed.Load() {
		return
	}
	s.once.Do(func() {
		s.failure = err
		close(s.failed)
	})
}

// Close ends all connections by a reset, which leaves no port waiting.
func (s *Swarm) Close() {
	s.isClosed.Store(true)
	for _, c := range s.connections {
		if c != nil {
			c.close()
		}
	}
}

var errOther = errors.New("the server does not speak HTTP/2")
