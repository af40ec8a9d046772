package rig

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

const postgresPatience = 60 * time.Second // to start, recovery included

// Postgres is the throw-away database of a cluster, laid out like the private one
// of a data folder (db/embedded.h), so that prbald can also run it by itself.
type Postgres struct {
	home      string // <data folder>/pg: the cluster and its socket
	log       string
	own       bool   // we run it, and not prbald
	elsewhere string // the URL of one that neither of us runs
	process   *process
	trial     *Trial
	pool      *pgxpool.Pool
	options   []string // of its own, for the command line
}

// The newest PostgreSQL of Debian's.
func postgresProgram(name string) (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	best, newest := "", 0
	for _, path := range found {
		major, _ := strconv.Atoi(strings.Split(path, "/")[4])
		if major > newest {
			best, newest = path, major
		}
	}
	if best == "" {
		return "", fmt.Errorf("there is no %s; scripts/packages run installs PostgreSQL", name)
	}
	return best, nil
}

// PostgreSQL refuses to be root: then it is the user postgres.
func postgresUser() (*syscall.SysProcAttr, error) {
	if os.Geteuid() != 0 {
		return &syscall.SysProcAttr{}, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, _ := strconv.Atoi(account.Uid)
	gid, _ := strconv.Atoi(account.Gid)
	credential := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return &syscall.SysProcAttr{Credential: credential}, nil
}

func postgresCommand(program string, arguments ...string) (*exec.Cmd, error) {
	path, err := postgresProgram(program)
	if err != nil {
		return nil, err
	}
	attributes, err := postgresUser()
	if err != nil {
		return nil, err
	}
	command := exec.Command(path, arguments...)
	command.SysProcAttr = attributes
	command.Dir = "/"
	return command, nil
}

// URL is for libpq and for pgx.
func (p *Postgres) URL() string {
	if p.elsewhere != "" {
		return p.elsewhere
	}
	return fmt.Sprintf("host=%s port=5432 user=prbal dbname=prbal", p.home)
}

// StandardURL is for who takes no other form.
func (p *Postgres) StandardURL() string {
	return "postgresql://prbal@/prbal?host=" + p.home
}

// Start starts it with the settings of a real one (what is committed is on the
// disk) and waits until it takes connections.
func (p *Postgres) Start() error {
	arguments := append([]string{"-D", filepath.Join(p.home, "data"),
		"-c", "listen_addresses=", "-c", "port=5432", "-c", "unix_socket_directories=" + p.home,
		"-c", "unix_socket_permissions=0700", "-c", "max_connections=200", "-c", "jit=off",
		"-c", "shared_buffers=128MB", "-c", "max_wal_size=2GB", "-c", "timezone=UTC",
		"-c", "log_line_prefix=%m [%p] ", "-c", "log_min_duration_statement=1000",
		"-c", "max_parallel_workers_per_gather=0", "-c", "random_page_cost=1.1"}, p.options...)
	command, err := postgresCommand("postgres", arguments...)
	if err != nil {
		return err
	}
	if p.process, err = startProcess(command, p.log); err != nil {
		return err
	}
	return p.AwaitReady(postgresPatience)
}

// AwaitReady waits until it answers.
func (p *Postgres) AwaitReady(patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		pool, err := pgxpool.New(ctx, p.URL()+" dbname=postgres")
		if err == nil {
			err = pool.Ping(ctx)
			pool.Close()
		}
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || (p.process != nil && !p.process.isRunning()) {
			return fmt.Errorf("PostgreSQL does not answer (its log is %s): %w", p.log, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// PID is the postmaster's, whoever runs it; 0 when there is none.
func (p *Postgres) PID() int {
	text, err := os.ReadFile(filepath.Join(p.home, "data", "postmaster.pid"))
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.SplitN(string(text), "\n", 2)[0])
	if pid == 0 || !isAlive(pid) || !worksIn(pid, filepath.Join(p.home, "data")) {
		return 0
	}
	return pid
}

// Numbers come again: a file that a killed one has left may name another process.
func worksIn(pid int, folder string) bool {
	place, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	return err == nil && place == folder
}

// Kill ends all its processes with SIGKILL.
func (p *Postgres) Kill() error {
	pid := p.PID()
	if pid == 0 {
		return nil
	}
	// All at once: children of one that is gone are not found any more.
	err := killTree(pid)
	if p.process != nil {
		p.process.signal(syscall.SIGKILL)
	}
	return err
}

// Silence stops all its processes: it is there, and says nothing.
func (p *Postgres) Silence() error {
	return p.signal(syscall.SIGSTOP)
}

// Wake lets them go on.
func (p *Postgres) Wake() error {
	return p.signal(syscall.SIGCONT)
}

func (p *Postgres) signal(number syscall.Signal) error {
	pid := p.PID()
	if pid == 0 {
		return fmt.Errorf("there is no PostgreSQL")
	}
	for _, one := range stoppedTree(pid) {
		syscall.Kill(one, number)
	}
	return nil
}

// Stop is the fast shutdown.
func (p *Postgres) Stop() error {
	if p.process == nil || !p.process.isRunning() {
		return nil
	}
	p.process.signal(syscall.SIGINT)
	return p.process.await(postgresPatience)
}

// SQL is a pool for whoever checks; it finds a database that came back by itself.
func (p *Postgres) SQL() *pgxpool.Pool {
	p.trial.mutex.Lock()
	defer p.trial.mutex.Unlock()
	if p.pool == nil {
		config, err := pgxpool.ParseConfig(p.URL())
		if err == nil {
			config.MaxConns = 4
			p.pool, err = pgxpool.NewWithConfig(context.Background(), config)
		}
		if err != nil {
			panic(err)
		}
	}
	return p.pool
}

// Exec runs a statement, and ends the trial when it fails.
func (p *Postgres) Exec(sql string, arguments ...any) {
	_, err := p.SQL().Exec(p.trial.Context(), sql, arguments...)
	p.trial.Must(err, "%s", sql)
}

// Number is the integer that a query answers.
func (p *Postgres) Number(sql string, arguments ...any) int {
	var number int
	err := p.SQL().QueryRow(p.trial.Context(), sql, arguments...).Scan(&number)
	p.trial.Must(err, "%s", sql)
	return number
}
