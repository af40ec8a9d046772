package kit

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"prbal.test/promises/rig"
)

const startPatience = 60 * time.Second

// Program that is measured: a peer, or one of ours that keeps the peers' contract
// (tests/bench/peers/README.md).
type Program struct {
	Name    string
	Address string // 127.0.0.1:PORT

	bench   *Bench
	command *exec.Cmd
	log     string
	ended   chan struct{}
}

// Launch says how a program is started.
type Launch struct {
	Name      string // of the contender, and of its log
	Path      string
	TLS       bool
	Threads   int      // 1 when 0
	Arguments []string // more of them
	CPUs      CPUs     // where it may run; everywhere when empty
	// Of a program that does not take the peers' arguments: all of its own.
	Own func(address, certificate, key string) []string
}

// CPUs are the processors that a program is held to; taskset's notation: "0", "0,1".
type CPUs string

// Where a server and its load are when they are kept apart, and when they are not.
const (
	ServerCPU CPUs = "0"
	LoadCPU   CPUs = "1"
	BothCPUs  CPUs = "0,1"
)

// On is a command that is held to these processors.
func (c CPUs) On(path string, arguments ...string) *exec.Cmd {
	if c == "" {
		return exec.Command(path, arguments...)
	}
	return exec.Command("taskset", append([]string{"-c", string(c), path}, arguments...)...)
}

// Start starts a program and waits until it is ready. It ends with Stop() or with
// the part.
func (b *Bench) Start(l Launch) *Program {
	port, err := rig.FreePort()
	b.Must(err, "a port")
	p := &Program{Name: l.Name, Address: fmt.Sprintf("127.0.0.1:%d", port), bench: b,
		log: b.Log(l.Name), ended: make(chan struct{})}
	p.command = l.CPUs.On(l.Path, b.arguments(l, p.Address)...)
	b.Must(p.run(), "%s; its log is %s", l.Name, p.log)
	b.Cleanup(p.Stop)
	return p
}

func (b *Bench) arguments(l Launch, address string) []string {
	certificate, key := "", ""
	if l.TLS {
		certificate, key = b.certificate()
	}
	if l.Own != nil {
		return append(l.Own(address, certificate, key), l.Arguments...)
	}
	arguments := []string{"--listen", address, "--threads", fmt.Sprint(max(l.Threads, 1))}
	if l.TLS {
		arguments = append(arguments, "--tls", certificate, key)
	}
	return append(arguments, l.Arguments...)
}

func (p *Program) run() error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	p.command.Stderr = log
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	output, err := p.command.StdoutPipe()
	if err != nil {
		return err
	}
	if err = p.command.Start(); err != nil {
		return err
	}
	ready := make(chan struct{})
	go p.read(bufio.NewScanner(output), ready)
	select {
	case <-ready:
		return nil
	case <-p.ended:
		return fmt.Errorf("it ended before it was ready: %v", p.command.ProcessState)
	case <-time.After(startPatience):
		return fmt.Errorf("it is not ready after %v", startPatience)
	}
}

// Ours says the port when it is ready, for scripts that let it choose one.
func (p *Program) read(lines *bufio.Scanner, ready chan struct{}) {
	_, port, _ := strings.Cut(p.Address, ":")
	isReady := false
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if !isReady && (line == "ready" || line == port) {
			isReady = true
			close(ready)
		}
	}
	p.command.Wait()
	close(p.ended)
}

// PID of the program; taskset has become it.
func (p *Program) PID() int {
	return p.command.Process.Pid
}

// Usage so far, of it and its workers.
func (p *Program) Usage() Usage {
	usage, err := UsageOf(p.PID())
	p.bench.Must(err, "%s has ended; its log is %s", p.Name, p.log)
	return usage
}

// Stop ends it by SIGTERM, and by SIGKILL when that is not enough.
func (p *Program) Stop() {
	p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		for _, pid := range tree(p.PID()) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		<-p.ended
	}
}

// A certificate of localhost, made once for a part.
func (b *Bench) certificate() (certificate, key string) {
	certificate, key = b.Folder("certificate.pem"), b.Folder("key.pem")
	if _, err := os.Stat(key); err == nil {
		return certificate, key
	}
	output, err := exec.Command("openssl", "req", "-x509", "-newkey", "ec",
		"-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
		"-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
		"-keyout", key, "-out", certificate).CombinedOutput()
	b.Must(err, "a certificate: %s", output)
	return certificate, key
}
