package drive

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	patience     = 30 * time.Second // for an answer
	windowBytes  = 1 << 30          // of what the server may send: never what it waits for
	renewBytes   = windowBytes / 2
	initialBytes = 65535 // RFC 9113 6.9.2
)

// A connection of HTTP/2. In a closed loop one goroutine uses it; in an open one
// another one sends, so what both touch is under the mutex.
type grpcLink struct {
	target  Target
	socket  net.Conn
	reader  *bufio.Reader
	decoder *hpack.Decoder
	status  string // of the block of headers that is being read
	message string

	received int

	mutex    sync.Mutex
	writer   *bufio.Writer
	framer   *http2.Framer
	block    bytes.Buffer
	encoder  *hpack.Encoder
	fields   []hpack.HeaderField
	repeated []byte // all fields, once each of them is in the server's table
	frame    []byte
	window   int // what the server takes
	stream   uint32
	calls    map[uint32]started
	waiting  []time.Time // of an open loop: due, and too many in flight
}

// When a call was sent or, in an open loop, due; and what came of its answer.
type started struct {
	at    time.Time
	bytes int
}

func dialGRPC(target Target, token string) (*grpcLink, error) {
	socket, err := net.Dial("tcp", target.Address)
	if err != nil {
		return nil, err
	}
	l := &grpcLink{target: target, socket: socket, reader: bufio.NewReaderSize(socket, 64<<10),
		writer: bufio.NewWriterSize(socket, 64<<10), window: initialBytes, calls: map[uint32]started{}, stream: 1}
	l.framer = http2.NewFramer(l.writer, l.reader)
	l.framer.SetReuseFrames()
	l.framer.SetMaxReadFrameSize(1<<24 - 1)
	l.encoder = hpack.NewEncoder(&l.block)
	l.decoder = hpack.NewDecoder(4096, l.field)
	l.fields = fields(target, token)
	return l, l.hello()
}

func fields(target Target, token string) []hpack.HeaderField {
	all := []hpack.HeaderField{{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"},
		{Name: ":path", Value: target.Path}, {Name: ":authority", Value: target.Address},
		{Name: "content-type", Value: "application/grpc"}, {Name: "te", Value: "trailers"},
		{Name: "user-agent", Value: "grpc-bench/1.0"}}
	if token != "" {
		all = append(all, hpack.HeaderField{Name: "authorization", Value: "Bearer " + token})
	}
	return all
}

func (l *grpcLink) hello() error {
	l.writer.WriteString(http2.ClientPreface)
	l.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: windowBytes},
		http2.Setting{ID: http2.SettingEnablePush, Val: 0})
	l.framer.WriteWindowUpdate(0, windowBytes-initialBytes)
	return l.writer.Flush()
}

func (l *grpcLink) close() {
	l.socket.Close()
}

func (l *grpcLink) field(f hpack.HeaderField) {
	switch f.Name {
	case "grpc-status":
		l.status = f.Value
	case "grpc-message":
		l.message = f.Value
	}
}

// The first block puts the fields into the server's table, the second one names
// them there, and so do all that follow. What differs from call to call is never
// put there: it would push out the others.
func (l *grpcLink) headers(request Request) []byte {
	l.block.Reset()
	if l.repeated != nil {
		l.block.Write(l.repeated)
	} else {
		l.writeFields()
	}
	if request.Token != "" {
		l.writeOnce("authorization", "Bearer "+request.Token)
	}
	if request.Key != "" {
		l.writeOnce("idempotency-key", request.Key)
	}
	return l.block.Bytes()
}

func (l *grpcLink) writeFields() {
	for _, f := range l.fields {
		l.encoder.WriteField(f)
	}
	if l.stream > 1 {
		l.repeated = bytes.Clone(l.block.Bytes())
	}
}

func (l *grpcLink) writeOnce(name, value string) {
	l.encoder.WriteField(hpack.HeaderField{Name: name, Value: value, Sensitive: true})
}

// Sends a call, but for the flush.
func (l *grpcLink) send(request Request, at time.Time) error {
	l.frame = append(l.frame[:0], 0)
	l.frame = binary.BigEndian.AppendUint32(l.frame, uint32(len(request.Message)))
	l.frame = append(l.frame, request.Message...)
	if l.window -= len(l.frame); l.window < 0 {
		return fmt.Errorf("the server gives no window for requests")
	}
	id := l.stream
	err := l.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: l.headers(request), EndHeaders: true})
	if err != nil {
		return err
	}
	l.stream += 2
	l.calls[id] = started{at: at}
	return l.framer.WriteData(id, true, l.frame)
}

func (l *grpcLink) closed(work *work) (times []time.Duration, err error) {
	times = make([]time.Duration, 0, 1<<16)
	l.socket.SetReadDeadline(time.Now().Add(patience))
	for range l.target.InFlight {
		if err = l.sendNext(work, time.Now()); err != nil {
			return nil, err
		}
	}
	for len(l.calls) > 0 {
		if l.reader.Buffered() == 0 {
			if err = l.writer.Flush(); err != nil {
				return nil, err
			}
		}
		at, isDone, err := l.read()
		if err != nil {
			return nil, err
		}
		if isDone {
			now := time.Now()
			times = append(times, now.Sub(at))
			if len(times)%1024 == 0 {
				l.socket.SetReadDeadline(now.Add(patience))
			}
			if err = l.sendNext(work, now); err != nil {
				return nil, err
			}
		}
	}
	return times, l.writer.Flush()
}

func (l *grpcLink) sendNext(work *work, now time.Time) error {
	request, isMore := work.take(now)
	if !isMore {
		return nil
	}
	return l.send(request, now)
}

// Reads a frame; answers the time of the call that it ends, if it ends one.
func (l *grpcLink) read() (at time.Time, isDone bool, err error) {
	frame, err := l.framer.ReadFrame()
	if err != nil {
		return at, false, err
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	switch f := frame.(type) {
	case *http2.DataFrame:
		return at, false, l.takeData(f)
	case *http2.HeadersFrame:
		return l.takeHeaders(f)
	case *http2.SettingsFrame:
		if !f.IsAck() {
			err = l.framer.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			err = l.framer.WritePing(true, f.Data)
		}
	case *http2.WindowUpdateFrame:
		if f.StreamID == 0 {
			l.window += int(f.Increment)
		}
	case *http2.RSTStreamFrame:
		err = fmt.Errorf("the server resets a call: %v", f.ErrCode)
	case *http2.GoAwayFrame:
		err = fmt.Errorf("the server goes away: %v %s", f.ErrCode, f.DebugData())
	}
	return at, false, err
}

func (l *grpcLink) takeData(f *http2.DataFrame) error {
	call, isKnown := l.calls[f.StreamID]
	if !isKnown {
		return fmt.Errorf("an answer to no call")
	}
	if f.StreamEnded() {
		return fmt.Errorf("an answer without a status")
	}
	call.bytes += len(f.Data())
	l.calls[f.StreamID] = call
	if l.received += int(f.Length); l.received < renewBytes {
		return nil
	}
	increment := uint32(l.received)
	l.received = 0
	return l.framer.WriteWindowUpdate(0, increment)
}

func (l *grpcLink) takeHeaders(f *http2.HeadersFrame) (at time.Time, isDone bool, err error) {
	if !f.HeadersEnded() {
		return at, false, fmt.Errorf("headers of several frames")
	}
	l.status, l.message = "", ""
	if _, err = l.decoder.Write(f.HeaderBlockFragment()); err != nil {
		return at, false, err
	}
	if err = l.decoder.Close(); err != nil || !f.StreamEnded() {
		return at, false, err
	}
	call, isKnown := l.calls[f.StreamID]
	if !isKnown || l.status != "0" || call.bytes <= 5 {
		return at, false, fmt.Errorf("status %q, %q, %d bytes", l.status, l.message, call.bytes)
	}
	delete(l.calls, f.StreamID)
	return call.at, true, nil
}
