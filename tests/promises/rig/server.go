package rig

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

const (
	startPatience = 60 * time.Second // hang bounds, for a busy machine
	stopPatience  = 60 * time.Second
)

// Server is a prbald of a cluster. It keeps its port from start to start.
type Server struct {
	Address string // 127.0.0.1:PORT, gRPC
	Edge    string // 127.0.0.1:PORT, /healthz /readyz /metrics
	// Of this one alone, in place of those of the setup; from its next start on.
	Settings map[string]string

	cluster *Cluster
	number  int
	log     string
	mutex   sync.Mutex // of a start or an end
	process *process
}

func (c *Cluster) newServer(number int) *Server {
	s := &Server{cluster: c, number: number, log: c.trial.Log(fmt.Sprintf("prbald-%d", number))}
	for _, address := range []*string{&s.Address, &s.Edge} {
		port, err := FreePort()
		c.trial.Must(err, "a port")
		*address = fmt.Sprintf("127.0.0.1:%d", port)
	}
	return s
}

func (s *Server) environment() []string {
	mode := "h2c"
	if s.cluster.setup.TLS {
		mode = "tls"
	}
	settings := map[string]string{
		"data": s.cluster.folder, "listen": s.Address, "listen_mode": mode,
		"edge_listen": s.Edge, "admin_socket": fmt.Sprintf("%s/admin-%d.sock", s.cluster.folder, s.number),
		"log_calls": "false", "rate_methods": "false", "connections_per_ip": "10000",
		"drain": "5s", "admission_delay": "0s",
	}
	if !s.cluster.setup.Private {
		settings["database_url"] = s.cluster.Database.URL()
	}
	if len(s.cluster.Standbys) > 0 {
		settings["replica_url"] = s.cluster.standbyURLs()
	}
	for name, value := range s.cluster.setup.Settings {
		settings[name] = value
	}
	for name, value := range s.Settings {
		settings[name] = value
	}
	environment := []string{
		"PATH=" + os.Getenv("PATH"),
		"ASAN_OPTIONS=detect_stack_use_after_return=0:abort_on_error=0",
		"UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1",
	}
	environment = append(environment, s.cluster.setup.Environment...)
	for name, value := range settings {
		environment = append(environment, "PRBAL_"+strings.ToUpper(name)+"="+value)
	}
	return environment
}

// Start starts it and waits until its health is SERVING.
func (s *Server) Start() error {
	if err := s.Launch(); err != nil {
		return err
	}
	return s.AwaitReady(startPatience)
}

// Launch starts it and does not wait.
func (s *Server) Launch() (err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	command := exec.Command(s.cluster.prbald, "serve")
	command.Env = s.environment()
	s.process, err = startProcess(command, s.log)
	return err
}

// AwaitReady returns when the server says by itself that it is SERVING.
func (s *Server) AwaitReady(patience time.Duration) error {
	ctx, cancel := context.WithTimeout(s.cluster.trial.Context(), patience)
	defer cancel()
	for {
		err := s.awaitServing(ctx)
		if err == nil {
			return nil
		}
		if !s.IsRunning() || ctx.Err() != nil {
			return fmt.Errorf("server %d does not serve (its log is %s): %w", s.number, s.log, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// A connection for each attempt: the first start makes the certificate that the
// client needs.
func (s *Server) awaitServing(ctx context.Context) error {
	connection, err := s.cluster.Connect(s.Address)
	if err != nil {
		return err
	}
	defer connection.Close()
	watch, err := healthpb.NewHealthClient(connection).Watch(ctx, &healthpb.HealthCheckRequest{})
	for err == nil {
		var answer *healthpb.HealthCheckResponse
		answer, err = watch.Recv()
		if err == nil && answer.Status == healthpb.HealthCheckResponse_SERVING {
			return nil
		}
	}
	return err
}

// IsRunning tells whether the process is there.
func (s *Server) IsRunning() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.process != nil && s.process.isRunning()
}

// PID is the process, 0 before the first start.
func (s *Server) PID() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.process == nil {
		return 0
	}
	return s.process.pid()
}

// Kill is kill -9, waited for.
func (s *Server) Kill() error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.process == nil {
		return nil
	}
	s.process.signal(syscall.SIGKILL)
	return s.process.await(stopPatience)
}

// Signal sends SIGSTOP, SIGCONT, SIGHUP ...
func (s *Server) Signal(number syscall.Signal) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.process.signal(number)
}

// Terminate is SIGTERM: it drains, and has to end with status 0.
func (s *Server) Terminate() error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.process == nil || !s.process.isRunning() {
		return nil
	}
	s.process.signal(syscall.SIGTERM)
	if err := s.process.await(stopPatience); err != nil {
		return err
	}
	return s.endedWell(s.process)
}

func (s *Server) endedWell(p *process) error {
	if !p.state.Success() {
		return fmt.Errorf("server %d did not end well: %v", s.number, p.state)
	}
	return nil
}

var upgraded = regexp.MustCompile(`process ([0-9]+) serves`)

// Upgrade lets another process take the place of this one, by `prbald upgrade`, and
// waits for the end of the old one. For the server that was started last: it is the
// one to take over from in the data folder that all share.
func (s *Server) Upgrade() error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	command := exec.Command(s.cluster.prbald, "upgrade")
	command.Env = s.environment()
	successor, err := adoptProcess(command, s.log, upgraded)
	if err != nil {
		return err
	}
	old := s.process
	s.process = successor
	if err := old.await(stopPatience); err != nil {
		return err
	}
	return s.endedWell(old)
}

// Probe asks /healthz or /readyz and answers the HTTP status, 0 without one.
func (s *Server) Probe(path string) int {
	client := http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get("http://" + s.Edge + path)
	if err != nil {
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}

// All of /metrics, "" without an answer.
func (s *Server) metrics() string {
	client := http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get("http://" + s.Edge + "/metrics")
	if err != nil {
		return ""
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	return string(text)
}

// What nobody asked for: an end of its own, or words of a sanitizer.
func (s *Server) end() {
	t := s.cluster.trial
	if s.process != nil && !s.process.isRunning() && !s.process.wasKilled() &&
		!s.process.state.Success() {
		t.Broken("server %d ended by itself: %v; %s", s.number, s.process.state, lastLines(s.log))
	}
	if s.process != nil {
		s.process.signal(syscall.SIGCONT)
	}
	if err := s.Terminate(); err != nil {
		t.Broken("%v; %s", err, lastLines(s.log))
		s.Kill()
	}
	text, _ := os.ReadFile(s.log)
	for _, words := range []string{"ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:"} {
		if at := bytes.Index(text, []byte(words)); at >= 0 {
			t.Broken("server %d: %s", s.number, firstLine(text[at:]))
		}
	}
}

func firstLine(text []byte) string {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return string(line)
}

func lastLines(path string) string {
	text, _ := os.ReadFile(path)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return "it said: " + strings.Join(lines[max(0, len(lines)-3):], " | ")
}
