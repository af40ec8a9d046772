package main

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	pb "prbal.test/api/prbal/v1"
	"prbal.test/promises/rig"
)

func init() {
	rig.Register("P26", "a chosen second comes back from the backup", aChosenSecondComesBack)
}

const p26Clients = 8

type p26 struct {
	*rig.Trial
	cluster *rig.Cluster
	history *rig.History
	pause   sync.RWMutex // writers hold it for reading
}

func aChosenSecondComesBack(t *rig.Trial) {
	p := &p26{Trial: t, history: rig.NewHistory()}
	p.cluster = t.Cluster(rig.Setup{Build: rig.Release, Private: true,
		Settings: map[string]string{"backup": t.Folder("backup")}})
	ctx, stop := context.WithCancel(t.Context())
	writers := p.startWriters(ctx)

	_, err := p.cluster.Command("backup")
	t.Must(err, "backup under load")
	p.work(t.Time(3*time.Second, 30*time.Second))
	moment, before := p.chooseMoment()
	p.work(t.Time(2*time.Second, 30*time.Second))
	stop()
	writers.Wait()

	drill := p.restore(moment, before)
	p.loseTheServer()
	again, err := p.cluster.Command("drill", "restore")
	t.Must(err, "drill without the server")

	t.Tried("clients", p26Clients)
	t.Tried("acknowledged writes", p.history.Count("message", rig.Done))
	t.Measured("the %d tables of that second, row by row; restored in %s; in %s when all else was lost",
		len(before), took(drill), took(again))
}

func (p *p26) startWriters(ctx context.Context) *sync.WaitGroup {
	var writers sync.WaitGroup
	people := p.cluster.People(2*p26Clients, rig.Both)
	client := p.cluster.Client(p.cluster.Servers[0].Address)
	for i := range p26Clients {
		from, to := people[2*i], people[2*i+1]
		answer, err := client.Chat.OpenDirectRoom(from.In(ctx), &pb.OpenDirectRoomRequest{TargetUserId: to.ID})
		p.Must(err, "a room")
		writers.Add(1)
		go func() {
			defer writers.Done()
			for ctx.Err() == nil {
				p.send(ctx, client, from, answer.Room.RoomId)
			}
		}()
	}
	return &writers
}

func (p *p26) send(ctx context.Context, client *rig.Client, from *rig.Person, room string) {
	p.pause.RLock()
	defer p.pause.RUnlock()
	id := rig.NewID()
	_, err := client.Chat.SendMessage(from.In(ctx), &pb.SendMessageRequest{RoomId: room, Content: "kept", ClientMessageId: id})
	p.history.Record("message", id, rig.OutcomeOf(err), "kept")
}

// Writers go on for a while.
func (p *p26) work(duration time.Duration) {
	select {
	case <-time.After(duration):
	case <-p.Context().Done():
	}
}

// A moment between two writes, with what was in each table.
func (p *p26) chooseMoment() (string, map[string]string) {
	p.pause.Lock()
	defer p.pause.Unlock()
	time.Sleep(100 * time.Millisecond) // what runs beside the calls has ended
	var moment string
	err := p.cluster.Database.SQL().QueryRow(p.Context(),
		"select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')").Scan(&moment)
	p.Must(err, "the time")
	rows, err := p.cluster.Database.SQL().Query(p.Context(), contents)
	p.Must(err, "the tables")
	defer rows.Close()
	tables := map[string]string{}
	for rows.Next() {
		var name, content string
		p.Must(rows.Scan(&name, &content), "a table")
		tables[name] = content
	}
	p.Must(rows.Err(), "the tables")
	return moment, tables
}

// Each table of ours with the number and the hash of its rows.
const contents = `
select c.relname::text,
       (xpath('//c/text()', query_to_xml(format(
         'select count(*) || '' rows, '' || coalesce(md5(string_agg(md5(t::text), '''' order by md5(t::text))), ''-'') as c from %s t',
         c.oid::regclass), false, true, '')))[1]::text
  from pg_class c
 where c.relkind = 'r'
   and c.relnamespace = 'public'::regnamespace
   and not exists (select 1 from pg_depend d where d.objid = c.oid and d.deptype = 'e')
 order by 1`

func (p *p26) restore(moment string, before map[string]string) string {
	into := p.Folder("restored")
	output, err := p.cluster.Command("drill", "restore", "--to", moment, "--into", into, "--keep")
	p.Must(err, "drill")
	answer, err := p.cluster.CommandIn(into, "psql", "--", "-qAtF", "=", "-c", contents)
	p.Must(err, "the restored tables")
	lines := bytes.Split(bytes.TrimSpace([]byte(answer)), []byte("\n"))
	p.Expect(len(lines) == len(before), "%d tables are back of %d", len(lines), len(before))
	for _, line := range lines {
		name, content, _ := strings.Cut(string(line), "=")
		p.Expect(before[name] == content, "table %s was %s and is %s", name, before[name], content)
	}
	p.Expect(strings.HasPrefix(before["chat_message"], "0 ") == false, "nothing had been written")
	return output
}

// The machine is gone; the backups are on another one.
func (p *p26) loseTheServer() {
	pid := p.cluster.Database.PID()
	p.Must(p.cluster.Servers[0].Kill(), "kill")
	p.Must(p.cluster.Database.Kill(), "kill")
	p.Must(rig.AwaitGone([]int{pid}, time.Minute), "PostgreSQL")
}

var checkedIn = regexp.MustCompile(`restored and checked in ([0-9.]+ s)`)

func took(output string) string {
	if found := checkedIn.FindStringSubmatch(output); found != nil {
		return found[1]
	}
	return fmt.Sprintf("an unknown time (%q)", output)
}
