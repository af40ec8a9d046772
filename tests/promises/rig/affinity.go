package rig

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"
)

// Apart gives the last processor to this program and the others to the servers
// and PostgreSQL, so that a load that is too much for them does not slow down
// whoever makes and measures it. Answers whether there are two to share.
func (c *Cluster) Apart() bool {
	count := runtime.NumCPU()
	if count < 2 {
		return false
	}
	pids := []int{c.Database.PID()}
	pids = append(pids, Children(c.Database.PID())...)
	for _, server := range c.Servers {
		pids = append(pids, server.PID())
	}
	for _, pid := range pids {
		c.trial.Must(pin(pid, 0, count-1), "the processors of %d", pid)
	}
	c.trial.Must(pin(os.Getpid(), count-1, count), "the processors of the rig")
	c.trial.Cleanup(func() { pin(os.Getpid(), 0, count) })
	return true
}

// Every thread of a process; those that it starts later inherit.
func pin(pid, from, to int) error {
	var mask [16]uint64
	for cpu := from; cpu < to; cpu++ {
		mask[cpu/64] |= 1 << (cpu % 64)
	}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*", pid))
	for _, task := range tasks {
		thread, _ := strconv.Atoi(filepath.Base(task))
		_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, uintptr(thread),
			unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask)))
		if errno != 0 && errno != syscall.ESRCH {
			return errno
		}
	}
	return nil
}
