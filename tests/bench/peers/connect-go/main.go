// Echo with connect-go on net/http, over HTTP/2 alone. It answers gRPC,
// gRPC-Web and Connect; the bench speaks gRPC to it.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"connectrpc.com/connect"

	"prbal.test/api/testservice"
	"prbal.test/api/testservice/testserviceconnect"
)

// Counts as live, so that the collector does not run each time that a few
// megabytes of short-lived messages have come together: a tenth of the CPU of a
// call. Never touched, so it takes no memory.
var heapFloor = make([]byte, 16<<20)

type echo struct {
	testserviceconnect.UnimplementedTestServiceHandler
}

func (echo) Echo(_ context.Context, request *connect.Request[testservice.EchoRequest]) (*connect.Response[testservice.EchoResponse], error) {
	return connect.NewResponse(&testservice.EchoResponse{
		Text:    request.Msg.Text,
		Number:  request.Msg.Number,
		Payload: request.Msg.Payload,
	}), nil
}

func newServer(o options) *http.Server {
	mux := http.NewServeMux()
	mux.Handle(testserviceconnect.NewTestServiceHandler(echo{}))
	server := &http.Server{Handler: mux, Protocols: new(http.Protocols)}
	if o.cert == "" {
		server.Protocols.SetUnencryptedHTTP2(true)
	} else {
		server.Protocols.SetHTTP2(true)
	}
	return server
}

func run() error {
	o, err := parseOptions(os.Args[1:])
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(o.threads)
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	server := newServer(o)
	go stopOnSignal(server)
	fmt.Println("ready")
	if o.cert == "" {
		err = server.Serve(listener)
	} else {
		err = server.ServeTLS(listener, o.cert, o.key)
	}
	if err == http.ErrServerClosed {
		return nil
	}
	return err
}

func stopOnSignal(server *http.Server) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	<-signals
	server.Close()
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
	runtime.KeepAlive(heapFloor)
}
