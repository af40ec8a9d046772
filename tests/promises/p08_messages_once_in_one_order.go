package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	pb "prbal.test/api/prbal/v1"
	"prbal.test/promises/rig"
)

func init() {
	rig.Register("P8", "a message is there once, in one order for all", messagesOnceInOneOrder)
}

const (
	p8Rooms   = 10 // of three people each
	p8Devices = 2  // that each of them reads on
)

// People of a room write at the same time over connections that break, and
// repeat what they got no answer for; all of their devices listen.
type p8 struct {
	*rig.Trial
	cluster *rig.Cluster
	proxies []*rig.Proxy
	rooms   []*p8Room

	mutex   sync.Mutex
	repeats int
}

type p8Room struct {
	id       string
	people   []*rig.Person
	devices  []*logReader
	mutex    sync.Mutex
	accepted map[string]*pb.ChatMessage // by client_message_id
}

func messagesOnceInOneOrder(t *rig.Trial) {
	p := &p8{Trial: t}
	p.cluster = t.Cluster(rig.Setup{Servers: 3, Settings: map[string]string{
		"heartbeat": "1s", "keepalive": "3s", "keepalive_timeout": "3s"}})
	for _, server := range p.cluster.Servers {
		p.proxies = append(p.proxies, t.Proxy(server.Address))
	}
	p.meet()

	follow, stop := context.WithCancel(t.Context())
	var following sync.WaitGroup
	for _, room := range p.rooms {
		for _, device := range room.devices {
			following.Add(1)
			go func() {
				defer following.Done()
				device.follow(follow, p.proxies, false)
			}()
		}
	}
	p.talk(t.Time(12*time.Second, 5*time.Minute))
	p.awaitAll()
	stop()
	following.Wait()
	for _, room := range p.rooms {
		p.judge(room)
	}
	p.report()
}

func (p *p8) meet() {
	people := p.cluster.People(3*p8Rooms, rig.Both)
	for i := range p8Rooms {
		room := &p8Room{id: rig.NewID(), people: people[3*i : 3*i+3], accepted: map[string]*pb.ChatMessage{}}
		insertRoom(p.Trial, p.cluster, room.id, "GROUP", room.people...)
		for k := range 3 * p8Devices {
			number := 3*p8Devices*i + k
			room.devices = append(room.devices, newLogReader(p.Trial, p.cluster, room.people[k%3], number, false))
		}
		p.rooms = append(p.rooms, room)
	}
}

func (p *p8) talk(duration time.Duration) {
	cutSome := func(random *rand.Rand) error {
		links := p.proxies[random.IntN(len(p.proxies))].Links()
		for range len(links) / 3 {
			link := links[random.IntN(len(links))]
			[]func(){link.Cut, link.HalfOpen}[random.IntN(2)]()
		}
		return nil
	}
	killOne := func(random *rand.Rand) error {
		server := p.cluster.Servers[random.IntN(len(p.cluster.Servers))]
		if err := server.Kill(); err != nil {
			return err
		}
		return server.Start()
	}
	chaos := p.Chaos(200*time.Millisecond, 800*time.Millisecond,
		rig.Fault{Name: "cut", Weight: 4, Happen: cutSome}, rig.Fault{Name: "kill", Weight: 1, Happen: killOne})
	end := time.Now().Add(duration)
	p.Together(3*p8Rooms, func(i int) {
		random := p.Stream(i + 1)
		for n := 0; time.Now().Before(end) && p.Context().Err() == nil; n++ {
			p.send(p.rooms[i/3], p.rooms[i/3].people[i%3], random)
		}
	})
	chaos.Stop()
	p.Tried("kills", chaos.Count("kill"))
	p.Tried("cuts", chaos.Count("cut"))
}

// One message, until it is accepted: each attempt at any server.
func (p *p8) send(room *p8Room, sender *rig.Person, random *rand.Rand) {
	id := rig.NewID()
	request := &pb.SendMessageRequest{RoomId: room.id, ClientMessageId: id, Content: fmt.Sprintf("%s says %s", sender.Name, id)}
	for attempts := 1; p.Context().Err() == nil; attempts++ {
		message, err := p.attempt(sender, request, p.proxies[random.IntN(len(p.proxies))])
		if err == nil {
			p.accept(room, id, message, attempts)
			// A client that lost the answer does the same once more.
			if random.IntN(8) != 0 {
				return
			}
			continue
		}
		if !rig.IsForNow(err) {
			p.Broken("a message was refused: %v", err)
			return
		}
		pause(random, 50*time.Millisecond)
	}
}

func (p *p8) attempt(sender *rig.Person, request *pb.SendMessageRequest, proxy *rig.Proxy) (*pb.ChatMessage, error) {
	connection, err := p.cluster.Connect(proxy.Address)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(p.Context(), 3*time.Second)
	defer cancel()
	answer, err := pb.NewChatServiceClient(connection).SendMessage(sender.In(ctx), request)
	return answer.GetMessage(), err
}

func (p *p8) accept(room *p8Room, id string, message *pb.ChatMessage, attempts int) {
	room.mutex.Lock()
	defer room.mutex.Unlock()
	earlier := room.accepted[id]
	if earlier != nil && (earlier.MessageId != message.MessageId || earlier.Seq != message.Seq) {
		p.Broken("a message that was sent again became another one")
	}
	room.accepted[id] = message
	if attempts > 1 {
		p.mutex.Lock()
		p.repeats++
		p.mutex.Unlock()
	}
}

func (p *p8) awaitAll() {
	deadline := time.Now().Add(60 * time.Second)
	for p.Context().Err() == nil && time.Now().Before(deadline) {
		isThere := true
		lasts := lastEvents(p.Trial, p.cluster.Database)
		for _, room := range p.rooms {
			for _, device := range room.devices {
				isThere = isThere && device.position() == lasts[device.person.ID]
			}
		}
		if isThere {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	p.Broken("devices do not come to the end of their logs")
}

// The room's messages are numbered 1, 2, 3 ...; every device was given exactly
// those, in that order, and exactly what was accepted is among them.
func (p *p8) judge(room *p8Room) {
	count := p.cluster.Database.Number("select count(*) from chat_message where room_id = $1", room.id)
	if count != len(room.accepted) {
		p.Broken("%d messages were accepted in a room, and it has %d", len(room.accepted), count)
	}
	for _, device := range room.devices {
		seq := int64(0)
		for _, event := range device.events {
			message := event.GetChatMessage()
			if message == nil {
				continue
			}
			seq++
			accepted := room.accepted[message.ClientMessageId]
			if message.Seq != seq {
				p.Broken("a device of %s was given message %d after %d", device.person.Name, message.Seq, seq-1)
				return
			}
			if accepted == nil || accepted.MessageId != message.MessageId || accepted.Seq != seq ||
				accepted.Content != message.Content {
				p.Broken("message %d of a room is not the one that was accepted", seq)
			}
		}
		if int(seq) != count {
			p.Broken("a device of %s was given %d of %d messages", device.person.Name, seq, count)
		}
	}
}

func (p *p8) report() {
	messages, devices := 0, 0
	for _, room := range p.rooms {
		messages += len(room.accepted)
		devices += len(room.devices)
	}
	p.Tried("messages", messages)
	p.Tried("sent more than once", p.repeats)
	p.Measured("once each, in one order on all of %d devices", devices)
}
