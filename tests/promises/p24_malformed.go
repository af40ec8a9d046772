package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"prbal.test/promises/rig"
)

func init() {
	rig.Register("P24", "what strangers send breaks nothing", malformed)
}

const (
	p24Clients = 8
	p24Depth   = 4
)

type p24 struct {
	*rig.Trial
	cluster *rig.Cluster
	methods []rig.Method
	people  []*rig.Person
	sent    atomic.Int64
	frames  atomic.Int64
	answers [17]atomic.Int64
}

// The server is the one with the sanitizers: their words break the promise, and so
// does its end (rig/server.go).
func malformed(t *rig.Trial) {
	p := &p24{Trial: t, methods: rig.Methods()}
	p.cluster = t.Cluster(rig.Setup{Settings: map[string]string{"listen_mode": "both"}})
	for _, kind := range []rig.Kind{rig.Seeker, rig.Provider, rig.Both, rig.Admin} {
		p.people = append(p.people, p.cluster.Person(kind))
	}
	length := t.Time(15*time.Second, 10*time.Minute)
	begin := time.Now()
	t.Together(p24Clients, func(number int) {
		random := t.Stream(number + 1)
		client := p.cluster.Client(p.cluster.Servers[0].Address)
		for time.Since(begin) < length && t.Context().Err() == nil {
			if number == 0 {
				p.rawConnection(random)
			} else {
				p.request(client, random)
			}
		}
	})
	p.judge()
}

func (p *p24) judge() {
	_, err := p.cluster.Client(p.cluster.Servers[0].Address).Health.Check(p.Context(), nil)
	p.Expect(err == nil, "health after all that: %v", err)
	kinds := 0
	for code := range p.answers {
		if p.answers[code].Load() > 0 {
			kinds++
		}
	}
	p.Tried("methods", len(p.methods))
	p.Tried("requests", int(p.sent.Load()))
	p.Tried("connections of broken frames", int(p.frames.Load()))
	p.Measured("%d codes answered, %s INVALID_ARGUMENT, %s INTERNAL, nothing reported", kinds,
		rig.Count(int(p.answers[codes.InvalidArgument].Load())), rig.Count(int(p.answers[codes.Internal].Load())))
	p.Expect(p.answers[codes.Internal].Load() == 0, "%d requests ended with INTERNAL", p.answers[codes.Internal].Load())
	p.Expect(p.answers[codes.OK].Load() > 0, "not one request was answered: they are too wrong")
}

// A codec that sends and takes bytes as they are.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }
func (rawCodec) Marshal(message any) ([]byte, error) {
	return *message.(*[]byte), nil
}
func (rawCodec) Unmarshal(bytes []byte, message any) error {
	*message.(*[]byte) = bytes
	return nil
}

// One of any method, by anybody, right in form and then damaged, or not.
func (p *p24) request(client *rig.Client, random *rand.Rand) {
	method := p.methods[random.IntN(len(p.methods))]
	request := dynamicpb.NewMessage(method.Input)
	fill(request, random, p24Depth)
	body, _ := proto.Marshal(request)
	if random.IntN(3) > 0 {
		body = damage(body, random)
	}
	ctx, cancel := context.WithTimeout(p.Context(), 3*time.Second)
	defer cancel()
	if random.IntN(8) > 0 {
		ctx = p.people[random.IntN(len(p.people))].In(ctx)
	}
	if random.IntN(8) == 0 {
		ctx = metadata.AppendToOutgoingContext(ctx, "x-any-bin", string(noise(random, 100)), "idempotency-key", "k")
	}
	if random.IntN(10) == 0 { // goes away while it is answered
		limited, stop := context.WithTimeout(ctx, time.Duration(random.IntN(3000))*time.Microsecond)
		defer stop()
		ctx = limited
	}
	p.note(p.send(ctx, client, "/prbal.v1."+method.Name, body))
}

func (p *p24) send(ctx context.Context, client *rig.Client, path string, body []byte) error {
	stream, err := client.Connection.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, path,
		grpc.ForceCodec(rawCodec{}), grpc.MaxCallSendMsgSize(16<<20))
	if err == nil {
		if err = stream.SendMsg(&body); err == nil || err == io.EOF {
			err = stream.CloseSend()
		}
	}
	for count := 0; err == nil && count < 3; count++ { // streams would go on for ever
		var answer []byte
		err = stream.RecvMsg(&answer)
	}
	if err == io.EOF {
		return nil
	}
	return err
}

func (p *p24) note(err error) {
	p.sent.Add(1)
	p.answers[min(int(status.Code(err)), 16)].Add(1)
}

// A message with random values in random fields, strange ones among them.
func fill(message protoreflect.Message, random *rand.Rand, depth int) {
	fields := message.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		if random.IntN(3) == 0 || (field.Message() != nil && depth == 0) {
			continue
		}
		switch {
		case field.IsMap():
		case field.IsList():
			list := message.Mutable(field).List()
			for range random.IntN(4) {
				list.Append(value(list.NewElement, field, random, depth))
			}
		default:
			message.Set(field, value(func() protoreflect.Value { return message.NewField(field) }, field, random, depth))
		}
	}
}

var p24Texts = []string{"", "a", "name", "x@promises.test", "\u0000", "\U0001F600", "' or 1=1 --", "%s%n", "../../etc/passwd",
	"00000000-0000-0000-0000-000000000000", "USD", "2026-11-21T00:00:00Z", "title", "created_at desc"}

func value(fresh func() protoreflect.Value, field protoreflect.FieldDescriptor, random *rand.Rand, depth int) protoreflect.Value {
	switch field.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		part := fresh()
		fill(part.Message(), random, depth-1)
		return part
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(random.IntN(2) == 0)
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(text(random))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(noise(random, 200))
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(integer(random)))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(float(random))
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(float32(float(random)))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(integer(random)))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(integer(random)))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(uint64(integer(random)))
	default:
		return protoreflect.ValueOfInt64(integer(random))
	}
}

func text(random *rand.Rand) string {
	switch random.IntN(4) {
	case 0:
		return rig.NewID()
	case 1:
		return string(bytes.Repeat([]byte("long "), random.IntN(3000)))
	default:
		return p24Texts[random.IntN(len(p24Texts))]
	}
}

func integer(random *rand.Rand) int64 {
	edges := []int64{0, 1, 2, 3, -1, 100, 1 << 31, -1 << 31, 1<<31 - 1, -1 << 63, 1<<63 - 1}
	return edges[random.IntN(len(edges))]
}

func float(random *rand.Rand) float64 {
	edges := []float64{0, 1, -90, 180, 1e308, -1e308, 1e-320}
	zero := 0.0
	edges = append(edges, zero/zero, 1/zero, -1/zero)
	return edges[random.IntN(len(edges))]
}

func noise(random *rand.Rand, most int) []byte {
	made := make([]byte, random.IntN(most+1))
	for i := range made {
		made[i] = byte(random.Uint32())
	}
	return made
}

// Bytes that are almost a message.
func damage(body []byte, random *rand.Rand) []byte {
	body = bytes.Clone(body)
	for range 1 + random.IntN(4) {
		at := 0
		if len(body) > 0 {
			at = random.IntN(len(body))
		}
		switch random.IntN(6) {
		case 0:
			body = body[:at]
		case 1:
			if len(body) > 0 {
				body[at] ^= 1 << random.IntN(8)
			}
		case 2:
			body = append(body[:at:at], append(noise(random, 20), body[at:]...)...)
		case 3: // a length that is not there
			body = protowire.AppendTag(body, protowire.Number(1+random.IntN(30)), protowire.BytesType)
			body = binary.AppendUvarint(body, random.Uint64())
		case 4: // the same once more
			body = append(body, body[at:]...)
		case 5: // one in another
			body = protowire.AppendTag(body, protowire.Number(1+random.IntN(10)), protowire.BytesType)
			body = protowire.AppendBytes(body, bytes.Clone(body[at:]))
		}
	}
	return body
}

// HTTP/2 that begins well and goes wrong; HTTP/1; or neither.
func (p *p24) rawConnection(random *rand.Rand) {
	p.frames.Add(1)
	connection, err := net.DialTimeout("tcp", p.cluster.Servers[0].Address, 5*time.Second)
	if err != nil {
		return
	}
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(200 * time.Millisecond))
	var sent bytes.Buffer
	if random.IntN(4) > 0 {
		sent.WriteString(http2.ClientPreface)
		p.writeFrames(&sent, random)
	} else {
		sent.WriteString("POST /prbal.v1.SystemService/GetServerInfo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 5\r\n\r\n{\"a\":")
	}
	bytesSent := sent.Bytes()
	if random.IntN(2) == 0 {
		bytesSent = damage(bytesSent, random)
	}
	connection.Write(bytesSent)
	io.Copy(io.Discard, connection)
}

func (p *p24) writeFrames(sent *bytes.Buffer, random *rand.Rand) {
	framer := http2.NewFramer(sent, nil)
	framer.AllowIllegalWrites = true
	framer.WriteSettings()
	for stream := uint32(1); stream < 9; stream += 2 {
		framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, EndHeaders: random.IntN(8) > 0,
			BlockFragment: headerBlock(p.methods[random.IntN(len(p.methods))].Name, random)})
		prefix := append([]byte{byte(random.IntN(3)), 0, 0, 0, byte(random.IntN(40))}, noise(random, 40)...)
		framer.WriteData(stream, random.IntN(2) == 0, prefix)
		framer.WriteRawFrame(http2.FrameType(random.IntN(12)), http2.Flags(random.IntN(256)),
			uint32(random.IntN(12)), noise(random, 40))
	}
}

func headerBlock(method string, random *rand.Rand) []byte {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	types := []string{"application/grpc", "application/grpc+proto", "application/proto", "application/json", "application/grpc-web", "text/plain"}
	for _, field := range []hpack.HeaderField{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"},
		{Name: ":path", Value: "/prbal.v1." + method}, {Name: ":authority", Value: "localhost"},
		{Name: "content-type", Value: types[random.IntN(len(types))]}, {Name: "te", Value: "trailers"},
		{Name: "grpc-encoding", Value: "gzip"}, {Name: "grpc-timeout", Value: string(noise(random, 8)) + "S"},
	} {
		if random.IntN(12) > 0 {
			encoder.WriteField(field)
		}
	}
	return block.Bytes()
}
