package swarm

import (
	"context"
	"encoding/binary"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/h2c"
	"golang.org/x/net/http2/hpack"
)

// A server that sends each stream three messages in pieces that split them
// anywhere, and keeps it open; at /end it does not.
func answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("content-type", "application/grpc")
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w)
	flush.Flush()
	if r.URL.Path == "/end" {
		return
	}
	text := framed(r.Header.Get("name")) + framed("") + framed("last")
	for _, piece := range []string{text[:3], text[3:7], text[7:]} {
		w.Write([]byte(piece))
		flush.Flush()
	}
	<-r.Context().Done()
}

func framed(text string) string {
	return string(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(text)))) + text
}

func serve(t *testing.T, isTLS bool) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(answer))
	server.EnableHTTP2 = true
	if isTLS {
		server.StartTLS()
	} else {
		server.Config.Handler = h2c.NewHandler(server.Config.Handler, &http2.Server{})
		server.Start()
	}
	return server.Listener.Addr().(*net.TCPAddr).String()
}

// What came on each stream, in order.
type mailbox struct {
	mutex sync.Mutex
	texts map[int][]string
}

func (m *mailbox) receive(stream int, message []byte) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.texts[stream] = append(m.texts[stream], string(message))
}

func named(path string) func(int) Request {
	return func(stream int) Request {
		name := strings.Repeat("n", stream)
		return Request{Path: path, Headers: []hpack.HeaderField{{Name: "name", Value: name}}, Message: []byte("m")}
	}
}

func dialed(t *testing.T, isTLS bool, receive func(int, []byte)) *Swarm {
	t.Helper()
	s, err := Dial(context.Background(), Options{Address: serve(t, isTLS), TLS: isTLS, Connections: 3, Receive: receive})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestEveryMessageComesOnItsStream(t *testing.T) {
	for _, isTLS := range []bool{false, true} {
		box := &mailbox{texts: map[int][]string{}}
		s := dialed(t, isTLS, box.receive)
		const streams = 20
		for range 2 { // a second opening goes on where the first one ended
			if err := s.Open(streams/2, named("/stay")); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Await(3*streams, 10*time.Second); err != nil {
			t.Fatal(err)
		}
		for stream := range streams {
			texts := strings.Join(box.texts[stream], ",")
			if texts != strings.Repeat("n", stream)+",,last" {
				t.Errorf("stream %d got %q", stream, texts)
			}
		}
	}
}

func TestAStreamThatEndsIsAFailure(t *testing.T) {
	s := dialed(t, false, func(int, []byte) {})
	s.Open(1, named("/end"))
	if err := s.Await(1, 10*time.Second); err == nil || !strings.Contains(err.Error(), "ended") {
		t.Errorf("it said %v", err)
	}
}
