package main

import (
	"context"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	pb "prbal.test/api/prbal/v1"
	"prbal.test/promises/rig"
)

const (
	readerSilence = 6 * time.Second // several heartbeats of these trials
	readerSleep   = 3 * time.Second // longer than `slow_reader`
)

// A client that follows its user's log as event.proto tells it to, over as many
// streams as it takes, and notes what it was given.
type logReader struct {
	trial    *rig.Trial
	cluster  *rig.Cluster
	person   *rig.Person
	random   *rand.Rand
	isSleepy atomic.Bool

	mutex   sync.Mutex
	seq     int64 // what it would resume after
	mark    int32
	events  []*pb.Event
	jumps   [][2]int64 // resyncs: from, to
	streams int
	ends    map[string]int
}

func newLogReader(t *rig.Trial, c *rig.Cluster, person *rig.Person, number int, isSleepy bool) *logReader {
	r := &logReader{trial: t, cluster: c, person: person, random: t.Stream(1000 + number), ends: map[string]int{}}
	r.isSleepy.Store(isSleepy)
	return r
}

// A place in a log: the event behind which it is, and that event's mark, which
// differs where other events were given the same numbers.
type logPosition struct {
	seq  int64
	mark int32
}

func (r *logReader) position() logPosition {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return logPosition{r.seq, r.mark}
}

func (r *logReader) resyncCount() int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return len(r.jumps)
}

// Stream after stream, through one proxy or another; a restless one also ends
// streams by itself, and falls asleep over them.
func (r *logReader) follow(ctx context.Context, proxies []*rig.Proxy, isRestless bool) {
	for ctx.Err() == nil {
		life := time.Hour
		if isRestless && r.random.IntN(3) == 0 {
			life = time.Duration(200+r.random.IntN(6000)) * time.Millisecond
		}
		stream, end := context.WithTimeout(ctx, life)
		err := r.one(stream, proxies[r.random.IntN(len(proxies))])
		end()
		if err != nil && err != io.EOF {
			r.ends[rig.Reason(err)]++
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(20+r.random.IntN(300)) * time.Millisecond):
		}
	}
}

// One stream on a connection of its own.
func (r *logReader) one(ctx context.Context, proxy *rig.Proxy) error {
	connection, err := r.cluster.Connect(proxy.Address, grpc.WithInitialWindowSize(65535))
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watchdog := time.AfterFunc(readerSilence, cancel)
	defer watchdog.Stop()

	request := &pb.SubscribeRequest{ResumeAfter: proto.Int64(r.seq), ResumeMark: r.mark}
	stream, err := pb.NewEventServiceClient(connection).Subscribe(r.person.In(ctx), request)
	if err != nil {
		return err
	}
	r.streams++
	for {
		answer, err := stream.Recv()
		if err != nil {
			return err
		}
		watchdog.Reset(readerSilence)
		r.take(answer.Event)
		if r.isSleepy.Load() && r.random.IntN(40) == 0 {
			watchdog.Stop()
			time.Sleep(readerSleep)
			watchdog.Reset(readerSilence)
		}
	}
}

func (r *logReader) take(event *pb.Event) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	switch {
	case event.EventId > 0:
		if event.EventId != r.seq+1 {
			r.trial.Broken("%s got event %d after %d", r.person.Name, event.EventId, r.seq)
		}
		r.events = append(r.events, event)
		r.seq, r.mark = event.EventId, event.Mark
	case event.GetResyncRequired() != nil:
		to := event.GetResyncRequired()
		r.jumps = append(r.jumps, [2]int64{r.seq, to.Position})
		r.seq, r.mark = to.Position, to.Mark
	case event.GetHeartbeat() != nil:
		r.expectPosition("a heartbeat", event.GetHeartbeat().Position)
	case event.GetCaughtUp() != nil:
		r.expectPosition("caught_up", event.GetCaughtUp().Position)
	}
}

// All topics are asked for, so what the stream says of itself is where its client is.
func (r *logReader) expectPosition(what string, position int64) {
	if position != r.seq {
		r.trial.Broken("%s of %s tells of %d after event %d", what, r.person.Name, position, r.seq)
	}
}

// A user's log as the table has it.
type eventLog struct {
	trimmed, last int64
	rows          map[int64]eventRow
}

type eventRow struct {
	mark    int32
	payload []byte
}

// What was given is what the table has, and a resync had a reason: what it
// jumped over begins with something that was trimmed.
func (r *logReader) compare(log *eventLog) {
	if log == nil {
		return // nothing has happened to this user
	}
	for _, event := range r.events {
		if event.EventId <= log.trimmed {
			continue
		}
		row, isThere := log.rows[event.EventId]
		stored := &pb.Event{}
		err := proto.Unmarshal(row.payload, stored)
		stored.EventId, stored.Mark = event.EventId, row.mark
		if !isThere || err != nil || !proto.Equal(stored, event) {
			r.trial.Broken("event %d of %s is not what the table has", event.EventId, r.person.Name)
		}
	}
	for _, jump := range r.jumps {
		if jump[0] >= log.trimmed {
			r.trial.Broken("%s was told to read all again after %d, and only %d were trimmed",
				r.person.Name, jump[0], log.trimmed)
		}
	}
}

func lastEvents(t *rig.Trial, database *rig.Postgres) map[string]logPosition {
	lasts := map[string]logPosition{}
	rows, err := database.SQL().Query(t.Context(), "select user_id::text, last_seq, last_mark from user_event_cursor")
	t.Must(err, "the logs' ends")
	defer rows.Close()
	for rows.Next() {
		var id string
		var last logPosition
		t.Must(rows.Scan(&id, &last.seq, &last.mark), "a log's end")
		lasts[id] = last
	}
	return lasts
}

func readLogs(t *rig.Trial, database *rig.Postgres) map[string]*eventLog {
	logs := map[string]*eventLog{}
	rows, err := database.SQL().Query(t.Context(), `
		select c.user_id::text, c.trimmed_seq, c.last_seq, coalesce(e.seq, 0), coalesce(e.mark, 0), e.payload
		  from user_event_cursor c left join user_event e using (user_id)`)
	t.Must(err, "the logs")
	defer rows.Close()
	for rows.Next() {
		var id string
		var trimmed, last, seq int64
		var row eventRow
		t.Must(rows.Scan(&id, &trimmed, &last, &seq, &row.mark, &row.payload), "a log")
		if logs[id] == nil {
			logs[id] = &eventLog{trimmed, last, map[int64]eventRow{}}
		}
		logs[id].rows[seq] = row
	}
	t.Must(rows.Err(), "the logs")
	return logs
}

// A room with its members, by SQL.
func insertRoom(t *rig.Trial, cluster *rig.Cluster, id, kind string, members ...*rig.Person) {
	ids := make([]string, len(members))
	for i, member := range members {
		ids[i] = member.ID
	}
	cluster.Database.Exec(`
		with room as (
		  insert into chat_room (room_id, kind, name, creator_id, low_id, high_id)
		  select $1::uuid, $2, case $2 when 'GROUP' then 'A group' end, ($3::uuid[])[1],
		         case $2 when 'DIRECT' then least(($3::uuid[])[1], ($3::uuid[])[2]) end,
		         case $2 when 'DIRECT' then greatest(($3::uuid[])[1], ($3::uuid[])[2]) end
		  returning room_id
		)
		insert into room_member (room_id, user_id) select room_id, unnest($3::uuid[]) from room`, id, kind, ids)
}
