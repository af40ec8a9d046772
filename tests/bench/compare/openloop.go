package main

import (
	"fmt"
	"time"

	"prbal.test/bench/kit"
)

const openText = `Calls come at random moments (a Poisson process), so many a second on average
whatever the answers do, and the time of each counts from the moment at which it
was due: a server that stops for a while is charged for all that came meanwhile.
The last column is how late the load itself was in sending; it is part of the
other figures. Calls that find 10 others in flight on their connection wait, and
that counts too.`

// GetService at rates that clients choose, and not the server.
func (m *read) latencies() {
	t := m.getService()
	rates := []float64{2000, 5000, 10_000}
	duration := kit.Pick(m.Bench, 300*time.Millisecond, 1200*time.Millisecond)
	table := &kit.Table{Name: "read-latency", Title: "GetService: latency under load", Text: openText, Chart: kit.Chart{Column: 1},
		Columns: []kit.Column{{Title: "p50", Unit: "us"}, {Title: "p99", Unit: "us"}, {Title: "p99.9", Unit: "us"},
			{Title: "sent late, p99", Unit: "us"}}}
	for _, rate := range rates {
		what := fmt.Sprintf("GetService, %.0f calls/s", rate)
		found := m.Rounds(what, openRivals, func(name string) kit.Sample {
			return m.openLoop(m.rival(name), t, rate, duration)
		})
		for _, name := range openRivals {
			r, s := m.rival(name), found[name]
			table.Rows = append(table.Rows, kit.Row{Label: fmt.Sprintf("%s, %.0f/s", r.label, rate), Ours: r.ours,
				Cells: []kit.Figure{s["p50_us"], s["p99_us"], s["p999_us"], s["late_us"]}})
		}
	}
	m.Table(table)
}

// Those that can keep up.
var openRivals = []string{"prbal", "go-pgx", "tonic-postgres"}

func (m *read) openLoop(r *rival, t *task, rate float64, duration time.Duration) kit.Sample {
	callers := m.connect(r, m.target(r, t))
	defer callers.Close()
	result, err := callers.Open(rate, duration, m.Rand.Uint64())
	m.Must(err, "%s", r.name)
	return kit.Sample{"p50_us": microseconds(result.Percentile(50)), "p99_us": microseconds(result.Percentile(99)),
		"p999_us": microseconds(result.Percentile(99.9)), "late_us": microseconds(result.Lateness(99))}
}
