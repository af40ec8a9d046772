package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	pb "prbal.test/api/prbal/v1"
	"prbal.test/bench/kit"
	"prbal.test/promises/rig"
)

// What seed/ids.sql makes.
func seedID(what string, number int) string {
	return fmt.Sprintf("%s-0000-7000-8000-%012d", what, number)
}

// Who asks: seekers of the seed (seed/growth.sql).
type seedPeople struct {
	readers   []*rig.Person            // of lists and rooms
	longLog   *rig.Person              // whose log has all rows
	shortLogs map[string][]*rig.Person // some of those whose log has placesOf, by database
}

func newGrowth(b *kit.Bench) *growth {
	counts := kit.Pick(b, []int{1000, 10_000}, []int{1000, 10_000, 100_000, 1_000_000})
	cache := kit.Pick(b, "256MB", "4GB")
	g := &growth{Bench: b}
	// A few clients do what many do: their limits are no part of what is measured.
	settings := map[string]string{"log_calls": "true", "streams_per_user": "1000", "resets": "1000000"}
	g.cluster = b.Cluster(rig.Setup{Servers: len(counts), Build: rig.Release, Settings: settings,
		Postgres: []string{"shared_buffers=" + cache, "max_wal_size=16GB", "checkpoint_timeout=1h", "autovacuum=off"}})
	for _, server := range g.cluster.Servers {
		b.Must(server.Terminate(), "a server")
	}
	g.grow(counts)
	for number, s := range g.sizes {
		s.server = g.cluster.Servers[number]
		s.server.Settings = map[string]string{"database_url": g.urlOf(s.database)}
		b.Must(s.server.Start(), "a server for %d rows", s.rows)
		for range growthConnections {
			s.clients = append(s.clients, g.cluster.Client(s.server.Address))
		}
	}
	g.cluster.Apart()
	g.findPeople()
	g.findCategories()
	return g
}

// The last setting of a name counts.
func (g *growth) urlOf(database string) string {
	return g.cluster.Database.URL() + " dbname=" + database
}

// Adds rows from size to size and keeps a copy of each but the last.
func (g *growth) grow(counts []int) {
	last := counts[len(counts)-1]
	first := 1
	for _, rows := range counts {
		g.Progress("rows %s to %s", rig.Count(first), rig.Count(rows))
		g.fill(first, rows, last)
		s := &grown{rows: rows, database: "prbal"}
		if rows != last {
			s.database = fmt.Sprintf("rows_%d", rows)
			g.copyDatabase(s.database)
		}
		g.sizes = append(g.sizes, s)
		first = rows + 1
	}
	for _, s := range g.sizes {
		// Again: what one seed wrote could not be seen as old while the other ran.
		g.in(s.database, "vacuum", "create extension if not exists pg_prewarm",
			`select sum(pg_prewarm(oid)) from pg_class
			  where relkind in ('r', 'i', 't') and relpersistence = 'p'`)
	}
	g.in("postgres", "checkpoint")
}

// Services on one processor, conversations and logs on the other.
func (g *growth) fill(first, rows, last int) {
	people := fmt.Sprintf("people=%d", max(1000, rows/5))
	g.Must(g.seed("people", people), "people")
	var errors [2]error
	var group sync.WaitGroup
	group.Add(2)
	go func() {
		defer group.Done()
		errors[0] = g.seed("services", people, fmt.Sprintf("services=%d", rows), fmt.Sprintf("first=%d", first),
			fmt.Sprintf("of=%d", last))
	}()
	go func() {
		defer group.Done()
		errors[1] = g.seed("growth", fmt.Sprintf("rows=%d", rows), fmt.Sprintf("first=%d", first),
			fmt.Sprintf("payload=%x", loggedEvent()))
	}()
	group.Wait()
	g.Must(errors[0], "services")
	g.Must(errors[1], "conversations and logs")
}

func (g *growth) seed(part string, numbers ...string) error {
	arguments := append([]string{g.cluster.Database.StandardURL(), part}, numbers...)
	output, err := exec.CommandContext(g.Context(), filepath.Join(g.Root, "tests/bench/seed/seed"), arguments...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("seed %s: %w: %s", part, err, output)
	}
	return err
}

func loggedEvent() []byte {
	payload, err := proto.Marshal(&pb.Event{Payload: &pb.Event_NewNotification{NewNotification: &pb.Notification{
		NotificationId: rig.NewID(), Title: "A new bid on your service",
		Message: "Amina Hassan would do it for 120.00 USD the day after tomorrow."}}})
	if err != nil {
		panic(err)
	}
	return payload
}

// PostgreSQL copies a database that nobody is connected to.
func (g *growth) copyDatabase(name string) {
	g.in("postgres", "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'prbal'",
		"create database "+name+" template prbal strategy file_copy")
}

func (g *growth) in(database string, statements ...string) {
	link, err := pgx.Connect(g.Context(), g.urlOf(database))
	g.Must(err, "the database %s", database)
	defer link.Close(g.Context())
	for _, statement := range statements {
		_, err = link.Exec(g.Context(), statement)
		g.Must(err, "%s", statement)
	}
}

func (g *growth) findPeople() {
	known := func(number int) *rig.Person { return g.cluster.Known(seedID("a1000000", number), rig.Seeker) }
	g.people = &seedPeople{longLog: known(200), shortLogs: map[string][]*rig.Person{}}
	for number := range readersOfLogs {
		g.people.readers = append(g.people.readers, known(1+number))
	}
	for _, s := range g.sizes {
		logs := s.rows / placesOf
		for number := range min(logs, readersOfLogs) {
			owner := 1 + number*(logs/min(logs, readersOfLogs)) // all over the table
			g.people.shortLogs[s.database] = append(g.people.shortLogs[s.database], known(200+owner))
		}
	}
}

// The 12 with the most services, so that each has a page of them.
func (g *growth) findCategories() {
	rows, err := g.cluster.Database.SQL().Query(g.Context(),
		"select category_id::text from category where parent_id is not null order by slug limit 12")
	g.Must(err, "categories")
	g.categories, err = pgx.CollectRows(rows, pgx.RowTo[string])
	g.Must(err, "categories")
}
