package kit

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"prbal.test/promises/rig"
)

// Usage is what a process and those that it has started have used so far.
type Usage struct {
	CPU      time.Duration // user and system, of all threads, ended ones too
	Resident int64         // bytes
}

// UsageOf reads it for a tree of processes. Time of children that have ended
// counts once their parent has waited for them.
func UsageOf(pid int) (Usage, error) {
	var sum Usage
	for _, one := range tree(pid) {
		usage, err := usageOfOne(one)
		if err != nil && one == pid {
			return Usage{}, err
		}
		sum.CPU += usage.CPU
		sum.Resident += usage.Resident
	}
	return sum, nil
}

func tree(pid int) []int {
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		all = append(all, rig.Children(all[i])...)
	}
	return all
}

// CPUOf is the time of one process alone, without its children.
func CPUOf(pid int) (time.Duration, error) {
	return processClock(pid)
}

func usageOfOne(pid int) (Usage, error) {
	cpu, err := processClock(pid)
	if err != nil {
		return Usage{}, err
	}
	return Usage{CPU: cpu + endedChildren(pid), Resident: residentBytes(pid)}, nil
}

// The CPU clock of another process has nanoseconds, where /proc/PID/stat has
// hundredths of a second. Its number is made as clock_getcpuclockid(3) makes it.
func processClock(pid int) (time.Duration, error) {
	const scheduler = 2
	var at unix.Timespec
	clock := int32(^pid<<3 | scheduler)
	if err := unix.ClockGettime(clock, &at); err != nil {
		return 0, fmt.Errorf("the CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(at.Nano()), nil
}

// cutime and cstime of proc(5), in hundredths of a second.
func endedChildren(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var ticks int64
	for _, field := range fields[13:15] {
		count, _ := strconv.ParseInt(field, 10, 64)
		ticks += count
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// What is resident, with shared pages counted once: proportional to who shares
// them, so that worker processes of one server add up.
func residentBytes(pid int) int64 {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "smaps_rollup"))
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, "Pss:") {
			kilobytes, _ := strconv.ParseInt(strings.Fields(line)[1], 10, 64)
			return kilobytes * 1024
		}
	}
	return 0
}
