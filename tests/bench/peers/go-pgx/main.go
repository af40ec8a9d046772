// The marketplace's reads and writes on Prbal's own schema with grpc-go and pgx.
//
// The statements are Prbal's, but for two things that a service in Go would do
// otherwise. Lists have only the conditions that the filter asks for and read
// places and services at once, so they are prepared statements with plans that
// are kept. Ids of new rows are made here, so that an insert and what depends on
// it go in one round trip.
//
// Left out: limits of calls, read masks, sessions that were ended before their
// token, and currencies that ISO 4217 does not know. A profile (PGO) takes 7 per
// cent off GetService; it is not used, as Prbal is built without one, too.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	pb "prbal.test/api/prbal/v1"
)

// As in the peer grpc-go, which says what was tried.
const (
	streamWorkers   = 128
	readBufferBytes = 4096
)

const (
	// Links to the database, as many as Prbal has.
	linksMax = 8
	drain    = 2 * time.Second
)

// Counts as live, so that the collector does not run each time that a few
// megabytes of short-lived messages have come together. Never touched, so it
// takes no memory.
var heapFloor = make([]byte, 16<<20)

func serverOptions(o options, g *gate, s *store) ([]grpc.ServerOption, error) {
	list := []grpc.ServerOption{
		grpc.NumStreamWorkers(streamWorkers),
		grpc.SharedWriteBuffer(true),
		grpc.ReadBufferSize(readBufferBytes),
		grpc.ChainUnaryInterceptor(g.intercept, s.intercept),
	}
	if o.cert == "" {
		return list, nil
	}
	creds, err := credentials.NewServerTLSFromFile(o.cert, o.key)
	return append(list, grpc.Creds(creds)), err
}

// pgx prepares each statement once a link and speaks the binary protocol.
func openPool(url string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = linksMax
	config.MinConns = linksMax
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, err
	}
	return pool, pool.Ping(context.Background())
}

func newServer(o options, pool *pgxpool.Pool) (*grpc.Server, error) {
	g, err := newGate(o.tokenKey)
	if err != nil {
		return nil, err
	}
	s := &store{pool, newHints(pool)}
	list, err := serverOptions(o, g, s)
	if err != nil {
		return nil, err
	}
	server := grpc.NewServer(list...)
	pb.RegisterListingServiceServer(server, &listingServer{
		pool: pool, views: newViews(pool), pages: newPages()})
	pb.RegisterBidServiceServer(server, &bidServer{store: s})
	pb.RegisterChatServiceServer(server, &chatServer{store: s})
	return server, nil
}

func run() error {
	o, err := parseOptions(os.Args[1:])
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(o.threads)
	pool, err := openPool(o.database)
	if err != nil {
		return err
	}
	server, err := newServer(o, pool)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	go stopOnSignal(server)
	fmt.Println("ready")
	return server.Serve(listener)
}

func stopOnSignal(server *grpc.Server) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	<-signals
	time.AfterFunc(drain, server.Stop) // clients may keep their connections
	server.GracefulStop()
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
	runtime.KeepAlive(heapFloor)
}
