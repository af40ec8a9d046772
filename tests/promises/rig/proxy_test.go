package rig

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

const proxyPatience = 10 * time.Second // a hang bound

// A server that answers each line with the same line, a proxy in front of it, and
// a client behind that.
type echo struct {
	*testing.T
	trial  *Trial
	proxy  *Proxy
	client net.Conn
	lines  *bufio.Reader
	ends   chan error // of the server's side
}

func newEcho(t *testing.T) *echo {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{T: t, trial: newTrial(context.Background(), Options{}, Promise{ID: "P99"}), ends: make(chan error, 10)}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, err := io.Copy(connection, connection)
				e.ends <- err
			}()
		}
	}()
	e.proxy = e.trial.Proxy(listener.Addr().String())
	t.Cleanup(func() { e.proxy.close(); listener.Close() })
	e.dial()
	return e
}

func (e *echo) dial() {
	var err error
	if e.client, err = net.Dial("tcp", e.proxy.Address); err != nil {
		e.Fatal(err)
	}
	e.client.SetDeadline(time.Now().Add(proxyPatience))
	e.lines = bufio.NewReader(e.client)
}

func (e *echo) say(line string) {
	if _, err := io.WriteString(e.client, line+"\n"); err != nil {
		e.Fatal(err)
	}
}

func (e *echo) expect(line string) {
	e.Helper()
	if heard, err := e.lines.ReadString('\n'); err != nil || heard != line+"\n" {
		e.Fatalf("%q, %v", heard, err)
	}
}

func (e *echo) expectReset() {
	e.Helper()
	_, err := e.lines.ReadString('\n')
	if !errors.Is(err, syscall.ECONNRESET) && err != io.EOF {
		e.Fatalf("the connection goes on: %v", err)
	}
}

func TestAProxyPassesOnAndDelays(t *testing.T) {
	e := newEcho(t)
	e.say("one")
	e.expect("one")
	e.proxy.Set(Rule{Delay: 50 * time.Millisecond})
	begin := time.Now()
	e.say("two")
	e.expect("two")
	if time.Since(begin) < 100*time.Millisecond {
		t.Errorf("both directions took %v", time.Since(begin))
	}
}

func TestWhatABlackHoleHoldsComesOutAfterIt(t *testing.T) {
	e := newEcho(t)
	e.say("one")
	e.expect("one")
	e.proxy.Set(Rule{BlackHole: true})
	e.say("two")
	e.client.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := e.lines.ReadString('\n'); !errors.Is(err, context.DeadlineExceeded) && err == nil {
		t.Fatal("something came out")
	}
	e.client.SetReadDeadline(time.Now().Add(proxyPatience))
	e.proxy.Set(Rule{})
	e.expect("two")
}

func TestACutIsSeenOnBothSides(t *testing.T) {
	e := newEcho(t)
	e.say("one")
	e.expect("one")
	e.proxy.Cut()
	e.expectReset()
	select {
	case <-e.ends:
	case <-time.After(proxyPatience):
		t.Fatal("the server does not know")
	}
}

func TestAHalfOpenConnectionIsSeenByTheClientAlone(t *testing.T) {
	e := newEcho(t)
	e.say("one")
	e.expect("one")
	for _, link := range e.proxy.Links() {
		link.HalfOpen()
	}
	e.expectReset()
	select {
	case err := <-e.ends:
		t.Fatalf("the server knows: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
}

func TestAProxyRefusesAndTurns(t *testing.T) {
	e := newEcho(t)
	e.proxy.Refuse(true)
	// It may be reset before Dial() has come back.
	if client, err := net.Dial("tcp", e.proxy.Address); err == nil {
		e.client, e.lines = client, bufio.NewReader(client)
		e.expectReset()
	}
	e.proxy.Refuse(false)
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	e.proxy.Turn(other.Addr().String())
	e.dial()
	connection, err := other.Accept()
	if err != nil {
		t.Fatal(err)
	}
	connection.Close()
}
