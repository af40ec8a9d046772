package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	pb "prbal.test/api/prbal/v1"
	"prbal.test/bench/kit"
	"prbal.test/bench/swarm"
	"prbal.test/promises/rig"
)

const (
	writerConnections = 8
	messagePatience   = 20 * time.Second // a hang bound
)

// Messages that people write to each other while everybody listens.
type conversation struct {
	*market
	swarm   *swarm.Swarm
	writers []*rig.Client
	rooms   []string // of people 2i and 2i+1

	events, arrived atomic.Int64 // from the log; of them messages, at the other one
	refused         atomic.Int64
	mutex           sync.Mutex
	delay           []time.Duration // from when a write was due
}

func (c *conversation) measure() {
	m := c.market
	for range writerConnections {
		c.writers = append(c.writers, m.Client(m.Servers[0].Address))
	}
	c.openRooms(kit.Pick(m.Bench, 200, 1000))
	c.rest()
	c.write(100, time.Second) // plans and caches
	table := &kit.Table{Name: "streams-prbald-events", Title: "Event streams of prbald: a message to its reader",
		Text: fmt.Sprintf("%s accounts listen, on %d connections, h2c; messages are written by ChatService.SendMessage in %s rooms of two,"+
			" at times fixed before, however long the answers take (an open loop). The time is from when a write was due until the"+
			" other one's stream has the message. CPU is that of the writes, their commits and all events that follow, over these"+
			" events; prbald and PostgreSQL share processor 0, and the writers and listeners have processor 1.",
			count(len(m.people)), fewConnections, count(len(c.rooms))),
		Columns: []kit.Column{{Title: "p50", Unit: "ms"}, {Title: "p99", Unit: "ms"}, {Title: "events of a message"},
			{Title: "prbald", Unit: "us an event"}, {Title: "PostgreSQL", Unit: "us an event"},
			{Title: "events per CPU second of prbald"}, {Title: "of PostgreSQL"}, {Title: "of both"}}}
	duration := kit.Pick(m.Bench, time.Second, 4*time.Second)
	for _, rate := range kit.Pick(m.Bench, []int{200}, []int{100, 250, 500}) {
		title := fmt.Sprintf("%d messages a second", rate)
		found := m.Rounds(title, []string{"prbald"}, func(string) kit.Sample { return c.write(rate, duration) })["prbald"]
		table.Rows = append(table.Rows, kit.Row{Label: title, Ours: true, Cells: []kit.Figure{found["p50"], found["p99"],
			found["events"], found["server_us"], found["database_us"], found["per_server"], found["per_database"], found["per_both"]}})
	}
	m.Table(table)
}

func (c *conversation) openRooms(count int) {
	c.rooms = make([]string, count)
	c.Together(writerConnections, func(worker int) {
		for i := worker; i < count; i += writerConnections {
			answer, err := c.writers[worker].Chat.OpenDirectRoom(c.people[2*i].In(c.Context()),
				&pb.OpenDirectRoomRequest{TargetUserId: c.people[2*i+1].ID})
			c.Must(err, "a room")
			c.rooms[i] = answer.Room.RoomId
		}
	})
}

// Until prbald and PostgreSQL have done what the opening of streams has left them
// to do: who is online is told, and written, behind it.
func (c *conversation) rest() {
	const pause, busy, patience = 500 * time.Millisecond, 50 * time.Millisecond, 20 * time.Second
	server, database := c.usages()
	for begin := time.Now(); time.Since(begin) < patience; {
		time.Sleep(pause)
		serverNow, databaseNow := c.usages()
		spent := serverNow.CPU - server.CPU + databaseNow.CPU - database.CPU
		server, database = serverNow, databaseNow
		if spent < busy {
			return
		}
	}
}

// Writes at so many moments a second, and measures until all has arrived.
func (c *conversation) write(rate int, duration time.Duration) kit.Sample {
	c.delay = c.delay[:0]
	c.arrived.Store(0)
	c.calm()
	server, database := c.usages()
	events := c.events.Load()
	count := int(float64(rate) * duration.Seconds())
	c.writeAll(rate, count)
	c.awaitArrival(int64(count))
	c.calm()
	serverAfter, databaseAfter := c.usages()
	received := float64(c.events.Load() - events)
	slices.Sort(c.delay)
	cpu, databaseCPU := (serverAfter.CPU - server.CPU).Seconds(), (databaseAfter.CPU - database.CPU).Seconds()
	return kit.Sample{"p50": milliseconds(quantile(c.delay, 0.5)), "p99": milliseconds(quantile(c.delay, 0.99)),
		"events": received / float64(count), "server_us": cpu * 1e6 / received, "database_us": databaseCPU * 1e6 / received,
		"per_server": received / cpu, "per_database": received / databaseCPU, "per_both": received / (cpu + databaseCPU)}
}

func (c *conversation) usages() (server, database kit.Usage) {
	server, err := kit.UsageOf(c.Servers[0].PID())
	c.Must(err, "prbald")
	database, err = kit.UsageOf(c.Database.PID())
	c.Must(err, "PostgreSQL")
	return server, database
}

func (c *conversation) writeAll(rate, count int) {
	var writes sync.WaitGroup
	begin := time.Now()
	for i := range count {
		due := begin.Add(time.Duration(i) * time.Second / time.Duration(rate))
		time.Sleep(time.Until(due))
		writes.Add(1)
		go func() {
			defer writes.Done()
			c.writeOne(i, due)
		}()
	}
	writes.Wait()
	if refused := c.refused.Load(); refused > 0 {
		c.GiveUp(fmt.Sprintf("%d of %d messages were refused", refused, count))
	}
}

func (c *conversation) writeOne(number int, due time.Time) {
	ctx, cancel := context.WithTimeout(c.Context(), messagePatience)
	defer cancel()
	room := number % len(c.rooms)
	writer := c.people[2*room+number/len(c.rooms)%2]
	_, err := c.writers[number%writerConnections].Chat.SendMessage(writer.In(ctx),
		&pb.SendMessageRequest{RoomId: c.rooms[room], Content: strconv.FormatInt(due.UnixNano(), 10)})
	if err != nil {
		c.refused.Add(1)
	}
}

func (c *conversation) awaitArrival(count int64) {
	for begin := time.Now(); c.arrived.Load() < count; time.Sleep(time.Millisecond) {
		c.Must(c.swarm.Err(), "the streams")
		if time.Since(begin) > messagePatience {
			c.GiveUp(fmt.Sprintf("%d of %d messages have come", c.arrived.Load(), count))
		}
	}
}

// Until nothing of the log has come for a while: a message's other events.
func (c *conversation) calm() {
	for last := int64(-1); last != c.events.Load(); time.Sleep(50 * time.Millisecond) {
		last = c.events.Load()
	}
}

func (c *conversation) receive(stream int, message []byte) {
	now := time.Now()
	var response pb.SubscribeResponse
	if proto.Unmarshal(message, &response) != nil || response.Event.GetEventId() == 0 {
		return
	}
	c.events.Add(1)
	written := response.Event.GetChatMessage()
	if written == nil || written.Sender.UserId == c.people[stream].ID {
		return
	}
	due, _ := strconv.ParseInt(written.Content, 10, 64)
	c.mutex.Lock()
	c.delay = append(c.delay, now.Sub(time.Unix(0, due)))
	c.mutex.Unlock()
	c.arrived.Add(1)
}
