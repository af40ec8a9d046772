// Echo and streams with grpc-go, tuned as its maintainers advise.
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"prbal.test/api/streams"
	"prbal.test/api/testservice"
)

// Goroutines that are kept, with the stack that they have grown to, instead of
// one made for each call. More calls than these at once get new ones.
const streamWorkers = 128

type echo struct {
	testservice.UnimplementedTestServiceServer
}

func (echo) Echo(_ context.Context, request *testservice.EchoRequest) (*testservice.EchoResponse, error) {
	return &testservice.EchoResponse{
		Text:    request.Text,
		Number:  request.Number,
		Payload: request.Payload,
	}, nil
}

func serverOptions(o options) ([]grpc.ServerOption, error) {
	list := []grpc.ServerOption{grpc.NumStreamWorkers(streamWorkers)}
	if o.cert == "" {
		return list, nil
	}
	certificate, err := tls.LoadX509KeyPair(o.cert, o.key)
	if err != nil {
		return nil, err
	}
	return append(list, grpc.Creds(credentials.NewServerTLSFromCert(&certificate))), nil
}

func run() error {
	o, err := parseOptions(os.Args[1:])
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(o.threads)
	list, err := serverOptions(o)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	server := grpc.NewServer(list...)
	testservice.RegisterTestServiceServer(server, echo{})
	streams.RegisterStreamsServer(server, newHub())
	go stopOnSignal(server)
	fmt.Println("ready")
	return server.Serve(listener)
}

func stopOnSignal(server *grpc.Server) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	<-signals
	server.Stop() // streams never end by themselves
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
