package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	pb "prbal.test/api/prbal/v1"
	"prbal.test/promises/rig"
)

func init() {
	rig.Register("P7", "streams lose and repeat nothing", streamsLoseNothing)
}

const (
	p7Servers  = 3
	p7Sleepers = 20 // pairs of rooms with long messages, whose readers fall asleep
	p7Restored = 60 // rooms that lose something in the restore
)

// Everybody follows an own log through a proxy, while messages are written at
// other servers.
type p7 struct {
	*rig.Trial
	cluster *rig.Cluster
	proxies []*rig.Proxy
	writers []*rig.Client // past the proxies
	readers []*logReader
	rooms   []*p7Room

	mutex    sync.Mutex // for `away`
	away     [p7Servers]bool
	messages atomic.Int64
	trims    atomic.Int64
}

type p7Room struct {
	id    string
	pair  [2]*rig.Person
	sleep bool
}

func streamsLoseNothing(t *rig.Trial) {
	p := &p7{Trial: t}
	p.cluster = t.Cluster(rig.Setup{Servers: p7Servers, Settings: map[string]string{
		// Seconds instead of half a minute, so that each happens often.
		"heartbeat": "1s", "keepalive": "3s", "keepalive_timeout": "3s", "slow_reader": "1s",
	}})
	for _, server := range p.cluster.Servers {
		p.proxies = append(p.proxies, t.Proxy(server.Address))
		p.writers = append(p.writers, p.cluster.Client(server.Address))
	}
	p.meet(t.Size(500, 1000) / 2)
	p.breakConnections(t.Time(15*time.Second, 5*time.Minute))
	p.restoreBackup()
	p.report()
}

// Rooms of two, by SQL as OpenDirectRoom makes them.
func (p *p7) meet(count int) {
	seekers := p.cluster.People(count, rig.Seeker)
	providers := p.cluster.People(count, rig.Provider)
	for i := range count {
		room := &p7Room{id: rig.NewID(), pair: [2]*rig.Person{seekers[i], providers[i]}, sleep: i < p7Sleepers}
		insertRoom(p.Trial, p.cluster, room.id, "DIRECT", seekers[i], providers[i])
		p.rooms = append(p.rooms, room)
		for _, person := range room.pair {
			p.readers = append(p.readers, newLogReader(p.Trial, p.cluster, person, len(p.readers), room.sleep))
		}
	}
}

// The first phase: everything breaks but the database.
func (p *p7) breakConnections(duration time.Duration) {
	stop := p.followAll(true)
	network := p.Chaos(50*time.Millisecond, 400*time.Millisecond,
		rig.Fault{Name: "cut", Weight: 4, Happen: p.some((*rig.Link).Cut)},
		rig.Fault{Name: "half open", Weight: 3, Happen: p.some((*rig.Link).HalfOpen)},
		rig.Fault{Name: "silence", Weight: 2, Happen: p.some(func(link *rig.Link) { link.Set(rig.Rule{BlackHole: true}) })},
		rig.Fault{Name: "listener cut", Weight: 1, Happen: p.cutListeners},
		rig.Fault{Name: "trim", Weight: 2, Happen: p.trim})
	kills := p.Chaos(1*time.Second, 4*time.Second, rig.Fault{Name: "kill", Happen: p.killOne})
	end := time.Now().Add(duration)
	p.Together(6, func(number int) {
		random := p.Stream(100_000 + number)
		for n := 0; time.Now().Before(end) && p.Context().Err() == nil; n++ {
			p.write(p.rooms[random.IntN(len(p.rooms))], random)
		}
	})
	faults := network.Stop() + kills.Stop()
	p.Tried("clients", len(p.readers))
	p.Tried("messages", int(p.messages.Load()))
	p.Tried(fmt.Sprintf("faults (%d kills, %d trims)", kills.Count("kill"), p.trims.Load()), faults)
	for _, reader := range p.readers {
		reader.isSleepy.Store(false)
	}
	p.awaitAll()
	stop()
	p.compare()
}

// Until the answer is called.
func (p *p7) followAll(areRestless bool) (stop func()) {
	follow, cancel := context.WithCancel(p.Context())
	var following sync.WaitGroup
	for _, reader := range p.readers {
		following.Add(1)
		go func() {
			defer following.Done()
			reader.follow(follow, p.proxies, areRestless)
		}()
	}
	return func() {
		cancel()
		following.Wait()
	}
}

func (p *p7) some(what func(*rig.Link)) func(*rand.Rand) error {
	return func(random *rand.Rand) error {
		links := p.proxies[random.IntN(len(p.proxies))].Links()
		for range min(len(links), 10) {
			what(links[random.IntN(len(links))])
		}
		return nil
	}
}

func (p *p7) killOne(random *rand.Rand) error {
	number := random.IntN(len(p.cluster.Servers))
	p.setAway(number, true)
	defer p.setAway(number, false)
	if err := p.cluster.Servers[number].Kill(); err != nil {
		return err
	}
	return p.cluster.Servers[number].Start()
}

func (p *p7) setAway(number int, away bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.away[number] = away
}

// Hints between the servers are lost.
func (p *p7) cutListeners(*rand.Rand) error {
	_, err := p.cluster.Database.SQL().Exec(p.Context(),
		"select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'prbal listener'")
	return err
}

// As services/events/event.sql does for age: for some users, and first for those
// who are away or have fallen behind.
func (p *p7) trim(random *rand.Rand) error {
	lasts := lastEvents(p.Trial, p.cluster.Database)
	order := random.Perm(len(p.readers))
	slices.SortStableFunc(order, func(i, k int) int {
		return isBehind(p.readers[k], lasts) - isBehind(p.readers[i], lasts)
	})
	for _, i := range order[:40] {
		_, err := p.cluster.Database.SQL().Exec(p.Context(), `
			with moved as (
			  update user_event_cursor
			     set trimmed_seq = greatest(trimmed_seq, last_seq - $2)
			   where user_id = $1
			  returning user_id, trimmed_seq
			)
			delete from user_event e using moved m
			 where e.user_id = m.user_id and e.seq <= m.trimmed_seq`, p.readers[i].person.ID, random.IntN(3))
		if err != nil {
			return err
		}
		p.trims.Add(1)
	}
	return nil
}

func isBehind(reader *logReader, lasts map[string]logPosition) int {
	if reader.position().seq < lasts[reader.person.ID].seq {
		return 1
	}
	return 0
}

// A message, at any server that runs; in a sleeper's room many long ones.
func (p *p7) write(room *p7Room, random *rand.Rand) {
	count, length := 1, 20
	if room.sleep {
		count, length = 12, 7000
	}
	for range count {
		sender := room.pair[random.IntN(2)]
		request := &pb.SendMessageRequest{RoomId: room.id, ClientMessageId: rig.NewID(),
			Content: strings.Repeat("m", 1+random.IntN(length))}
		for p.Context().Err() == nil {
			_, err := rig.Once(p.Context(), func(ctx context.Context) (*pb.SendMessageResponse, error) {
				return p.anyWriter(random).Chat.SendMessage(sender.In(ctx), request)
			})
			if err == nil {
				p.messages.Add(1)
				break
			}
			if !rig.IsForNow(err) {
				p.Broken("a message was refused: %v", err)
				return
			}
			pause(random, 100*time.Millisecond)
		}
	}
}

func (p *p7) anyWriter(random *rand.Rand) *rig.Client {
	first := random.IntN(len(p.writers))
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for i := range p.writers {
		if number := (first + i) % len(p.writers); !p.away[number] {
			return p.writers[number]
		}
	}
	return p.writers[first]
}

// Until every client has come as far as its log. The number of the last event is
// not enough: a restored log may be as long as the one that is lost, and who read
// that one has yet to be told.
func (p *p7) awaitAll() {
	deadline := time.Now().Add(60 * time.Second)
	for time.Now().Before(deadline) && p.Context().Err() == nil {
		behind := 0
		lasts := lastEvents(p.Trial, p.cluster.Database)
		for _, reader := range p.readers {
			if reader.position() != lasts[reader.person.ID] {
				behind++
			}
		}
		if behind == 0 {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	p.Broken("clients do not come to the end of their logs")
}

func (p *p7) compare() {
	logs := readLogs(p.Trial, p.cluster.Database)
	for _, reader := range p.readers {
		reader.compare(logs[reader.person.ID])
	}
}

// The second phase: a backup is restored that does not have what clients have
// seen, and the logs go on from there. Two servers are killed and their clients
// come back; the streams of the first one live through it.
func (p *p7) restoreBackup() {
	database := p.cluster.Database
	backup := p.Folder("backup")
	data := filepath.Join(p.cluster.DataFolder(), "pg", "data")
	p.Must(database.Stop(), "PostgreSQL's end")
	p.Must(exec.Command("cp", "-a", data, backup).Run(), "a backup")
	p.Must(database.Start(), "PostgreSQL")

	stop := p.followAll(false)
	defer stop()
	random := p.Stream(200_000)
	lost := p.rooms[p7Sleepers : p7Sleepers+p7Restored]
	for _, room := range lost {
		p.write(room, random)
	}
	p.awaitAll()
	before := map[*logReader]int{}
	for _, reader := range p.readers {
		before[reader] = reader.resyncCount()
	}

	p.killAllButFirst()
	p.Must(database.Stop(), "PostgreSQL's end")
	p.Must(exec.Command("rm", "-r", data).Run(), "the database that is lost")
	p.Must(exec.Command("cp", "-a", backup, data).Run(), "the restore")
	p.Must(database.Start(), "PostgreSQL")
	// A third of the logs stays shorter, one becomes as long again, one longer.
	for i, room := range lost {
		for range i % 3 {
			p.write(room, random)
		}
	}
	p.startAllButFirst()
	p.awaitAll()
	p.judgeRestore(lost, before)
}

// Who had seen something that is lost is told so; nobody else is.
func (p *p7) judgeRestore(lost []*p7Room, before map[*logReader]int) {
	has := map[string]bool{}
	for _, room := range lost {
		has[room.pair[0].ID], has[room.pair[1].ID] = true, true
	}
	told := 0
	for _, reader := range p.readers {
		switch resyncs := reader.resyncCount() - before[reader]; {
		case has[reader.person.ID] && resyncs == 0:
			p.Broken("%s had seen events that are lost, and was not told", reader.person.Name)
		case !has[reader.person.ID] && resyncs > 0:
			p.Broken("%s had lost nothing, and was told to read all again", reader.person.Name)
		case resyncs > 0:
			told++
		}
	}
	p.Measured("%d of %d told of a restore", told, 2*len(lost))
}

func (p *p7) killAllButFirst() {
	for number, server := range p.cluster.Servers[1:] {
		p.setAway(number+1, true)
		p.Must(server.Kill(), "a kill")
	}
}

func (p *p7) startAllButFirst() {
	p.Together(len(p.cluster.Servers)-1, func(i int) {
		if err := p.cluster.Servers[i+1].Start(); err != nil {
			p.Broken("server %d: %v", i+1, err)
		}
		p.setAway(i+1, false)
	})
}

func (p *p7) report() {
	events, streams, resyncs := 0, 0, 0
	ends := map[string]int{}
	for _, reader := range p.readers {
		events += len(reader.events)
		streams += reader.streams
		resyncs += reader.resyncCount()
		for reason, count := range reader.ends {
			ends[reason] += count
		}
	}
	p.Tried("streams", streams)
	p.Measured("%s events, each once and in order, %d resyncs, %d slow readers ended",
		rig.Count(events), resyncs, ends["SLOW_READER"])
}
