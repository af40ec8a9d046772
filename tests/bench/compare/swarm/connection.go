package swarm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

type connection struct {
	swarm *Swarm
	index int
	raw   *net.TCPConn
	wire  net.Conn // raw, or TLS over it

	// For whoever writes: the opener of streams, and the reader its acknowledgements.
	writing sync.Mutex
	unsent  bytes.Buffer
	out     *http2.Framer
	block   bytes.Buffer
	encoder *hpack.Encoder
	streams uint32

	// Of the reader.
	in         *http2.Framer
	unreturned uint32            // of the connection's window
	partial    map[uint32][]byte // messages that are split over frames

	ready   chan struct{} // closed when the server's SETTINGS have come
	isReady bool
	allowed atomic.Uint32 // streams
}

// Frames that `fill` writes leave together.
func (c *connection) write(fill func() error) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.unsent.Reset()
	if err := fill(); err != nil {
		return err
	}
	_, err := c.wire.Write(c.unsent.Bytes())
	return err
}

func (c *connection) open(request Request) error {
	if c.streams >= c.allowed.Load() {
		return fmt.Errorf("the server allows %d streams on a connection", c.streams)
	}
	return c.write(func() error {
		id := 2*c.streams + 1
		c.streams++
		c.encode(request)
		err := c.out.WriteHeaders(http2.HeadersFrameParam{StreamID: id,
			BlockFragment: c.block.Bytes(), EndHeaders: true})
		if err != nil {
			return err
		}
		message := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(request.Message)))
		return c.out.WriteData(id, true, append(message, request.Message...))
	})
}

func (c *connection) encode(request Request) {
	c.block.Reset()
	scheme := "http"
	if c.swarm.options.TLS {
		scheme = "https"
	}
	for _, field := range [][2]string{{":method", "POST"}, {":scheme", scheme}, {":path", request.Path},
		{":authority", c.swarm.options.Address}, {"te", "trailers"}, {"content-type", "application/grpc"}} {
		c.encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	for _, field := range request.Headers {
		c.encoder.WriteField(field)
	}
}

func (c *connection) close() {
	c.raw.SetLinger(0)
	c.raw.Close()
}

// ---- Reading.

func (c *connection) run() {
	for {
		frame, err := c.in.ReadFrame()
		if err == nil {
			err = c.take(frame)
		}
		if err != nil {
			c.swarm.fail(fmt.Errorf("connection %d: %w", c.index, err))
			return
		}
	}
}

func (c *connection) take(frame http2.Frame) error {
	switch f := frame.(type) {
	case *http2.DataFrame:
		return c.takeData(f)
	case *http2.MetaHeadersFrame:
		return c.takeHeaders(f)
	case *http2.SettingsFrame:
		return c.takeSettings(f)
	case *http2.PingFrame:
		if f.IsAck() {
			return nil
		}
		return c.write(func() error { return c.out.WritePing(true, f.Data) })
	case *http2.GoAwayFrame:
		return fmt.Errorf("GOAWAY, %v", f.ErrCode)
	case *http2.RSTStreamFrame:
		return fmt.Errorf("stream %d was reset, %v", f.StreamID, f.ErrCode)
	}
	return nil
}

func (c *connection) takeSettings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	if !c.isReady {
		c.allowed.Store(^uint32(0)) // unless it says otherwise
	}
	err := f.ForeachSetting(c.takeSetting)
	if err == nil {
		err = c.write(c.out.WriteSettingsAck)
	}
	if !c.isReady {
		c.isReady = true
		close(c.ready)
	}
	return err
}

func (c *connection) takeSetting(setting http2.Setting) error {
	switch setting.ID {
	case http2.SettingMaxConcurrentStreams:
		c.allowed.Store(setting.Val)
	case http2.SettingHeaderTableSize:
		c.writing.Lock()
		defer c.writing.Unlock()
		c.encoder.SetMaxDynamicTableSizeLimit(setting.Val)
	}
	return nil
}

func (c *connection) takeHeaders(f *http2.MetaHeadersFrame) error {
	if f.StreamEnded() {
		return fmt.Errorf("stream %d ended: %v", f.StreamID, f.Fields)
	}
	if f.PseudoValue("status") != "200" {
		return fmt.Errorf("stream %d: %v", f.StreamID, f.Fields)
	}
	<-c.swarm.opening
	return nil
}

func (c *connection) takeData(f *http2.DataFrame) error {
	if f.StreamEnded() {
		return fmt.Errorf("stream %d ended", f.StreamID)
	}
	if err := c.takeMessages(f.StreamID, f.Data()); err != nil {
		return err
	}
	c.unreturned += f.Length
	if c.unreturned < connectionWindow/2 {
		return nil
	}
	size := c.unreturned
	c.unreturned = 0
	return c.write(func() error { return c.out.WriteWindowUpdate(0, size) })
}

const prefix = 5 // of a message: whether it is compressed, and its size

var errCompressed = errors.New("a compressed message, which nobody has asked for")

func (c *connection) takeMessages(id uint32, bytes []byte) error {
	if kept, isPartial := c.partial[id]; isPartial {
		bytes = append(kept, bytes...)
		delete(c.partial, id)
	}
	number := int(id/2)*len(c.swarm.connections) + c.index
	for len(bytes) >= prefix {
		if bytes[0] != 0 {
			return errCompressed
		}
		end := prefix + int(binary.BigEndian.Uint32(bytes[1:]))
		if len(bytes) < end {
			break
		}
		c.swarm.options.Receive(number, bytes[prefix:end])
		c.swarm.received()
		bytes = bytes[end:]
	}
	if len(bytes) > 0 {
		c.partial[id] = append([]byte(nil), bytes...)
	}
	return nil
}
