package rig

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	pb "prbal.test/api/prbal/v1"
)

// Client has every service of the API on one connection.
type Client struct {
	Connection    *grpc.ClientConn
	Auth          pb.AuthServiceClient
	Bids          pb.BidServiceClient
	Bookings      pb.BookingServiceClient
	Catalog       pb.CatalogServiceClient
	Chat          pb.ChatServiceClient
	Events        pb.EventServiceClient
	Listings      pb.ListingServiceClient
	Notifications pb.NotificationServiceClient
	System        pb.SystemServiceClient
	Users         pb.UserServiceClient
	Health        healthpb.HealthClient
}

// Connect is a connection to a server or a proxy of the cluster, by clear text or
// TLS as the cluster is set up. It is tried anew within 0.2 s when it is lost;
// calls fail meanwhile. The caller closes it.
func (c *Cluster) Connect(address string, more ...grpc.DialOption) (*grpc.ClientConn, error) {
	secrecy := insecure.NewCredentials()
	if c.setup.TLS {
		text, err := os.ReadFile(filepath.Join(c.folder, "tls", "cert.pem"))
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(text)
		secrecy = credentials.NewTLS(&tls.Config{RootCAs: pool, ServerName: "localhost"})
	}
	eager := grpc.ConnectParams{
		Backoff: backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.6,
			Jitter: 0.2, MaxDelay: 200 * time.Millisecond},
		MinConnectTimeout: 5 * time.Second,
	}
	options := append([]grpc.DialOption{
		grpc.WithTransportCredentials(secrecy),
		grpc.WithConnectParams(eager),
		// A retry is the promise's own decision.
		grpc.WithDisableRetry(),
	}, more...)
	return grpc.NewClient("passthrough:///"+address, options...)
}

// Client is a connection that the trial closes.
func (c *Cluster) Client(address string, more ...grpc.DialOption) *Client {
	connection, err := c.Connect(address, more...)
	c.trial.Must(err, "a client of %s", address)
	c.trial.Cleanup(func() { connection.Close() })
	return &Client{
		Connection: connection,
		Auth:       pb.NewAuthServiceClient(connection), Bids: pb.NewBidServiceClient(connection),
		Bookings: pb.NewBookingServiceClient(connection), Catalog: pb.NewCatalogServiceClient(connection),
		Chat: pb.NewChatServiceClient(connection), Events: pb.NewEventServiceClient(connection),
		Listings: pb.NewListingServiceClient(connection), Notifications: pb.NewNotificationServiceClient(connection),
		System: pb.NewSystemServiceClient(connection), Users: pb.NewUserServiceClient(connection),
		Health: healthpb.NewHealthClient(connection),
	}
}

// Outcome is what a client knows of an operation after its answer.
type Outcome int

const (
	Done    Outcome = iota // acknowledged: it must be there
	Refused                // the server says that nothing happened
	Unknown                // no answer, or one that says so: it may be there
)

// OutcomeOf reads it from the answer of a call. UNAVAILABLE is a refusal only
// when the server has said it, with details, and not the client's own transport.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return Done
	}
	switch answer := status.Convert(err); answer.Code() {
	case codes.Unknown, codes.DeadlineExceeded, codes.Canceled, codes.Internal, codes.DataLoss:
		return Unknown
	case codes.Unavailable:
		if len(answer.Details()) == 0 {
			return Unknown
		}
	}
	return Refused
}

// IsForNow tells an error that is worth the same call again: the outcome is
// unknown, the server is away, or it has lost against a twin.
func IsForNow(err error) bool {
	if OutcomeOf(err) == Unknown {
		return true
	}
	answer := status.Convert(err)
	for _, detail := range answer.Details() {
		if _, ok := detail.(*errdetails.RetryInfo); ok {
			return true
		}
	}
	return answer.Code() == codes.Unavailable
}

// Reason is the machine-readable one of an error, "SLOT_TAKEN", or its code.
func Reason(err error) string {
	answer := status.Convert(err)
	for _, detail := range answer.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.Reason
		}
	}
	return fmt.Sprint(answer.Code())
}
