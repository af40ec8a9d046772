package swarm

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	// Servers allow an address some hundreds of connections, and it has 28,000
	// ports: local addresses 127.0.0.2, 127.0.0.3 ... have so many each.
	connectionsPerLocal = 200
	patience            = 60 * time.Second // a hang bound

	// So large that the server never waits for the client to read. What a stream
	// takes is never given back: 16 MiB are 100,000 events.
	streamWindow     = 16 << 20
	connectionWindow = 1 << 30

	// Small buffers where there are many connections, which have few streams.
	manyConnections              = 1000
	smallBuffer, largeBuffer int = 2 << 10, 64 << 10
)

// One group of handshakes is enough for all that is measured here, and the same
// for all servers.
var tlsConfig = &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"},
	CurvePreferences: []tls.CurveID{tls.X25519}, MinVersion: tls.VersionTLS13}

func (s *Swarm) dialAll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var workers sync.WaitGroup
	for worker := range openingAtOnce {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for i := worker; i < len(s.connections); i += openingAtOnce {
				if err := s.dial(ctx, i); err != nil {
					s.fail(fmt.Errorf("connection %d: %w", i, err))
					return
				}
			}
		}()
	}
	workers.Wait()
	return s.Err()
}

func (s *Swarm) dial(ctx context.Context, index int) error {
	local := net.IPv4(127, 0, 0, byte(2+index/connectionsPerLocal))
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: local}}
	raw, err := dialer.DialContext(ctx, "tcp", s.options.Address)
	if err != nil {
		return err
	}
	c := &connection{swarm: s, index: index, raw: raw.(*net.TCPConn), wire: raw,
		ready: make(chan struct{}), partial: map[uint32][]byte{}}
	s.connections[index] = c
	if s.options.TLS {
		if err = c.secure(ctx); err != nil {
			return err
		}
	}
	c.prepare()
	if err = c.greet(); err != nil {
		return err
	}
	go c.run()
	select {
	case <-c.ready:
		return nil
	case <-s.failed:
		return s.failure
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *connection) secure(ctx context.Context) error {
	secured := tls.Client(c.raw, tlsConfig)
	if err := secured.HandshakeContext(ctx); err != nil {
		return err
	}
	if secured.ConnectionState().NegotiatedProtocol != "h2" {
		return errOther
	}
	c.wire = secured
	return nil
}

func (c *connection) prepare() {
	size := largeBuffer
	if len(c.swarm.connections) >= manyConnections {
		size = smallBuffer
	}
	c.out = http2.NewFramer(&c.unsent, nil)
	c.encoder = hpack.NewEncoder(&c.block)
	c.in = http2.NewFramer(nil, bufio.NewReaderSize(c.wire, size))
	c.in.SetReuseFrames()
	c.in.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
}

func (c *connection) greet() error {
	return c.write(func() error {
		c.unsent.WriteString(http2.ClientPreface)
		err := c.out.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 0},
			http2.Setting{ID: http2.SettingInitialWindowSize, Val: streamWindow})
		if err != nil {
			return err
		}
		return c.out.WriteWindowUpdate(0, connectionWindow)
	})
}
