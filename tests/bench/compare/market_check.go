package main

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"prbal.test/promises/rig"
)

const compared = 20 // requests, before anything is measured

// A peer that answers something else than Prbal is no peer: that ends the part.
func (m *marketplace) compare(t *task) {
	method := methodNamed(t.method)
	for range min(compared, len(t.messages)) {
		at := rand.IntN(len(t.messages))
		ours := m.ask(m.rivals[0], t, method, at)
		for _, r := range m.rivals[1:] {
			if r.isREST {
				m.compareJSON(r, t, at, ours)
			} else if theirs := m.ask(r, t, method, at); !proto.Equal(ours, theirs) {
				m.GiveUp(fmt.Sprintf("%s answers %s\n%v\nwith\n%v\nand Prbal with\n%v", r.name, t.method,
					t.messages[at], prototext.Format(theirs), prototext.Format(ours)))
			}
		}
	}
}

func methodNamed(name string) rig.Method {
	for _, method := range rig.Methods() {
		if method.Name == name {
			return method
		}
	}
	panic("there is no " + name)
}

// By a whole client, grpc-go's.
func (m *marketplace) ask(r *rival, t *task, method rig.Method, at int) proto.Message {
	ctx := m.Context()
	if t.by != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+m.tokens[t.by][at%marketCallers])
	}
	answer := m.client(r).Call(ctx, method, t.messages[at])
	m.Must(answer.Err, "%s of %s", t.method, r.name)
	hideTokens(answer.Message.ProtoReflect())
	return answer.Message
}

func (m *marketplace) client(r *rival) *rig.Client {
	if r.client == nil {
		r.client = m.cluster.Client(r.address)
	}
	return r.client
}

// A page token means something to the server that made it alone: that there is one
// is compared.
func hideTokens(message protoreflect.Message) {
	field := message.Descriptor().Fields().ByName("next_page_token")
	if field != nil && message.Get(field).String() != "" {
		message.Set(field, protoreflect.ValueOfString("there is one"))
	}
}

// Ids that a server has made and moments are its own: that they are there is
// compared.
func hideOwn(message protoreflect.Message) {
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsMap():
		case field.IsList() && field.Message() != nil:
			for i := range value.List().Len() {
				hideOwn(value.List().Get(i).Message())
			}
		case field.IsList():
		case field.Message() != nil && field.Message().FullName() == "google.protobuf.Timestamp":
			message.Clear(field)
			message.Mutable(field)
		case field.Message() != nil:
			hideOwn(value.Message())
		case strings.HasSuffix(string(field.Name()), "_id"):
			message.Set(field, protoreflect.ValueOfString("an id"))
		}
		return true
	})
}
