package rig

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A program that runs beside the trial. The kernel kills it with this process.
type process struct {
	name   string
	system *os.Process
	state  *os.ProcessState // once it has ended
	ended  chan struct{}
	mutex  sync.Mutex
	killed bool // by us: its end says nothing
}

// Its output is appended to the file `log`.
func startProcess(command *exec.Cmd, log string) (*process, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	command.Stdout, command.Stderr = file, file
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	command.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := command.Start(); err != nil {
		return nil, err
	}
	return watchProcess(filepath.Base(command.Path), command.Process), nil
}

func watchProcess(name string, system *os.Process) *process {
	p := &process{name: name, system: system, ended: make(chan struct{})}
	go func() {
		p.state, _ = system.Wait()
		close(p.ended)
	}()
	return p
}

const prSetChildSubreaper = 36 // prctl(2)

// Runs a command that leaves a process behind when it ends, which is ours then: we
// are made the parent of orphans for it. `find` reads its number in what was said.
func adoptProcess(command *exec.Cmd, log string, find *regexp.Regexp) (*process, error) {
	_, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0)
	if errno != 0 {
		return nil, errno
	}
	before, _ := os.ReadFile(log)
	launcher, err := startProcess(command, log)
	if err != nil {
		return nil, err
	}
	if err := launcher.await(startPatience); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(log)
	if err != nil {
		return nil, err
	}
	found := find.FindSubmatch(text[len(before):])
	if found == nil {
		return nil, fmt.Errorf("%s: %s", launcher.name, lastLines(log))
	}
	pid, _ := strconv.Atoi(string(found[1]))
	system, err := os.FindProcess(pid)
	if err != nil {
		return nil, err
	}
	return watchProcess(launcher.name, system), nil
}

func (p *process) pid() int {
	return p.system.Pid
}

func (p *process) isRunning() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// An end by one of these signals is none of the program's own.
func (p *process) signal(number syscall.Signal) {
	if number == syscall.SIGKILL {
		p.mutex.Lock()
		p.killed = true
		p.mutex.Unlock()
	}
	p.system.Signal(number)
}

func (p *process) wasKilled() bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.killed
}

func (p *process) await(patience time.Duration) error {
	select {
	case <-p.ended:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("%s (process %d) still runs after %v",
			p.name, p.pid(), patience)
	}
}

// Children lists the processes that a process has started and that still run.
func Children(pid int) []int {
	var children []int
	entries, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, entry := range entries {
		text, err := os.ReadFile(entry)
		if err != nil {
			continue
		}
		// pid (name) state parent ...
		after := string(text[strings.LastIndexByte(string(text), ')')+1:])
		if fields := strings.Fields(after); len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			child, _ := strconv.Atoi(strings.Split(entry, "/")[2])
			children = append(children, child)
		}
	}
	return children
}

// A process and its children, of which it makes no more: it is stopped.
func stoppedTree(pid int) []int {
	syscall.Kill(pid, syscall.SIGSTOP)
	return append([]int{pid}, Children(pid)...)
}

// killTree ends a process and its children with SIGKILL, and waits for all.
func killTree(pid int) error {
	all := stoppedTree(pid)
	for _, one := range all {
		syscall.Kill(one, syscall.SIGKILL)
	}
	return AwaitGone(all, 10*time.Second)
}

// AwaitGone waits until none of the processes is there any more.
func AwaitGone(pids []int, patience time.Duration) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		left := 0
		for _, pid := range pids {
			if isAlive(pid) {
				left++
			}
		}
		if left == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of the processes %v are still there", left, pids)
		}
	}
}

// A zombie has ended.
func isAlive(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	after := strings.TrimSpace(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	return !strings.HasPrefix(after, "Z") && !strings.HasPrefix(after, "X")
}

// FreePort is one below the range from which the kernel gives ports to clients,
// so that nobody takes it while its server is down.
func FreePort() (int, error) {
	for range 1000 {
		port := 20000 + rand.IntN(12000)
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			listener.Close()
			return port, nil
		}
	}
	return 0, fmt.Errorf("no port is free")
}
