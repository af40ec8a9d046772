package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "prbal.test/api/prbal/v1"
	"prbal.test/promises/rig"
)

func init() {
	rig.Register("P31", "no disk, no files, no memory: nothing is lost, and it comes back", scarcity)
}

const (
	p31Writers  = 8
	p31Visitors = 60 // connections, many more than files are left
	p31DiskMB   = 400
	p31Patience = 60 * time.Second // until writes are taken again
)

type p31 struct {
	*rig.Trial
	cluster *rig.Cluster
	server  *rig.Server
	history *rig.History
	written atomic.Int64
	codes   sync.Map // what refused writes were told
}

func scarcity(t *rig.Trial) {
	p := &p31{Trial: t, history: rig.NewHistory()}
	setup := rig.Setup{Build: rig.Release, Private: true}
	canMount := t.CanMount()
	if canMount {
		setup.DiskMB = p31DiskMB
	}
	p.cluster = t.Cluster(setup)
	p.server = p.cluster.Servers[0]

	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	pairs := p.cluster.People(2*p31Writers, rig.Both)
	for i := range p31Writers {
		writers.Add(1)
		go func() {
			defer writers.Done()
			p.write(ctx, pairs[2*i], pairs[2*i+1])
		}()
	}
	p.back("the start")
	for range t.Size(1, 5) {
		if canMount {
			p.fullDisk()
		}
		p.noFiles()
		p.noMemory()
	}
	stop()
	writers.Wait()
	p.cluster.Database.SQL().Reset() // PostgreSQL was another one meanwhile
	p.history.Compare(t, p.cluster.Database, "message",
		"select client_message_id, content from chat_message where client_message_id = any($1)")
	p.judge(canMount)
}

func (p *p31) write(ctx context.Context, from, to *rig.Person) {
	client := p.cluster.Client(p.server.Address)
	room, err := rig.Until(ctx, func(ctx context.Context) (*pb.OpenDirectRoomResponse, error) {
		return client.Chat.OpenDirectRoom(from.In(ctx), &pb.OpenDirectRoomRequest{TargetUserId: to.ID})
	})
	for i := 0; err == nil && ctx.Err() == nil; i++ {
		p.send(ctx, client, from, room.Room.RoomId, fmt.Sprintf("message %d", i))
	}
}

func (p *p31) send(ctx context.Context, client *rig.Client, from *rig.Person, room, text string) {
	id := rig.NewID()
	_, err := rig.Once(ctx, func(ctx context.Context) (*pb.SendMessageResponse, error) {
		return client.Chat.SendMessage(from.In(ctx), &pb.SendMessageRequest{RoomId: room, Content: text, ClientMessageId: id})
	})
	p.history.Record("message", id, rig.OutcomeOf(err), text)
	if err == nil {
		p.written.Add(1)
		return
	}
	if ctx.Err() == nil {
		p.codes.Store(status.Code(err), status.Convert(err).Message())
	}
	time.Sleep(20 * time.Millisecond)
}

// Writes are taken again, without anybody's help.
func (p *p31) back(from string) time.Duration {
	begin := time.Now()
	for enough := p.written.Load() + 5*p31Writers; p.written.Load() < enough; time.Sleep(10 * time.Millisecond) {
		if time.Since(begin) > p31Patience {
			p.GiveUp("no writes were taken again after " + from)
		}
	}
	return time.Since(begin)
}

// PostgreSQL may even die of a disk that is full, and cannot come back before
// there is room; prbald starts it again.
func (p *p31) fullDisk() {
	p.Must(p.cluster.FillDisk(), "a full disk")
	for quiet := 0; quiet < 20; quiet++ { // until nothing is written for 2 seconds
		before := p.written.Load()
		time.Sleep(100 * time.Millisecond)
		if p.written.Load() > before {
			quiet = 0
			p.Must(p.cluster.FillDisk(), "a full disk")
		}
		p.Must(p.Context().Err(), "a full disk")
	}
	p.Expect(p.server.IsRunning(), "the server has ended of a full disk")
	_, told := p.codes.Load(codes.ResourceExhausted)
	_, away := p.codes.Load(codes.Unavailable) // when PostgreSQL had to end of it
	p.Expect(told || away, "nobody was told of a full disk")
	p.Must(p.cluster.FreeDisk(), "room")
	p.Measured("writes %.1f s after the disk had room", p.back("a full disk").Seconds())
}

// No connection can be accepted, and none made to PostgreSQL.
func (p *p31) noFiles() {
	p.Must(p.server.LimitFiles(3), "fewer files")
	var visitors []net.Conn
	for range p31Visitors {
		if visitor, err := net.DialTimeout("tcp", p.server.Address, time.Second); err == nil {
			visitors = append(visitors, visitor)
		}
	}
	p.back("the files were used up") // who is connected is served
	_, err := p.cluster.Database.SQL().Exec(p.Context(),
		"select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend' and application_name <> ''")
	p.Must(err, "links to PostgreSQL lost")
	time.Sleep(time.Second)
	p.Expect(p.server.IsRunning(), "the server has ended without files")
	for _, visitor := range visitors {
		visitor.Close()
	}
	p.Must(p.server.LimitFiles(-1), "files")
	took := p.back("files were there again")
	fresh := p.cluster.Client(p.server.Address)
	_, err = fresh.System.GetServerInfo(p.Context(), &pb.GetServerInfoRequest{})
	p.Expect(err == nil, "a new connection after that: %v", err)
	p.Measured("%.1f s after it had files", took.Seconds())
}

// It ends when it gets no memory; whoever supervises it starts it again.
func (p *p31) noMemory() {
	caller := p.cluster.Person(rig.Both)
	p.Must(p.server.LimitMemory(1<<20), "less memory")
	stop := make(chan struct{})
	var crowd sync.WaitGroup
	for range 8 {
		crowd.Add(1)
		go func() {
			defer crowd.Done()
			for {
				select {
				case <-stop:
					return
				default:
					p.crowd(caller)
				}
			}
		}()
	}
	ended := p.server.Await()
	close(stop)
	crowd.Wait()
	p.Expect(ended, "the server found memory where there was none")
	if !ended {
		p.Must(p.server.Kill(), "the end")
	}
	p.Must(p.server.Start(), "the server again")
	p.Measured("%.1f s after it had memory and was started", p.back("it was started again").Seconds())
}

// Requests that have to be held until they are whole.
func (p *p31) crowd(caller *rig.Person) {
	connection, err := p.cluster.Connect(p.server.Address)
	if err != nil {
		return
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(caller.In(p.Context()), 5*time.Second)
	defer cancel()
	var calls sync.WaitGroup
	chat := pb.NewChatServiceClient(connection)
	large := &pb.SendMessageRequest{RoomId: rig.NewID(), Content: strings.Repeat("x", 2<<20)}
	for range 8 {
		calls.Add(1)
		go func() {
			defer calls.Done()
			chat.SendMessage(ctx, large)
		}()
	}
	calls.Wait()
}

// What a client can act on: the server is away or too busy, or the outcome is
// unknown.
func (p *p31) judge(canMount bool) {
	if !canMount {
		p.Measured("no disk was filled: nothing may be mounted here")
	}
	p.codes.Range(func(code, message any) bool {
		switch code.(codes.Code) {
		case codes.Unavailable, codes.ResourceExhausted, codes.Unknown, codes.DeadlineExceeded, codes.Aborted:
		default:
			p.Broken("a write was answered %v: %v", code, message)
		}
		return true
	})
	p.Tried("writers", p31Writers)
	p.Tried("acknowledged writes", p.history.Count("message", rig.Done))
	p.Tried("refused or unknown", p.history.Count("message", rig.Refused)+p.history.Count("message", rig.Unknown))
	p.Measured("none lost")
}
