package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
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
	rig.Register("P28", "a server's clock may jump", tryClockJumps)
}

const (
	jump      = time.Hour
	slowCall  = 250 * time.Millisecond // by PRBAL_FAULTS
	hangBound = 8 * time.Second        // nothing here takes a second
	roomLimit = 30                     // OpenDirectRoom, a minute
	clockStay = time.Second
)

type clockWorld struct {
	*rig.Trial
	cluster *rig.Cluster
	clients []*rig.Client
	file    string // what libfaketime reads
	over    chan struct{}

	jumps, calls, refreshes, messages, events, pages atomic.Int64
	timed, codes, refused                            atomic.Int64
	mutex                                            sync.Mutex
	slowest                                          time.Duration
	addresses                                        atomic.Int32
}

func fakeTime() string {
	found, _ := filepath.Glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
	if len(found) == 0 {
		return ""
	}
	return found[0]
}

func tryClockJumps(t *rig.Trial) {
	library := fakeTime()
	if library == "" {
		t.Broken("there is no libfaketime; scripts/packages test installs it")
		return
	}
	w := &clockWorld{Trial: t, file: t.Folder("clock"), over: make(chan struct{})}
	w.setClock(0)
	w.cluster = t.Cluster(rig.Setup{Servers: 2, Build: rig.Release,
		Settings: map[string]string{"rate_methods": "true",
			"faults": fmt.Sprintf("prbal.v1.CatalogService/ListCategories=delay:%dms", slowCall.Milliseconds())},
		Environment: []string{"LD_PRELOAD=" + library, "FAKETIME_TIMESTAMP_FILE=" + w.file,
			"FAKETIME_DONT_FAKE_MONOTONIC=1", "FAKETIME_CACHE_DURATION=1"}})
	for _, server := range w.cluster.Servers {
		w.clients = append(w.clients, w.cluster.Client(server.Address))
	}
	people := w.cluster.People(16, rig.Both)
	reader, leaver, hasty := w.signIn(people[8]), w.signIn(people[9]), w.signIn(people[10])
	w.offer(reader)
	works := []func(){
		func() { w.read(reader) },
		func() { w.time() },
		func() { w.stayOut(leaver) },
		func() { w.hurry(hasty, people[11:13]) },
		func() { w.reset(people[13]) },
		func() { w.reset(people[14]) },
		func() { w.reset(people[15]) },
		func() { w.run(t.Size(6, 200)) },
	}
	for i := 0; i < 8; i += 2 {
		a, b := w.signIn(people[i]), w.signIn(people[i+1])
		works = append(works, func() { w.talk(a, b, i) })
	}
	t.Together(len(works), func(number int) { works[number]() })
	t.Tried("jumps of an hour", int(w.jumps.Load()))
	t.Tried("calls on two servers", int(w.calls.Load()))
	t.Measured("%d access tokens refreshed, nobody signed out", w.refreshes.Load())
	t.Measured("%d messages, %d events and %d pages in order and once", w.messages.Load(), w.events.Load(), w.pages.Load())
	t.Measured("%d codes good", w.codes.Load())
	t.Measured("%d timed calls on time, the slowest of all %d ms", w.timed.Load(), w.slowest.Milliseconds())
	t.Measured("%d calls beyond a rate refused", w.refused.Load())
}

// ---- The clock.

func (w *clockWorld) setClock(ahead time.Duration) {
	next := w.file + ".new"
	text := fmt.Sprintf("%+d\n", int(ahead.Seconds()))
	w.Must(os.WriteFile(next, []byte(text), 0o644), "the clock's file")
	w.Must(os.Rename(next, w.file), "the clock's file")
}

// Ahead, back and right again, in any order; a jump is done when every server
// tells of it.
func (w *clockWorld) run(count int) {
	defer close(w.over)
	ahead := time.Duration(0)
	for range count {
		next := ahead
		for next == ahead {
			next = time.Duration(w.Rand.IntN(3)-1) * jump
		}
		ahead = next
		w.setClock(ahead)
		for _, client := range w.clients {
			w.awaitClock(client, ahead)
		}
		w.jumps.Add(1)
		w.pause(clockStay)
	}
	w.setClock(0)
	for _, client := range w.clients {
		w.awaitClock(client, 0)
	}
}

func (w *clockWorld) awaitClock(client *rig.Client, ahead time.Duration) {
	for end := time.Now().Add(20 * time.Second); ; w.pause(100 * time.Millisecond) {
		answer, err := client.System.GetServerInfo(w.Context(), &pb.GetServerInfoRequest{})
		if err == nil && answer.ServerTime.AsTime().Sub(time.Now().Add(ahead)).Abs() < jump/4 {
			return
		}
		if time.Now().After(end) {
			w.Broken("the clock of a server does not jump by %v: %v, %v", ahead, answer, err)
			return
		}
	}
}

func (w *clockWorld) pause(how time.Duration) {
	select {
	case <-w.Context().Done():
	case <-time.After(how):
	}
}

func (w *clockWorld) isOver() bool {
	select {
	case <-w.over:
		return true
	case <-w.Context().Done():
		return true
	default:
		return false
	}
}

// ---- Clients that refresh their tokens when they are told to.

type clockDevice struct {
	mutex  sync.Mutex
	person *rig.Person
	tokens *pb.Tokens
	heard  atomic.Int64 // the last event of its stream
}

func (w *clockWorld) signIn(person *rig.Person) *clockDevice {
	answer, err := w.login(person, rig.Password)
	w.Must(err, "a sign-in")
	return &clockDevice{person: person, tokens: answer.Tokens}
}

// Each from an address of its own: passwords from one are rationed.
func (w *clockWorld) login(person *rig.Person, password string) (*pb.LoginResponse, error) {
	from := &net.TCPAddr{IP: net.IPv4(127, 0, 28, byte(w.addresses.Add(1)))}
	dial := func(ctx context.Context, address string) (net.Conn, error) {
		return (&net.Dialer{LocalAddr: from}).DialContext(ctx, "tcp", address)
	}
	client := w.cluster.Client(w.cluster.Servers[0].Address, grpc.WithContextDialer(dial))
	return client.Auth.Login(w.Context(), &pb.LoginRequest{Identifier: person.Email, Password: password})
}

func (d *clockDevice) access() string {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.tokens.AccessToken
}

func (d *clockDevice) in(ctx context.Context) context.Context {
	return (&rig.Person{Token: d.access()}).In(ctx)
}

// Another goroutine may have refreshed the token meanwhile.
func (w *clockWorld) refresh(d *clockDevice, client *rig.Client, old string) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.tokens.AccessToken != old {
		return
	}
	answer, err := rig.Until(w.Context(), func(ctx context.Context) (*pb.RefreshTokenResponse, error) {
		return client.Auth.RefreshToken(ctx, &pb.RefreshTokenRequest{RefreshToken: d.tokens.RefreshToken})
	})
	if err != nil {
		w.Broken("a refresh: %v (%s)", err, rig.Reason(err))
		return
	}
	d.tokens = answer.Tokens
	w.refreshes.Add(1)
}

func careful[A any](w *clockWorld, d *clockDevice, client *rig.Client, call func(ctx context.Context) (A, error)) (A, error) {
	for try := 0; ; try++ {
		token := d.access()
		begin := time.Now()
		answer, err := rig.Once(w.Context(), func(ctx context.Context) (A, error) { return call(d.in(ctx)) })
		w.calls.Add(1)
		w.tookAtMost(time.Since(begin))
		switch {
		case err == nil || w.Context().Err() != nil || try == 20:
			return answer, err
		case status.Code(err) == codes.Unauthenticated && rig.Reason(err) == "TOKEN_EXPIRED":
			w.refresh(d, client, token)
		case rig.IsForNow(err):
			w.pause(200 * time.Millisecond)
		default:
			return answer, err
		}
	}
}

func (w *clockWorld) tookAtMost(how time.Duration) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.slowest = max(w.slowest, how)
	if how > hangBound {
		w.slowest = 0
		w.Broken("a call took %v", how)
	}
}

// ---- Messages and events: in order, once, whatever the clock says.

func (w *clockWorld) talk(a, b *clockDevice, number int) {
	client := w.clients[number/2%2]
	room, err := careful(w, a, client, func(ctx context.Context) (*pb.OpenDirectRoomResponse, error) {
		return client.Chat.OpenDirectRoom(ctx, &pb.OpenDirectRoomRequest{TargetUserId: b.person.ID})
	})
	w.Must(err, "a room")
	ctx, cancel := context.WithCancel(w.Context())
	defer cancel()
	heard := make(chan []int64, 1)
	go func() { heard <- w.follow(ctx, b, w.clients[1-number/2%2]) }()
	sent := int64(0)
	for ; !w.isOver() && sent < 50; sent++ {
		text := fmt.Sprintf("message %d", sent+1)
		answer, err := careful(w, a, client, func(ctx context.Context) (*pb.SendMessageResponse, error) {
			return client.Chat.SendMessage(ctx, &pb.SendMessageRequest{RoomId: room.Room.RoomId,
				Content: text, ClientMessageId: text})
		})
		if err != nil || answer.Message.Seq != sent+1 {
			w.Broken("message %d: %v, %v", sent+1, answer, err)
			return
		}
		w.messages.Add(1)
		w.pause(200 * time.Millisecond)
	}
	w.readRoom(b, client, room.Room.RoomId, sent)
	w.awaitEvents(b, sent)
	cancel()
	seqs := <-heard
	for i, seq := range seqs {
		w.Expect(seq == int64(i+1), "event %d came as number %d", seq, i+1)
	}
	w.Expect(int64(len(seqs)) >= sent, "of %d messages %d events came", sent, len(seqs))
	w.events.Add(int64(len(seqs)))
}

// A message is an event at least.
func (w *clockWorld) awaitEvents(d *clockDevice, sent int64) {
	end := time.Now().Add(hangBound)
	for time.Now().Before(end) && w.Context().Err() == nil {
		if d.heard.Load() >= sent {
			return
		}
		w.pause(50 * time.Millisecond)
	}
}

// Numbers of the events of a log, over as many streams as it takes.
func (w *clockWorld) follow(ctx context.Context, d *clockDevice, client *rig.Client) []int64 {
	var seqs []int64
	position, mark := int64(0), int32(0)
	for ctx.Err() == nil {
		token := d.access()
		stream, err := client.Events.Subscribe(d.in(ctx), &pb.SubscribeRequest{ResumeAfter: &position, ResumeMark: mark})
		for err == nil {
			var answer *pb.SubscribeResponse
			if answer, err = stream.Recv(); err != nil {
				break
			}
			w.Expect(answer.Event.GetResyncRequired() == nil, "a stream lost its place")
			if answer.Event.EventId != 0 {
				position, mark = answer.Event.EventId, answer.Event.Mark
				seqs = append(seqs, position)
				d.heard.Store(position)
			}
		}
		if ctx.Err() != nil {
			break
		}
		if reason := rig.Reason(err); reason == "TOKEN_EXPIRED" {
			w.refresh(d, client, token)
		} else if status.Code(err) == codes.Unauthenticated {
			w.Broken("a stream: %v (%s)", err, reason)
		}
		w.pause(50 * time.Millisecond)
	}
	return seqs
}

func (w *clockWorld) readRoom(d *clockDevice, client *rig.Client, room string, count int64) {
	after := int64(0)
	for more := true; more; {
		page, err := careful(w, d, client, func(ctx context.Context) (*pb.ListMessagesResponse, error) {
			return client.Chat.ListMessages(ctx, &pb.ListMessagesRequest{RoomId: room, AfterSeq: &after, PageSize: 7})
		})
		if err != nil {
			w.Broken("a page of messages: %v", err)
			return
		}
		for _, message := range page.Messages {
			w.Expect(message.Seq == after+1, "message %d follows %d", message.Seq, after)
			after = message.Seq
		}
		more = page.HasMore
	}
	w.Expect(after == count, "%d of %d messages", after, count)
}

// ---- Pages by token.

const servicesToRead = 14

func (w *clockWorld) offer(d *clockDevice) {
	for i := range servicesToRead {
		_, err := w.cluster.Offer(w.clients[i%2], &rig.Person{Token: d.access()}, rig.Deal{Title: fmt.Sprintf("Service %d", i)})
		w.Must(err, "a service")
	}
}

func (w *clockWorld) read(d *clockDevice) {
	for round := 0; !w.isOver(); round++ {
		seen := map[string]int{}
		request := &pb.ListMyServicesRequest{PageSize: 3}
		for {
			client := w.clients[(round+len(seen))%2]
			page, err := careful(w, d, client, func(ctx context.Context) (*pb.ListMyServicesResponse, error) {
				return client.Listings.ListMyServices(ctx, request)
			})
			if err != nil {
				w.Broken("a page: %v", err)
				return
			}
			for _, service := range page.Services {
				seen[service.ServiceId]++
				w.Expect(seen[service.ServiceId] == 1, "a service is on two pages")
			}
			w.pages.Add(1)
			if request.PageToken = page.NextPageToken; request.PageToken == "" {
				break
			}
			w.pause(60 * time.Millisecond)
		}
		w.Expect(len(seen) == servicesToRead, "%d of %d services are on the pages", len(seen), servicesToRead)
	}
}

// ---- Deadlines: a call that takes a while does, and one that is given less time
// ends with it.

func (w *clockWorld) time() {
	for i := 0; !w.isOver(); i++ {
		client := w.clients[i%2]
		begin := time.Now()
		_, err := rig.Once(w.Context(), func(ctx context.Context) (*pb.ListCategoriesResponse, error) {
			return client.Catalog.ListCategories(ctx, &pb.ListCategoriesRequest{})
		})
		took := time.Since(begin)
		w.Expect(err == nil && took >= slowCall && took < hangBound, "a call of %v took %v: %v", slowCall, took, err)
		ctx, cancel := context.WithTimeout(w.Context(), slowCall/2)
		begin = time.Now()
		_, err = client.Catalog.ListCategories(ctx, &pb.ListCategoriesRequest{})
		cancel()
		took = time.Since(begin)
		w.Expect(status.Code(err) == codes.DeadlineExceeded && took < hangBound,
			"a call with a deadline of %v took %v: %v", slowCall/2, took, err)
		w.timed.Add(2)
		w.pause(100 * time.Millisecond)
	}
}

// ---- Who has signed out stays out.

func (w *clockWorld) stayOut(d *clockDevice) {
	token := d.access()
	_, err := w.clients[0].Auth.Logout(d.in(w.Context()), &pb.LogoutRequest{})
	w.Must(err, "a sign-out")
	w.pause(2 * time.Second)
	for i := 0; !w.isOver(); i++ {
		ctx := (&rig.Person{Token: token}).In(w.Context())
		_, err := w.clients[i%2].Users.GetMe(ctx, &pb.GetMeRequest{})
		w.Expect(status.Code(err) == codes.Unauthenticated, "a token of a sign-in that has ended: %v", err)
		w.pause(100 * time.Millisecond)
	}
}

// ---- A rate is no higher when the clock is put ahead.

func (w *clockWorld) hurry(d *clockDevice, others []*rig.Person) {
	begin, allowed := time.Now(), 0
	for i := 0; !w.isOver(); i++ {
		token := d.access()
		_, err := w.clients[0].Chat.OpenDirectRoom(d.in(w.Context()),
			&pb.OpenDirectRoomRequest{TargetUserId: others[i%len(others)].ID})
		switch {
		case err == nil:
			allowed++
		case rig.Reason(err) == "TOKEN_EXPIRED":
			w.refresh(d, w.clients[0], token)
		case status.Code(err) == codes.ResourceExhausted:
			w.refused.Add(1)
			w.pause(100 * time.Millisecond)
		default:
			w.Broken("a room: %v", err)
			return
		}
	}
	most := roomLimit + int(time.Since(begin).Minutes()*roomLimit) + 1
	w.Expect(allowed <= most, "%d calls passed a limit of %d", allowed, most)
	w.Expect(w.refused.Load() > 0, "the limit of %d has refused nothing", roomLimit)
}

// ---- Codes and mail: sent by a job, good for ten minutes of the database's.

func (w *clockWorld) reset(person *rig.Person) {
	w.pause(time.Second)
	_, err := w.clients[0].Auth.RequestPasswordReset(w.Context(), &pb.RequestPasswordResetRequest{Email: person.Email})
	w.Must(err, "a code")
	code := ""
	for end := time.Now().Add(30 * time.Second); code == ""; w.pause(50 * time.Millisecond) {
		for _, mail := range w.cluster.Mails() {
			if mail.To == person.Email && mail.Code() != "" {
				code = mail.Code()
			}
		}
		if time.Now().After(end) {
			w.Broken("a mail has not come within 30 s")
			return
		}
	}
	for before := w.jumps.Load(); !w.isOver() && w.jumps.Load() < before+2; {
		w.pause(50 * time.Millisecond)
	}
	const another = "Plum-jam-4711"
	_, err = rig.Until(w.Context(), func(ctx context.Context) (*pb.ConfirmPasswordResetResponse, error) {
		return w.clients[1].Auth.ConfirmPasswordReset(ctx, &pb.ConfirmPasswordResetRequest{
			Email: person.Email, Code: code, NewPassword: another})
	})
	w.Expect(err == nil, "a code two jumps later: %v (%s)", err, rig.Reason(err))
	_, err = w.login(person, another)
	w.Expect(err == nil, "the new password: %v", err)
	w.codes.Add(1)
}
