package main

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "prbal.test/api/prbal/v1"
	"prbal.test/promises/rig"
)

func init() {
	rig.Register("P17", "parallel refreshes never sign out, a stolen token does", tryRefresh)
}

const (
	refreshTwins = 20              // of one token, side by side
	endPatience  = 5 * time.Second // hang bound for what takes a second
)

// A device: its tokens as its client keeps them.
type device struct {
	person          *rig.Person
	access, refresh string
	older           []string // refresh tokens that were exchanged, the latest last
}

func (d *device) in(ctx context.Context) context.Context {
	return (&rig.Person{Token: d.access}).In(ctx)
}

type refreshWorld struct {
	*rig.Trial
	cluster                    *rig.Cluster
	clients                    []*rig.Client // one for each server
	refreshes, givenUp, rounds atomic.Int64
	mutex                      sync.Mutex
	slowestToken, slowestEnd   time.Duration
}

func tryRefresh(t *rig.Trial) {
	w := &refreshWorld{Trial: t, cluster: t.Cluster(rig.Setup{Servers: 3})}
	for _, server := range w.cluster.Servers {
		w.clients = append(w.clients, w.cluster.Client(server.Address))
	}
	devices := make([]*device, t.Size(8, 20))
	people := w.cluster.People(len(devices), rig.Both)
	for i := range devices {
		devices[i] = w.signIn(people[i], i)
	}
	t.Together(len(devices), func(number int) {
		for range t.Size(6, 50) {
			w.refreshTogether(devices[number], number)
		}
	})
	for i, device := range devices {
		w.steal(device, i, w.signIn(device.person, 100+i))
	}
	w.restart(devices)
	t.Tried("refreshes", int(w.refreshes.Load()))
	t.Measured("%d rounds of %d twins with one successor each", w.rounds.Load(), refreshTwins)
	t.Measured("%d clients gave up waiting", w.givenUp.Load())
	t.Measured("%d stolen tokens ended %d sign-ins on 3 servers: access within %d ms, streams within %d ms",
		len(devices), len(devices), w.slowestToken.Milliseconds(), w.slowestEnd.Milliseconds())
}

// Each from an address of its own: passwords from one are rationed.
func (w *refreshWorld) signIn(person *rig.Person, number int) *device {
	from := &net.TCPAddr{IP: net.IPv4(127, 0, 17, byte(1+number))}
	dial := func(ctx context.Context, address string) (net.Conn, error) {
		return (&net.Dialer{LocalAddr: from}).DialContext(ctx, "tcp", address)
	}
	client := w.cluster.Client(w.cluster.Servers[number%len(w.clients)].Address, grpc.WithContextDialer(dial))
	answer, err := client.Auth.Login(w.Context(), &pb.LoginRequest{Identifier: person.Email, Password: rig.Password})
	w.Must(err, "a sign-in")
	return &device{person: person, access: answer.Tokens.AccessToken, refresh: answer.Tokens.RefreshToken}
}

// ---- Twins.

// Twenty at once, on all servers; of some nobody waits for the answer.
func (w *refreshWorld) refreshTogether(d *device, number int) {
	random := w.Stream(number*1000 + len(d.older))
	patience := make([]time.Duration, refreshTwins)
	for i := range patience {
		patience[i] = time.Minute
		if i > 0 && random.IntN(5) == 0 {
			patience[i] = time.Duration(random.IntN(10_000)) * time.Microsecond
		}
	}
	tokens := make([]*pb.Tokens, refreshTwins)
	w.Together(refreshTwins, func(twin int) {
		ctx, cancel := context.WithTimeout(w.Context(), patience[twin])
		defer cancel()
		answer, err := rig.Until(ctx, func(ctx context.Context) (*pb.RefreshTokenResponse, error) {
			w.refreshes.Add(1)
			client := w.clients[(number+twin)%len(w.clients)]
			return client.Auth.RefreshToken(ctx, &pb.RefreshTokenRequest{RefreshToken: d.refresh})
		})
		if err != nil && rig.IsForNow(err) && patience[twin] < time.Minute {
			w.givenUp.Add(1)
			return
		}
		w.Expect(err == nil, "a refresh beside %d others: %v", refreshTwins-1, err)
		tokens[twin] = answer.GetTokens()
	})
	w.adopt(d, tokens)
}

func (w *refreshWorld) adopt(d *device, tokens []*pb.Tokens) {
	first, last := tokens[0], tokens[0]
	if first == nil {
		return
	}
	for _, twin := range tokens {
		if twin != nil {
			w.Expect(twin.RefreshToken == first.RefreshToken, "twins have different successors")
			last = twin
		}
	}
	w.mustWork(first.AccessToken)
	w.mustWork(last.AccessToken)
	w.Expect(first.RefreshToken != d.refresh, "a token is its own successor")
	d.older = append(d.older, d.refresh)
	d.refresh, d.access = first.RefreshToken, first.AccessToken
	w.rounds.Add(1)
}

func (w *refreshWorld) mustWork(access string) {
	person := &rig.Person{Token: access}
	_, err := rig.Until(w.Context(), func(ctx context.Context) (*pb.GetMeResponse, error) {
		return w.clients[0].Users.GetMe(person.In(ctx), &pb.GetMeRequest{})
	})
	w.Expect(err == nil, "the access token of a twin: %v", err)
}

// ---- Thieves.

// A token that was exchanged is presented again after the grace: its sign-in ends
// everywhere, with its streams and its cached tokens; another of the same account
// does not.
func (w *refreshWorld) steal(d *device, number int, bystander *device) {
	if len(d.older) == 0 {
		return
	}
	w.cluster.Database.Exec("update session set rotated_at = rotated_at - interval '11 seconds' where previous_hash is not null and user_id = $1", d.person.ID)
	streams, ended := w.openStreams(d), make(chan time.Time, len(w.clients))
	for _, stream := range streams {
		go func() { ended <- w.readToEnd(stream) }()
	}
	stolen := d.older[w.Rand.IntN(len(d.older))]
	_, err := w.clients[number%len(w.clients)].Auth.RefreshToken(w.Context(), &pb.RefreshTokenRequest{RefreshToken: stolen})
	begin := time.Now()
	w.Expect(status.Code(err) == codes.Unauthenticated && rig.Reason(err) == "TOKEN_REUSED", "a stolen token: %v", err)

	token := make([]time.Duration, len(w.clients))
	w.Together(len(w.clients), func(server int) { token[server] = w.untilRefused(d, server, begin) })
	for server := range w.clients {
		w.note(&w.slowestToken, token[server], "an access token on server %d", server)
		select {
		case end := <-ended:
			w.note(&w.slowestEnd, end.Sub(begin), "a stream")
		case <-time.After(endPatience):
			w.Broken("a stream of a stolen sign-in is open %v later", endPatience)
		}
	}
	_, err = w.clients[0].Auth.RefreshToken(w.Context(), &pb.RefreshTokenRequest{RefreshToken: d.refresh})
	w.Expect(status.Code(err) == codes.Unauthenticated, "the newest token of an ended sign-in: %v", err)
	_, err = w.clients[0].Auth.RefreshToken(w.Context(), &pb.RefreshTokenRequest{RefreshToken: bystander.refresh})
	w.Expect(err == nil, "another device of the same account: %v", err)
}

func (w *refreshWorld) note(slowest *time.Duration, took time.Duration, format string, arguments ...any) {
	w.Expect(took < endPatience, format+" was good until now", arguments...)
	*slowest = max(*slowest, took)
}

// A live stream on each server, over several connections so that tokens are
// cached on every loop.
func (w *refreshWorld) openStreams(d *device) []pb.EventService_SubscribeClient {
	var streams []pb.EventService_SubscribeClient
	for number, client := range w.clients {
		for range 4 {
			another := w.cluster.Client(w.cluster.Servers[number].Address)
			_, err := another.Users.GetMe(d.in(w.Context()), &pb.GetMeRequest{})
			w.Expect(err == nil, "an access token before its end: %v", err)
		}
		stream, err := client.Events.Subscribe(d.in(w.Context()), &pb.SubscribeRequest{})
		w.Must(err, "a stream")
		_, err = stream.Recv() // Connected
		w.Must(err, "a stream's first event")
		streams = append(streams, stream)
	}
	return streams
}

// The last event says why.
func (w *refreshWorld) readToEnd(stream pb.EventService_SubscribeClient) time.Time {
	var last *pb.SubscribeResponse
	for {
		event, err := stream.Recv()
		if err != nil {
			w.Expect(last.GetEvent().GetSessionEnded() != nil, "a stream ended without a word: %v", err)
			return time.Now()
		}
		last = event
	}
}

func (w *refreshWorld) untilRefused(d *device, server int, begin time.Time) time.Duration {
	for time.Since(begin) < endPatience {
		_, err := w.clients[server].Users.GetMe(d.in(w.Context()), &pb.GetMeRequest{})
		if status.Code(err) == codes.Unauthenticated {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(begin)
}

// ---- A server that knows nothing yet.

// Whose sign-in has ended is out from the first call that a new process answers.
func (w *refreshWorld) restart(devices []*device) {
	for number, server := range w.cluster.Servers {
		w.Must(server.Kill(), "kill -9")
		w.Must(server.Launch(), "a start")
		w.Together(16, func(caller int) {
			client := w.cluster.Client(server.Address, grpc.WithContextDialer(dialUntilThere))
			d := devices[(number+caller)%len(devices)]
			for refused := 0; refused < 3 && w.Context().Err() == nil; {
				_, err := client.Users.GetMe(d.in(w.Context()), &pb.GetMeRequest{}, grpc.WaitForReady(true))
				if err == nil {
					w.Broken("a new process lets in whose sign-in has ended")
					return
				}
				if status.Code(err) == codes.Unauthenticated {
					refused++
				}
			}
		})
	}
}

// The first to come in when the door opens.
func dialUntilThere(ctx context.Context, address string) (net.Conn, error) {
	for {
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil || ctx.Err() != nil {
			return connection, err
		}
		time.Sleep(time.Millisecond)
	}
}
