package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"sync"
	"time"

	pb "prbal.test/api/prbal/v1"
	"prbal.test/promises/rig"
)

func init() {
	rig.Register("P9", "unread counts are exact on every device", unreadIsExact)
}

const (
	p9Circles   = 6
	p9CountedTo = 100 // "or more", as chat.proto says
)

type p9 struct {
	*rig.Trial
	cluster *rig.Cluster
	devices []*rig.Client // one at each server

	mutex           sync.Mutex
	steps, compared int
}

// Three people who share four rooms, and what they should have unread.
type p9Circle struct {
	*p9
	random *rand.Rand
	people []*rig.Person
	rooms  []*p9Room
}

type p9Room struct {
	id       string
	members  []*rig.Person
	messages []p9Message
	read     map[string]int // by user: up to this number
}

type p9Message struct {
	id, sender string
	isDeleted  bool
}

func unreadIsExact(t *rig.Trial) {
	p := &p9{Trial: t}
	p.cluster = t.Cluster(rig.Setup{Servers: 3})
	for _, server := range p.cluster.Servers {
		p.devices = append(p.devices, p.cluster.Client(server.Address))
	}
	var circles []*p9Circle
	people := p.cluster.People(3*p9Circles, rig.Both)
	for i := range p9Circles {
		circles = append(circles, p.newCircle(i, people[3*i:3*i+3]))
	}
	chaos := t.Chaos(2*time.Second, 5*time.Second, rig.Fault{Name: "kill", Happen: func(random *rand.Rand) error {
		server := p.cluster.Servers[random.IntN(len(p.cluster.Servers))]
		if err := server.Kill(); err != nil {
			return err
		}
		return server.Start()
	}})
	end := time.Now().Add(t.Time(15*time.Second, 5*time.Minute))
	t.Together(p9Circles, func(i int) {
		for time.Now().Before(end) && t.Context().Err() == nil && circles[i].step() {
			circles[i].compare()
		}
	})
	chaos.Stop()
	t.Tried("steps", p.steps)
	t.Tried("kills", chaos.Count("kill"))
	t.Measured("%s counts compared on %d devices each", rig.Count(p.compared), len(p.devices))
}

func (p *p9) newCircle(number int, people []*rig.Person) *p9Circle {
	c := &p9Circle{p9: p, random: p.Stream(number + 1), people: people}
	for _, members := range [][]*rig.Person{people, {people[0], people[1]}, {people[1], people[2]}, {people[0], people[2]}} {
		kind := "DIRECT"
		if len(members) > 2 {
			kind = "GROUP"
		}
		room := &p9Room{id: rig.NewID(), members: members, read: map[string]int{}}
		insertRoom(p.Trial, p.cluster, room.id, kind, members...)
		c.rooms = append(c.rooms, room)
	}
	return c
}

// Something happens; false when it could not.
func (c *p9Circle) step() bool {
	c.mutex.Lock()
	c.steps++
	c.mutex.Unlock()
	room := c.rooms[c.random.IntN(len(c.rooms))]
	member := room.members[c.random.IntN(len(room.members))]
	switch c.random.IntN(10) {
	case 0, 1, 2, 3:
		return c.send(room, []*rig.Person{member})
	case 4:
		var many []*rig.Person
		for range 30 {
			many = append(many, room.members[c.random.IntN(len(room.members))])
		}
		return c.send(room, many)
	case 5, 6:
		return c.markRead(room, member, len(room.messages))
	case 7, 8:
		return c.markRead(room, member, c.random.IntN(len(room.messages)+1))
	}
	c.delete(room)
	return true
}

func (c *p9Circle) device() *rig.Client {
	return c.devices[c.random.IntN(len(c.devices))]
}

// All at once; the numbers that they get say in which order it happened.
func (c *p9Circle) send(room *p9Room, senders []*rig.Person) bool {
	sent := make([]*pb.ChatMessage, len(senders))
	devices := make([]*rig.Client, len(senders))
	for i := range senders {
		devices[i] = c.device()
	}
	c.Together(len(senders), func(i int) {
		request := &pb.SendMessageRequest{RoomId: room.id, ClientMessageId: rig.NewID(), Content: fmt.Sprint("message ", i)}
		answer, err := rig.Until(c.Context(), func(ctx context.Context) (*pb.SendMessageResponse, error) {
			return devices[i].Chat.SendMessage(senders[i].In(ctx), request)
		})
		if err != nil && c.Context().Err() == nil {
			c.Broken("a message was refused: %v", err)
		}
		sent[i] = answer.GetMessage()
	})
	sort.Slice(sent, func(i, k int) bool { return sent[i].GetSeq() < sent[k].GetSeq() })
	for _, message := range sent {
		if message == nil {
			return false
		}
		room.note(message)
	}
	return true
}

// Who had read everything before has read the own message, too.
func (r *p9Room) note(message *pb.ChatMessage) {
	sender := message.Sender.UserId
	if r.read[sender] == len(r.messages) {
		r.read[sender]++
	}
	r.messages = append(r.messages, p9Message{id: message.MessageId, sender: sender})
}

func (c *p9Circle) markRead(room *p9Room, reader *rig.Person, upTo int) bool {
	if upTo == 0 {
		return true
	}
	request := &pb.MarkRoomReadRequest{RoomId: room.id}
	if upTo < len(room.messages) {
		request.UpToMessageId = room.messages[upTo-1].id
	}
	device := c.device()
	answer, err := rig.Until(c.Context(), func(ctx context.Context) (*pb.MarkRoomReadResponse, error) {
		return device.Chat.MarkRoomRead(reader.In(ctx), request)
	})
	if err != nil {
		if c.Context().Err() == nil {
			c.Broken("a room could not be marked as read: %v", err)
		}
		return false
	}
	room.read[reader.ID] = max(room.read[reader.ID], upTo)
	if int(answer.UnreadCount) != room.unread(reader) || int(answer.LastReadSeq) != room.read[reader.ID] {
		c.Broken("MarkRoomRead tells %d unread behind %d, and it is %d behind %d",
			answer.UnreadCount, answer.LastReadSeq, room.unread(reader), room.read[reader.ID])
	}
	return true
}

// As a sender deletes a message: its row stays.
func (c *p9Circle) delete(room *p9Room) {
	if len(room.messages) == 0 {
		return
	}
	message := &room.messages[c.random.IntN(len(room.messages))]
	message.isDeleted = true
	c.cluster.Database.Exec("update chat_message set deleted_at = now() where message_id = $1", message.id)
}

func (r *p9Room) unread(reader *rig.Person) int {
	count := 0
	for _, message := range r.messages[r.read[reader.ID]:] {
		if message.sender != reader.ID && !message.isDeleted {
			count++
		}
	}
	return min(count, p9CountedTo)
}

// Everybody, on a device at each server.
func (c *p9Circle) compare() {
	for _, person := range c.people {
		want := map[string]int{}
		for _, room := range c.rooms {
			if count := room.unread(person); count > 0 && slices.Contains(room.members, person) {
				want[room.id] = count
			}
		}
		for _, device := range c.devices {
			c.compareOne(device, person, want)
		}
	}
}

func (c *p9Circle) compareOne(device *rig.Client, person *rig.Person, want map[string]int) {
	counts, err := rig.Until(c.Context(), func(ctx context.Context) (*pb.ChatServiceGetUnreadCountResponse, error) {
		return device.Chat.GetUnreadCount(person.In(ctx), &pb.ChatServiceGetUnreadCountRequest{})
	})
	if err != nil {
		return
	}
	total := 0
	for _, count := range want {
		total += count
	}
	if int(counts.Total) != total || len(counts.Rooms) != len(want) {
		c.Broken("%s has %d unread in %d rooms, and is told %d in %d", person.Name, total, len(want), counts.Total, len(counts.Rooms))
	}
	for _, room := range counts.Rooms {
		c.Expect(int(room.UnreadCount) == want[room.RoomId], "%s has %d unread in a room, and is told %d",
			person.Name, want[room.RoomId], room.UnreadCount)
	}
	rooms, err := rig.Until(c.Context(), func(ctx context.Context) (*pb.ListRoomsResponse, error) {
		return device.Chat.ListRooms(person.In(ctx), &pb.ListRoomsRequest{})
	})
	if err != nil {
		return
	}
	for _, room := range rooms.Rooms {
		c.Expect(int(room.UnreadCount) == want[room.RoomId], "the list of %s shows %d unread, and it is %d",
			person.Name, room.UnreadCount, want[room.RoomId])
	}
	c.mutex.Lock()
	c.compared += len(rooms.Rooms) + 1
	c.mutex.Unlock()
}
