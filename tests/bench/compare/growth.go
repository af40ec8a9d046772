package main

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"prbal.test/bench/kit"
	"prbal.test/promises/rig"
)

func init() {
	kit.Register(kit.Part{Name: "growth", Order: 5, Title: "Growth", Measure: measureGrowth})
}

const growthText = `What a call costs must not depend on how much there is. One PostgreSQL has a
database for each size; all grew in one go, as rows were added: the smaller ones are
copies that were taken on the way. Each has a prbald (h2c, everything on, but for
limits of calls by one caller). The sizes take turns in every round.

A row is what the call looks into: a service, a message or an event. There are a
fifth as many accounts as services, 35 % of the services are in one city and 25 % in
another, so around a point there are ever more of them. Messages and logs are there
twice: all rows in one room or log, and a hundred in each of many. Which service,
point, room, page or log is asked for is drawn for every call. All tables are
analyzed and in the cache of PostgreSQL. Autovacuum is off: who is online, which
Subscribe writes down, is vacuumed before each measurement instead.

The load is a closed loop of gRPC clients on processor 1, 4 connections with 4
callers on each; prbald and PostgreSQL share processor 0. Their CPU is added up: of
PostgreSQL, the processes that serve this database. Every answer is checked for
having what was asked for.`

const growthBound = 1.3 // from growthFrom to the greatest size

const (
	growthFrom        = 10_000
	growthConnections = 4
	growthCallers     = 4 // on each connection
)

// One installation of a size.
type grown struct {
	rows     int
	database string
	server   *rig.Server
	clients  []*rig.Client
}

type growth struct {
	*kit.Bench
	cluster    *rig.Cluster
	sizes      []*grown
	people     *seedPeople
	categories []string
}

func measureGrowth(b *kit.Bench) {
	b.Explain(growthText)
	g := newGrowth(b)
	var found []map[string]kit.Series
	for _, c := range growthCases {
		found = append(found, g.curve(c))
	}
	g.tables(found)
	g.targets(found)
}

// All sizes in turns, by the name of their database.
func (g *growth) curve(c growthCase) map[string]kit.Series {
	sizes := map[string]*grown{}
	var names []string
	for _, s := range g.sizes {
		sizes[s.database] = s
		names = append(names, s.database)
		g.load(s, c, kit.Pick(g.Bench, 100*time.Millisecond, 400*time.Millisecond))
	}
	return g.Rounds(c.label, names, func(name string) kit.Sample {
		s := sizes[name]
		g.in(s.database, "vacuum user_presence, presence_hold, presence_holder, presence_clock")
		g.load(s, c, kit.Pick(g.Bench, 20*time.Millisecond, 100*time.Millisecond))
		return g.cost(s, c)
	})
}

func (g *growth) cost(s *grown, c growthCase) kit.Sample {
	before := g.clocks(s)
	calls := g.load(s, c, kit.Pick(g.Bench, 200*time.Millisecond, 500*time.Millisecond))
	after := g.clocks(s)
	perCall := func(d time.Duration) float64 { return d.Seconds() * 1e6 / float64(calls) }
	prbald, postgres := after.prbald-before.prbald, time.Duration(0)
	for pid, at := range after.postgres {
		postgres += at - before.postgres[pid]
	}
	return kit.Sample{"cpu_us": perCall(prbald + postgres), "prbald_us": perCall(prbald), "postgres_us": perCall(postgres)}
}

type clocks struct {
	prbald   time.Duration
	postgres map[int]time.Duration // by process
}

func (g *growth) clocks(s *grown) clocks {
	found := clocks{postgres: map[int]time.Duration{}}
	rows, err := g.cluster.Database.SQL().Query(g.Context(),
		"select pid from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()", s.database)
	g.Must(err, "the processes of PostgreSQL")
	for rows.Next() {
		var pid int
		g.Must(rows.Scan(&pid), "a process of PostgreSQL")
		if at, err := kit.CPUOf(pid); err == nil { // it may just have ended
			found.postgres[pid] = at
		}
	}
	g.Must(rows.Err(), "the processes of PostgreSQL")
	found.prbald, err = kit.CPUOf(s.server.PID())
	g.Must(err, "prbald")
	return found
}

// Calls for so long, and answers how often.
func (g *growth) load(s *grown, c growthCase, duration time.Duration) int {
	var group sync.WaitGroup
	end := time.Now().Add(duration)
	counts := make([]int, growthConnections*growthCallers)
	errors := make([]error, len(counts))
	for number := range counts {
		group.Add(1)
		go func() {
			defer group.Done()
			one := &growthCaller{growth: g, grown: s, client: s.clients[number%growthConnections],
				random: rand.New(rand.NewPCG(rand.Uint64(), uint64(number)))}
			for errors[number] == nil && time.Now().Before(end) {
				errors[number] = c.call(one)
				counts[number]++
			}
		}()
	}
	group.Wait()
	sum := 0
	for number, count := range counts {
		g.Must(errors[number], "%s at %d rows", c.label, s.rows)
		sum += count
	}
	return sum
}

func (g *growth) tables(found []map[string]kit.Series) {
	for _, t := range []struct{ name, what, figure string }{
		{"growth", "prbald and PostgreSQL", "cpu_us"},
		{"growth-prbald", "prbald alone", "prbald_us"},
		{"growth-postgresql", "PostgreSQL alone", "postgres_us"},
	} {
		table := &kit.Table{Name: t.name, Title: "CPU per call as the data grows: " + t.what,
			Text:  "In microseconds, by how many rows there are.",
			Chart: kit.Chart{Lines: true, Log: true, XTitle: "rows", YTitle: "CPU, us a call"}}
		for _, s := range g.sizes {
			table.Columns = append(table.Columns, kit.Column{Title: rig.Count(s.rows)})
			table.Chart.X = append(table.Chart.X, float64(s.rows))
		}
		for i, c := range growthCases {
			row := kit.Row{Label: c.label, Short: c.short}
			for _, s := range g.sizes {
				row.Cells = append(row.Cells, found[i][s.database][t.figure])
			}
			table.Rows = append(table.Rows, row)
		}
		g.Table(table)
	}
}

func (g *growth) targets(found []map[string]kit.Series) {
	last := g.sizes[len(g.sizes)-1]
	for _, s := range g.sizes {
		if s.rows != growthFrom || s == last {
			continue
		}
		for i, c := range growthCases {
			g.AtMost(fmt.Sprintf("%s: CPU at %s rows over that at %s", c.label, rig.Count(last.rows), rig.Count(s.rows)),
				found[i][last.database]["cpu_us"].Over(found[i][s.database]["cpu_us"]), growthBound, "")
		}
	}
}
