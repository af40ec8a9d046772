package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"prbal.test/bench/kit"
)

// What PostgreSQL alone can do: pgbench with the statements that Prbal sends
// (tests/bench/floor/make), one after the other or pipelined.
type floor struct {
	script    string // of tests/bench/floor, without .floor
	calls     int    // in a round
	variables map[string]int
	repeated  int // how many calls the pipelined script makes as one transaction
}

const (
	floorClients   = 8
	floorPlain     = "pgbench"
	floorPipelined = "pgbench-pipelined"
)

var floorLabels = map[string]string{floorPlain: "pgbench, one statement after the other",
	floorPipelined: "pgbench, pipelined"}

var floorNames = []string{floorPlain, floorPipelined}

func (m *marketplace) makeFloors() {
	output, err := exec.Command(filepath.Join(m.Root, "tests", "bench", "floor", "make"), m.Folder("floor")).CombinedOutput()
	m.Must(err, "the scripts of pgbench: %s", output)
	m.Must(os.WriteFile(m.Folder("floor/nothing.sql"), []byte("select 1;\n"), 0o644), "a script")
}

// What a call costs: "cpu_us" of pgbench itself, "pg_us", "both_us", and "rate".
// What it costs to start and to connect is measured apart and not counted.
func (m *marketplace) costOfFloor(f *floor, name string) kit.Sample {
	script, calls := f.script, f.calls
	repeated := 1
	if name == floorPipelined {
		script, repeated = f.script+"_pipelined", f.repeated
	}
	start := m.pgbench("nothing", 1, nil)
	turns := max(1, calls/repeated/floorClients)
	run := m.pgbench(script, turns, f.variables)
	f.variables["first"] += turns * floorClients
	each := func(used time.Duration) float64 {
		return used.Seconds() * 1e6 / float64(turns*repeated*floorClients)
	}
	client, postgres := each(run.client-start.client), each(run.postgres-start.postgres)
	return kit.Sample{"cpu_us": client, "pg_us": postgres, "both_us": client + postgres, "rate": run.rate * float64(repeated)}
}

type floorRun struct {
	client, postgres time.Duration // CPU
	rate             float64       // transactions a second
}

var (
	floorRate = regexp.MustCompile(`(?m)^tps = ([0-9.]+) `)
	floorDone = regexp.MustCompile(`(?m)^number of transactions actually processed: (\d+)/`)
)

func (m *marketplace) pgbench(script string, turns int, variables map[string]int) floorRun {
	arguments := []string{"--no-vacuum", "--protocol=prepared", "--client=" + itoa(floorClients), "--jobs=2",
		"--transactions=" + itoa(turns), "--file=" + m.Folder("floor/"+script+".sql"),
		"--define=clients=" + itoa(floorClients), "--define=k=0"}
	for name, value := range variables {
		arguments = append(arguments, fmt.Sprintf("--define=%s=%d", name, value))
	}
	before := m.postgresCPU()
	command := exec.Command("pgbench", append(arguments, m.cluster.Database.URL())...)
	output, err := command.CombinedOutput()
	m.Must(err, "pgbench of %s: %s", script, output)
	rate, done := floorRate.FindSubmatch(output), floorDone.FindSubmatch(output)
	if rate == nil || done == nil || string(done[1]) != itoa(turns*floorClients) {
		m.GiveUp(fmt.Sprintf("pgbench of %s: %s", script, output))
	}
	perSecond, _ := strconv.ParseFloat(string(rate[1]), 64)
	state := command.ProcessState
	return floorRun{client: state.UserTime() + state.SystemTime(), postgres: m.postgresCPU() - before, rate: perSecond}
}

func (m *marketplace) postgresCPU() time.Duration {
	usage, err := kit.UsageOf(m.cluster.Database.PID())
	m.Must(err, "PostgreSQL has ended")
	return usage.CPU
}
