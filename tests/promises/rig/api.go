package rig

import (
	"context"
	"sort"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"prbal.test/api/buf/validate"
	"prbal.test/api/prbal"
	pb "prbal.test/api/prbal/v1"
)

// Method is an RPC of the API as its descriptors have it: what is tried on all of
// them needs no list that somebody has to keep.
type Method struct {
	Name  string // "BidService/GetBid"
	Roles []prbal.Role
	Input protoreflect.MessageDescriptor
	// It honours an idempotency-key.
	Idempotent bool

	output   protoreflect.MessageType
	isStream bool
}

// Methods are all of them, by name.
func Methods() []Method {
	var methods []Method
	protoregistry.GlobalFiles.RangeFilesByPackage(pb.File_prbal_v1_common_proto.Package(), func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for k := range service.Methods().Len() {
				methods = append(methods, methodOf(service, service.Methods().Get(k)))
			}
		}
		return true
	})
	sort.Slice(methods, func(i, j int) bool { return methods[i].Name < methods[j].Name })
	return methods
}

func methodOf(service protoreflect.ServiceDescriptor, method protoreflect.MethodDescriptor) Method {
	access := proto.GetExtension(method.Options(), prbal.E_Access).(*prbal.Access)
	return Method{
		Name: string(service.Name()) + "/" + string(method.Name()), Roles: access.Roles,
		Input: method.Input(), Idempotent: proto.GetExtension(method.Options(), prbal.E_Idempotent).(bool),
		output: typeOf(method.Output()), isStream: method.IsStreamingServer(),
	}
}

func typeOf(message protoreflect.MessageDescriptor) protoreflect.MessageType {
	found, err := protoregistry.GlobalTypes.FindMessageByName(message.FullName())
	if err != nil {
		panic(err)
	}
	return found
}

// Output is an empty answer.
func (m Method) Output() proto.Message {
	return m.output.New().Interface()
}

// Has tells whether the request has a field of this name.
func (m Method) Has(field string) bool {
	return m.Input.Fields().ByName(protoreflect.Name(field)) != nil
}

// Choices are what a text field of the request may be, when its rules name all.
func (m Method) Choices(field string) []string {
	descriptor := m.Input.Fields().ByName(protoreflect.Name(field))
	if descriptor == nil {
		return nil
	}
	rules := proto.GetExtension(descriptor.Options(), validate.E_Field).(*validate.FieldRules)
	return rules.GetString_().GetIn()
}

// Request is one from its JSON form; a text that is none ends the program.
func (m Method) Request(json string) proto.Message {
	request := typeOf(m.Input).New().Interface()
	if err := protojson.Unmarshal([]byte(json), request); err != nil {
		panic(m.Name + " " + json + ": " + err.Error())
	}
	return request
}

// Set writes a field that has no parts.
func Set(request proto.Message, field string, value any) {
	message := request.ProtoReflect()
	message.Set(message.Descriptor().Fields().ByName(protoreflect.Name(field)), protoreflect.ValueOf(value))
}

// Answer is all that a client gets.
type Answer struct {
	Message         proto.Message // the last one of a stream; nil when there was none
	Err             error
	Header, Trailer metadata.MD
}

// Call makes a call; of a stream it takes all messages until its end.
func (c *Client) Call(ctx context.Context, method Method, request proto.Message) Answer {
	var answer Answer
	path := "/prbal.v1." + method.Name
	more := []grpc.CallOption{grpc.Header(&answer.Header), grpc.Trailer(&answer.Trailer)}
	if !method.isStream {
		message := method.output.New().Interface()
		if answer.Err = c.Connection.Invoke(ctx, path, request, message, more...); answer.Err == nil {
			answer.Message = message
		}
		return answer
	}
	stream, err := c.Connection.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, path, more...)
	if err == nil {
		if err = stream.SendMsg(request); err == nil {
			err = stream.CloseSend()
		}
	}
	for err == nil {
		message := method.output.New().Interface()
		if err = stream.RecvMsg(message); err == nil {
			answer.Message = message
		}
	}
	answer.Err = err
	return answer
}

// Rows is the list in a list's answer.
func Rows(answer proto.Message) []protoreflect.Message {
	message := answer.ProtoReflect()
	fields := message.Descriptor().Fields()
	for i := range fields.Len() {
		if field := fields.Get(i); field.IsList() && field.Message() != nil {
			var rows []protoreflect.Message
			for k := range message.Get(field).List().Len() {
				rows = append(rows, message.Get(field).List().Get(k).Message())
			}
			return rows
		}
	}
	return nil
}

// Text is a text field of a message, "" when there is no such field.
func Text(message protoreflect.Message, field string) string {
	descriptor := message.Descriptor().Fields().ByName(protoreflect.Name(field))
	if descriptor == nil || descriptor.Kind() != protoreflect.StringKind {
		return ""
	}
	return message.Get(descriptor).String()
}

// ID is the first field of a row whose name ends in "_id": its own, by the API's
// custom.
func ID(row protoreflect.Message) string {
	fields := row.Descriptor().Fields()
	for i := range fields.Len() {
		if field := fields.Get(i); strings.HasSuffix(string(field.Name()), "_id") {
			return row.Get(field).String()
		}
	}
	return ""
}
