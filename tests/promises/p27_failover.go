package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	pb "prbal.test/api/prbal/v1"
	"prbal.test/promises/rig"
)

func init() {
	rig.RegisterByName("P27", "the death of the database's machine loses nothing", deathOfThePrimary)
}

const p27Clients = 16

type p27 struct {
	*rig.Trial
	failover *rig.Failover
	cluster  *rig.Cluster
	history  *rig.History

	mutex sync.Mutex
	last  time.Time // a write was acknowledged
}

func deathOfThePrimary(t *rig.Trial) {
	p := &p27{Trial: t, history: rig.NewHistory()}
	p.failover = t.Failover()
	p.cluster = t.Cluster(rig.Setup{Servers: 2, Build: rig.Release, DatabaseURL: p.failover.URL()})

	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	pairs := p.cluster.People(2*p27Clients, rig.Both)
	for i := range p27Clients {
		writers.Add(1)
		go func() {
			defer writers.Done()
			p.write(ctx, i, pairs[2*i], pairs[2*i+1])
		}()
	}
	var longest time.Duration
	kills := t.Size(3, 10)
	for kill := range kills {
		longest = max(longest, p.killOne(kill))
	}
	stop()
	writers.Wait()
	p.history.Compare(t, p.cluster.Database, "message",
		"select client_message_id, content from chat_message where client_message_id = any($1)")

	t.Tried("clients", p27Clients)
	t.Tried("acknowledged writes", p.history.Count("message", rig.Done))
	t.Tried("machines killed", kills)
	t.Measured("none lost; writes back within %.1f s", longest.Seconds())
	if longest > 60*time.Second {
		t.Broken("writes were back only after %v", longest)
	}
}

// How long no write was acknowledged, from the kill on.
func (p *p27) killOne(number int) time.Duration {
	p.awaitWrite(time.Now()) // they work
	killed := time.Now()
	name, err := p.failover.KillPrimary()
	p.Must(err, "kill %d", number)
	back := p.awaitWrite(time.Now().Add(100 * time.Millisecond)) // what was on its way may still be answered
	p.Must(p.failover.Repair(name), "machine %s", name)
	return back.Sub(killed)
}

// The time of the first write that was acknowledged after `since`.
func (p *p27) awaitWrite(since time.Time) time.Time {
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		p.mutex.Lock()
		last := p.last
		p.mutex.Unlock()
		if last.After(since) {
			return last
		}
		p.Must(p.Context().Err(), "writes")
	}
	p.GiveUp("no write was acknowledged for 3 minutes")
	return time.Time{}
}

func (p *p27) write(ctx context.Context, number int, from, to *rig.Person) {
	server := p.cluster.Servers[number%len(p.cluster.Servers)]
	client := p.cluster.Client(server.Address)
	room := ""
	for i := 0; ctx.Err() == nil; i++ {
		if room == "" {
			answer, err := rig.Until(ctx, func(ctx context.Context) (*pb.OpenDirectRoomResponse, error) {
				return client.Chat.OpenDirectRoom(from.In(ctx), &pb.OpenDirectRoomRequest{TargetUserId: to.ID})
			})
			if err != nil {
				return
			}
			room = answer.Room.RoomId
		}
		p.send(ctx, client, from, room, fmt.Sprintf("message %d of %d", i, number))
	}
}

func (p *p27) send(ctx context.Context, client *rig.Client, from *rig.Person, room, text string) {
	id := rig.NewID()
	_, err := rig.Once(ctx, func(ctx context.Context) (*pb.SendMessageResponse, error) {
		return client.Chat.SendMessage(from.In(ctx), &pb.SendMessageRequest{RoomId: room, Content: text, ClientMessageId: id})
	})
	p.history.Record("message", id, rig.OutcomeOf(err), text)
	if err == nil {
		p.mutex.Lock()
		p.last = time.Now()
		p.mutex.Unlock()
		return
	}
	time.Sleep(50 * time.Millisecond)
}
