package rig

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const failoverPatience = 3 * time.Minute

// Failover is a database of two machines, as pg_auto_failover keeps it: a primary
// and a synchronous standby, and a monitor that decides which is which. A machine
// is a keeper and the PostgreSQL that it runs.
type Failover struct {
	trial   *Trial
	folder  string
	monitor *machine
	nodes   []*machine
}

type machine struct {
	name    string
	port    int
	log     string
	process *process
}

// Failover starts one; it ends with the trial. The packages are not among those
// that every test run needs.
func (t *Trial) Failover() *Failover {
	if _, err := exec.LookPath("pg_autoctl"); err != nil {
		t.GiveUp("pg_auto_failover is not on this machine: " +
			"apt-get install pg-auto-failover-cli postgresql-15-auto-failover")
	}
	f := &Failover{trial: t, folder: t.Folder("failover")}
	t.Must(makeHome(f.folder), "folder")
	f.monitor = f.machine("monitor")
	t.Must(f.autoctl("create", "monitor", "--pgdata", f.data(f.monitor), "--pgport", fmt.Sprint(f.monitor.port),
		"--hostname", "127.0.0.1", "--auth", "trust", "--no-ssl"), "monitor")
	t.Must(f.run(f.monitor), "monitor")
	t.Must(f.await(func() bool { return f.ask("select count(*)::text from pgautofailover.node") == "0" }), "monitor")
	for _, name := range []string{"one", "two"} {
		node := f.machine(name)
		f.nodes = append(f.nodes, node)
		t.Must(f.autoctl("create", "postgres", "--pgdata", f.data(node), "--pgport", fmt.Sprint(node.port),
			"--hostname", "127.0.0.1", "--name", name, "--auth", "trust", "--no-ssl", "--pg-hba-lan",
			"--username", "prbal", "--dbname", "prbal", "--monitor", f.monitorURL()), "node %s", name)
		t.Must(f.hastenCheckpoints(node), "node %s", name)
		t.Must(f.run(node), "node %s", name)
	}
	t.Must(f.AwaitPair(), "a primary and its standby")
	return f
}

// A machine that comes back may need a base backup, which begins with a checkpoint
// that PostgreSQL takes minutes for when nothing else is said.
func (f *Failover) hastenCheckpoints(m *machine) error {
	file, err := os.OpenFile(filepath.Join(f.data(m), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteString("\ncheckpoint_timeout = 30s\ncheckpoint_completion_target = 0.1\n")
	return err
}

// URL finds whichever machine is the primary.
func (f *Failover) URL() string {
	return fmt.Sprintf("postgresql://prbal@127.0.0.1:%d,127.0.0.1:%d/prbal?target_session_attrs=read-write",
		f.nodes[0].port, f.nodes[1].port)
}

// AwaitPair waits until there is a primary with a standby that has all of it.
func (f *Failover) AwaitPair() error {
	return f.await(func() bool {
		return f.ask("select string_agg(reportedstate::text, ' ' order by reportedstate::text) "+
			"from pgautofailover.node where reportedstate = goalstate") == "primary secondary"
	})
}

// KillPrimary ends the primary's machine, keeper and all, with SIGKILL.
func (f *Failover) KillPrimary() (name string, err error) {
	name = f.ask("select nodename from pgautofailover.node where reportedstate in ('primary', 'wait_primary', 'single')")
	for _, node := range f.nodes {
		if node.name == name {
			return name, f.kill(node)
		}
	}
	return name, fmt.Errorf("there is no primary")
}

// Repair starts a machine that was killed; it comes back as the standby.
func (f *Failover) Repair(name string) error {
	for _, node := range f.nodes {
		if node.name == name {
			if err := f.run(node); err != nil {
				return err
			}
		}
	}
	return f.AwaitPair()
}

func (f *Failover) machine(name string) *machine {
	port, err := FreePort()
	f.trial.Must(err, "a port")
	m := &machine{name: name, port: port, log: f.trial.Log(name)}
	f.trial.Cleanup(func() { f.kill(m) })
	return m
}

func (f *Failover) data(m *machine) string {
	return filepath.Join(f.folder, m.name)
}

func (f *Failover) monitorURL() string {
	return fmt.Sprintf("postgres://autoctl_node@127.0.0.1:%d/pg_auto_failover", f.monitor.port)
}

// pg_autoctl keeps its own files below the home folder.
func (f *Failover) command(arguments ...string) (*exec.Cmd, error) {
	attributes, err := postgresUser()
	if err != nil {
		return nil, err
	}
	programs, err := postgresProgram("postgres")
	if err != nil {
		return nil, err
	}
	command := exec.Command("pg_autoctl", arguments...)
	command.SysProcAttr = attributes
	command.Dir = "/"
	command.Env = []string{
		"PATH=" + filepath.Dir(programs) + ":" + os.Getenv("PATH"), "HOME=" + f.folder,
		"XDG_CONFIG_HOME=" + f.folder + "/config", "XDG_DATA_HOME=" + f.folder + "/share",
		"XDG_RUNTIME_DIR=" + f.folder + "/run",
	}
	return command, nil
}

func (f *Failover) autoctl(arguments ...string) error {
	command, err := f.command(arguments...)
	if err != nil {
		return err
	}
	return quietly(command)
}

func (f *Failover) run(m *machine) error {
	command, err := f.command("run", "--pgdata", f.data(m))
	if err != nil {
		return err
	}
	m.process, err = startProcess(command, m.log)
	return err
}

// All at once, or the keeper would stop its PostgreSQL in order.
func (f *Failover) kill(m *machine) error {
	if m.process == nil {
		return nil
	}
	all := descendants(m.process.pid())
	m.process.signal(syscall.SIGKILL)
	for _, pid := range all {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	m.process = nil
	return AwaitGone(all, 10*time.Second)
}

func descendants(pid int) []int {
	all := []int{pid}
	for _, child := range Children(pid) {
		all = append(all, descendants(child)...)
	}
	return all
}

// The monitor's answer, "" without one.
func (f *Failover) ask(sql string) string {
	ctx, cancel := context.WithTimeout(f.trial.Context(), 5*time.Second)
	defer cancel()
	link, err := pgx.Connect(ctx, f.monitorURL())
	if err != nil {
		return ""
	}
	defer link.Close(ctx)
	var answer string
	if link.QueryRow(ctx, sql).Scan(&answer) != nil {
		return ""
	}
	return strings.TrimSpace(answer)
}

func (f *Failover) await(holds func() bool) error {
	for deadline := time.Now().Add(failoverPatience); !holds(); time.Sleep(100 * time.Millisecond) {
		if err := f.trial.Context().Err(); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %v; the logs are %s", failoverPatience, filepath.Dir(f.monitor.log))
		}
	}
	return nil
}
