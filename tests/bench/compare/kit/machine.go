package kit

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// Machine is where and with what the figures were found.
type Machine struct {
	Processor string
	Count     int
	Memory    string
	System    string
	Kernel    string
	Versions  []string // of what every part uses
	Revision  string   // of Prbal
	Date      string
}

func thisMachine(root string) Machine {
	return Machine{
		Processor: field("/proc/cpuinfo", "model name"),
		Count:     runtime.NumCPU(),
		Memory:    memory(),
		System:    strings.Trim(field("/etc/os-release", "PRETTY_NAME"), `"`),
		Kernel:    says("uname", "-r"),
		Versions: []string{
			says("gcc", "--version"), says("h2load", "--version"),
			says("psql", "--version"), "libnghttp2 " + says("pkg-config", "--modversion", "libnghttp2"),
			"OpenSSL " + says("pkg-config", "--modversion", "libcrypto"),
			"libpq " + says("pkg-config", "--modversion", "libpq"),
		},
		Revision: revision(root),
		Date:     time.Now().UTC().Format("2006-01-02"),
	}
}

// Of the sources: what the bench itself writes into docs/ is no change of them.
func revision(root string) string {
	commit := says("git", "-C", root, "describe", "--always")
	if exec.Command("git", "-C", root, "diff", "--quiet", "HEAD", "--", ".", ":!docs").Run() != nil {
		commit += ", changed"
	}
	return commit
}

// The first value of "name : value" or "name=value" in a file.
func field(path, name string) string {
	text, _ := os.ReadFile(path)
	for _, line := range strings.Split(string(text), "\n") {
		rest, isIt := strings.CutPrefix(line, name)
		if !isIt {
			continue
		}
		if at := strings.IndexAny(rest, ":="); at >= 0 {
			return strings.TrimSpace(rest[at+1:])
		}
	}
	return "unknown"
}

func memory() string {
	var kilobytes float64
	fmt.Sscan(field("/proc/meminfo", "MemTotal"), &kilobytes)
	return fmt.Sprintf("%.0f GB", kilobytes/1024/1024)
}

// The first line that a program says.
func says(program string, arguments ...string) string {
	output, err := exec.Command(program, arguments...).Output()
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(output), "\n")
	return strings.TrimSpace(line)
}
