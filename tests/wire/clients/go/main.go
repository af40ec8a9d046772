// The ten calls of ../README.md by grpc-go.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding/gzip"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	pb "prbal.test/api/prbal/v1"
)

const patience = 20 * time.Second

type calls struct {
	channel *grpc.ClientConn
	token   string
}

func (c *calls) context() (context.Context, context.CancelFunc) {
	ctx := context.Background()
	if c.token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+c.token)
	}
	return context.WithTimeout(ctx, patience)
}

func expect(holds bool, what any) error {
	if holds {
		return nil
	}
	return fmt.Errorf("%v", what)
}

func (c *calls) health() error {
	ctx, cancel := c.context()
	defer cancel()
	answer, err := healthpb.NewHealthClient(c.channel).Check(ctx, &healthpb.HealthCheckRequest{})
	if err != nil {
		return err
	}
	return expect(answer.Status == healthpb.HealthCheckResponse_SERVING, answer)
}

func (c *calls) list() error {
	ctx, cancel := c.context()
	defer cancel()
	answer, err := pb.NewCatalogServiceClient(c.channel).ListCategories(ctx,
		&pb.ListCategoriesRequest{Tree: true}, grpc.UseCompressor(gzip.Name))
	if err != nil {
		return err
	}
	return expect(len(answer.Categories) > 0, "no categories")
}

func (c *calls) login() error {
	ctx, cancel := c.context()
	defer cancel()
	answer, err := pb.NewAuthServiceClient(c.channel).Login(ctx, &pb.LoginRequest{
		Identifier: os.Getenv("PRBAL_EMAIL"), Password: os.Getenv("PRBAL_PASSWORD")})
	if err != nil {
		return err
	}
	c.token = answer.Tokens.AccessToken
	return expect(c.token != "", "no token")
}

func (c *calls) getMe() error {
	ctx, cancel := c.context()
	defer cancel()
	answer, err := pb.NewUserServiceClient(c.channel).GetMe(ctx, &pb.GetMeRequest{})
	if err != nil {
		return err
	}
	return expect(answer.Account.Email == os.Getenv("PRBAL_EMAIL"), answer.Account)
}

func (c *calls) details() error {
	ctx, cancel := c.context()
	defer cancel()
	_, err := pb.NewAuthServiceClient(c.channel).Register(ctx,
		&pb.RegisterRequest{Email: "nobody", UserType: 1})
	if status.Code(err) != codes.InvalidArgument {
		return fmt.Errorf("not INVALID_ARGUMENT: %v", err)
	}
	for _, detail := range status.Convert(err).Details() {
		if bad, ok := detail.(*errdetails.BadRequest); ok {
			return expect(bad.FieldViolations[0].Field == "email", bad)
		}
	}
	return fmt.Errorf("no BadRequest")
}

func (c *calls) serverInfo(options ...grpc.CallOption) error {
	ctx, cancel := c.context()
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "x-request-id", "ten-calls-go")
	_, err := pb.NewSystemServiceClient(c.channel).GetServerInfo(ctx, &pb.GetServerInfoRequest{}, options...)
	return err
}

func (c *calls) metadata() error {
	var headers metadata.MD
	if err := c.serverInfo(grpc.Header(&headers)); err != nil {
		return err
	}
	id := headers.Get("x-request-id")
	return expect(len(id) == 1 && id[0] == "ten-calls-go", headers)
}

func (c *calls) subscribe(ctx context.Context) (grpc.ServerStreamingClient[pb.SubscribeResponse], error) {
	return pb.NewEventServiceClient(c.channel).Subscribe(ctx, &pb.SubscribeRequest{})
}

// The error that ends the stream.
func drain(stream grpc.ServerStreamingClient[pb.SubscribeResponse], err error) error {
	for err == nil {
		_, err = stream.Recv()
	}
	return err
}

func (c *calls) deadline() error {
	ctx, cancel := c.context()
	defer cancel()
	ctx, short := context.WithTimeout(ctx, 500*time.Millisecond)
	defer short()
	err := drain(c.subscribe(ctx))
	return expect(status.Code(err) == codes.DeadlineExceeded, err)
}

func (c *calls) send(ctx context.Context, content string) error {
	chat := pb.NewChatServiceClient(c.channel)
	opened, err := chat.OpenDirectRoom(ctx, &pb.OpenDirectRoomRequest{TargetUserId: os.Getenv("PRBAL_PEER")})
	if err != nil {
		return err
	}
	_, err = chat.SendMessage(ctx, &pb.SendMessageRequest{RoomId: opened.Room.RoomId, Content: content})
	return err
}

func (c *calls) stream() error {
	ctx, cancel := c.context()
	defer cancel()
	stream, err := c.subscribe(ctx)
	for err == nil {
		var message *pb.SubscribeResponse
		if message, err = stream.Recv(); err != nil {
			return err
		}
		switch payload := message.Event.Payload.(type) {
		case *pb.Event_CaughtUp:
			err = c.send(ctx, "by grpc-go")
		case *pb.Event_ChatMessage:
			return expect(payload.ChatMessage.Content == "by grpc-go", payload)
		}
	}
	return err
}

func (c *calls) cancel() error {
	ctx, cancel := c.context()
	defer cancel()
	stream, err := c.subscribe(ctx)
	if err != nil {
		return err
	}
	if _, err = stream.Recv(); err != nil {
		return err
	}
	cancel()
	if err = drain(stream, nil); status.Code(err) != codes.Canceled {
		return fmt.Errorf("not CANCELLED: %v", err)
	}
	return c.serverInfo()
}

func (c *calls) unimplemented() error {
	ctx, cancel := c.context()
	defer cancel()
	err := c.channel.Invoke(ctx, "/prbal.v1.SystemService/NoSuchMethod", &emptypb.Empty{}, &emptypb.Empty{})
	return expect(status.Code(err) == codes.Unimplemented, err)
}

func main() {
	credentials, err := credentials.NewClientTLSFromFile(os.Getenv("PRBAL_CERT"), "localhost")
	if err != nil {
		panic(err)
	}
	channel, err := grpc.NewClient("localhost:"+os.Getenv("PRBAL_PORT"), grpc.WithTransportCredentials(credentials))
	if err != nil {
		panic(err)
	}
	c := &calls{channel: channel}
	tests := []struct {
		name string
		call func() error
	}{
		{"health", c.health}, {"list", c.list}, {"login", c.login}, {"getMe", c.getMe},
		{"details", c.details}, {"metadata", c.metadata}, {"deadline", c.deadline},
		{"stream", c.stream}, {"cancel", c.cancel}, {"unimplemented", c.unimplemented},
	}
	held := 0
	for _, test := range tests {
		if err := test.call(); err != nil {
			fmt.Printf("FAILED %s: %v\n", test.name, err)
			continue
		}
		held++
	}
	fmt.Printf("%d of %d\n", held, len(tests))
	if held != len(tests) {
		os.Exit(1)
	}
}
