package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"prbal.test/bench/kit"
)

var startPeers = []string{"tonic", "grpc-go", "connect-go", "grpc-cpp", "grpc-java", "grpc-js", "grpcio"}

func init() {
	kit.Register(kit.Part{Name: "start", Order: 6, Title: "Start", Measure: measureStart, Peers: startPeers})
}

const startText = `From the start of the process to the first answer. Of prbald that is SERVING from
the health service and then GetServerInfo; of a peer an Echo. A client tries every
millisecond. All speak TLS and may use both processors, files are in the page cache.

prbald starts in three ways. The first time it makes a PostgreSQL of its own
(initdb), applies all migrations, makes keys and a certificate and adds demo data;
later it starts that PostgreSQL and finds the rest done; and with the PostgreSQL of
somebody else, which runs already, it only connects. Settings are the defaults.

Memory is what is resident 2 seconds after the first answer, with shared pages
divided by who shares them; a peer has answered one call and has no database.`

const startRest = 2 * time.Second // before memory is looked at

// Something that is started: prbald in one way, or a peer.
type starter struct {
	name, label, short string
	ours               bool
	// Starts it, and returns when it has answered.
	start func() started
}

// What runs after that.
type started struct {
	pid, postgres int // 0 when it has none of its own
	stop          func()
}

func measureStart(b *kit.Bench) {
	b.Explain(startText)
	starters := append(ourStarters(b), peerStarters(b)...)
	found := map[string]kit.Series{}
	for _, s := range starters {
		found[s.name] = kit.Series{}
	}
	for round := range b.RoundCount() {
		startRound(b, starters, round, found)
	}
	startTable(b, starters, found)
	memoryTable(b, starters, found)
	sizeTable(b)
}

// All start one after the other and then rest together.
func startRound(b *kit.Bench, starters []starter, round int, found map[string]kit.Series) {
	running := map[string]started{}
	for i := range starters {
		s := starters[i]
		if round%2 == 1 {
			s = starters[len(starters)-1-i]
		}
		b.Progress("round %d of %d, %s", round+1, b.RoundCount(), s.name)
		begin := time.Now()
		running[s.name] = s.start()
		found[s.name].Add(kit.Sample{"start_ms": time.Since(begin).Seconds() * 1e3})
	}
	time.Sleep(startRest)
	for _, s := range starters {
		found[s.name].Add(atRest(b, running[s.name]))
	}
	for _, s := range starters {
		running[s.name].stop()
	}
}

func atRest(b *kit.Bench, r started) kit.Sample {
	all, err := kit.UsageOf(r.pid)
	b.Must(err, "the memory of %d", r.pid)
	sample := kit.Sample{"resident_mb": float64(all.Resident) / 1e6, "threads": float64(threadsOf(r.pid))}
	if r.postgres > 0 {
		database, err := kit.UsageOf(r.postgres)
		b.Must(err, "the memory of PostgreSQL")
		sample["postgres_mb"] = float64(database.Resident) / 1e6
		if isBelow(r.postgres, r.pid) {
			sample["resident_mb"] -= sample["postgres_mb"]
		}
	}
	return sample
}

// Of the process itself, which for some peers has workers besides.
func threadsOf(pid int) int {
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return len(entries)
}

// Whether one process, or one that it has started, has started the other.
func isBelow(pid, ancestor int) bool {
	for pid > 1 && pid != ancestor {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if pid = 0; len(fields) > 1 {
			fmt.Sscan(fields[1], &pid)
		}
	}
	return pid == ancestor
}

func startTable(b *kit.Bench, starters []starter, found map[string]kit.Series) {
	table := &kit.Table{Name: "start", Title: "From the start to the first answer", Text: "In milliseconds.",
		Columns: []kit.Column{{Title: "first answer", Unit: "ms"}}, Chart: kit.Chart{Column: 0}}
	for _, s := range starters {
		table.Rows = append(table.Rows, kit.Row{Label: s.label, Short: s.short, Ours: s.ours,
			Cells: []kit.Figure{found[s.name]["start_ms"]}})
	}
	b.Table(table)
}

func memoryTable(b *kit.Bench, starters []starter, found map[string]kit.Series) {
	table := &kit.Table{Name: "start-memory", Title: "At rest",
		Text:    "Memory of the process (and its workers), and of its own PostgreSQL.",
		Columns: []kit.Column{{Title: "resident", Unit: "MB"}, {Title: "its PostgreSQL", Unit: "MB"}, {Title: "threads"}},
		Chart:   kit.Chart{Column: 0}}
	for _, s := range starters {
		f := found[s.name]
		table.Rows = append(table.Rows, kit.Row{Label: s.label, Short: s.short, Ours: s.ours,
			Cells: []kit.Figure{f["resident_mb"], f["postgres_mb"], f["threads"]}})
	}
	b.Table(table)
}

// What is compiled to a file; the others are scripts or classes for a runtime.
func sizeTable(b *kit.Bench) {
	table := &kit.Table{Name: "start-size", Title: "Size of the program",
		Text: `The executable alone, as built and stripped: libraries of the system that it loads
are not in it. prbald has a whole server in it, the peers an echo. Peers that need an
interpreter or a virtual machine are left out.`,
		Columns: []kit.Column{{Title: "stripped", Unit: "MB"}, {Title: "as built", Unit: "MB"}}, Chart: kit.Chart{Column: 0}}
	add := func(label, short, path string, ours bool) {
		if built, stripped, isProgram := programSize(b, path); isProgram {
			table.Rows = append(table.Rows, kit.Row{Label: label, Short: short, Ours: ours,
				Cells: []kit.Figure{{stripped}, {built}}})
		}
	}
	add("prbald", "prbald", b.Program("prbald"), true)
	for _, s := range peerStarters(b) {
		add(s.label, s.short, b.Peer(s.name, "serve"), false)
	}
	b.Table(table)
}
