package kit

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"prbal.test/promises/rig"
)

// Bench is one run of one part. What cannot go on ends the part by Must() of the
// trial, and the part has failed.
type Bench struct {
	*rig.Trial
	Root  string // of the source tree
	Quick bool   // few rounds, small sizes: to see that all works

	part   Part
	begin  time.Time
	calls  map[string]int // of callsFor()
	result *Result
}

// Program is a path in the release build of Prbal.
func (b *Bench) Program(name string) string {
	return filepath.Join(b.Root, "build", "release", name)
}

// Peer is a file that the build of a peer has left.
func (b *Bench) Peer(name, file string) string {
	return filepath.Join(b.Root, "build", "bench", "peers", name, file)
}

// PeerVersion is what the peer says of itself.
func (b *Bench) PeerVersion(name string) string {
	text, err := os.ReadFile(b.Peer(name, "version"))
	b.Must(err, "the version of %s", name)
	return string(text[:max(0, len(text)-1)])
}

// Scratch is a file in memory, for what a load generator writes.
func (b *Bench) Scratch(name string) string {
	return filepath.Join("/dev/shm", filepath.Base(b.Folder(""))+"-"+name)
}

// Progress says what is done now, on the line that moves or, without a terminal,
// once in a while.
func (b *Bench) Progress(format string, arguments ...any) {
	showProgress(fmt.Sprintf("%-8s %5.0f s  %s", b.part.Name,
		time.Since(b.begin).Seconds(), fmt.Sprintf(format, arguments...)))
}

var lastShown time.Time

func showProgress(line string) {
	info, err := os.Stderr.Stat()
	if err == nil && info.Mode()&os.ModeCharDevice != 0 {
		fmt.Fprintf(os.Stderr, "\r\033[K%.100s", line)
		return
	}
	if time.Since(lastShown) > 20*time.Second {
		lastShown = time.Now()
		fmt.Fprintln(os.Stderr, line)
	}
}

func clearProgress() {
	if info, err := os.Stderr.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		fmt.Fprint(os.Stderr, "\r\033[K")
	}
}
