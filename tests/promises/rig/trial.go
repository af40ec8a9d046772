package rig

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	brokenShown = 12              // sentences of what is broken
	shortBound  = 5 * time.Minute // hang bounds: a promise that takes longer is broken
	longBound   = 60 * time.Minute
)

// Trial is one attempt to break one promise. Its methods may be called from any
// goroutine, but for Rand.
type Trial struct {
	ID   string
	Long bool
	Rand *rand.Rand // of the seed; for the goroutine of Run alone, others take Stream()

	seed    uint64
	root    string
	logs    string // build/promises/logs/P1
	folder  string // /tmp/prbal-promises-...: data that goes with the trial
	context context.Context

	mutex    sync.Mutex
	tried    []string
	measured []string
	broken   []string
	late     int // of `broken`: only by a clock
	cleanups []func()
}

// Ends a trial from within; what is broken has been noted.
type giveUp struct{}

func newTrial(parent context.Context, options Options, promise Promise) *Trial {
	t := &Trial{ID: promise.ID, Long: options.Long, root: options.Root, context: parent}
	hash := fnv.New64a()
	fmt.Fprintf(hash, "%d %s", options.Seed, promise.ID)
	t.seed = hash.Sum64()
	t.Rand = t.Stream(0)
	t.logs = filepath.Join(options.Root, "build", "promises", "logs", promise.ID)
	return t
}

// Alone runs something that is no promise but needs what trials have, and answers
// what went wrong.
func Alone(parent context.Context, root, name string, run func(t *Trial)) []string {
	promise := Promise{ID: name, Run: run, Named: true}
	t := newTrial(parent, Options{Root: root}, promise)
	t.run(promise)
	removeTemplate()
	return t.broken
}

func (t *Trial) run(promise Promise) {
	bound := shortBound
	if t.Long || promise.Named {
		bound = longBound
	}
	ctx, cancel := context.WithTimeout(t.context, bound)
	defer cancel()
	t.context = ctx
	if err := t.makeFolders(); err != nil {
		t.Broken("%v", err)
		return
	}
	t.guarded(func() { promise.Run(t) })
	for len(t.cleanups) > 0 {
		last := len(t.cleanups) - 1
		t.guarded(t.cleanups[last])
		t.cleanups = t.cleanups[:last]
	}
	if ctx.Err() != nil && len(t.broken) == 0 {
		t.Broken("it did not come to its end: %v", context.Cause(ctx))
	}
	os.RemoveAll(t.folder)
}

func (t *Trial) makeFolders() (err error) {
	os.RemoveAll(t.logs)
	if err = os.MkdirAll(t.logs, 0o755); err != nil {
		return err
	}
	// Short enough for a socket, and open to the user postgres.
	if t.folder, err = os.MkdirTemp("", "prbal-promises-"); err != nil {
		return err
	}
	return os.Chmod(t.folder, 0o711)
}

func (t *Trial) guarded(run func()) {
	defer func() {
		switch reason := recover().(type) {
		case nil, giveUp:
		default:
			t.Broken("panic: %v\n%s", reason, debug.Stack())
		}
	}()
	run()
}

// Stream is a source of random numbers for one goroutine: the same number gives
// the same source in every run with the same seed.
func (t *Trial) Stream(number int) *rand.Rand {
	return rand.New(rand.NewPCG(t.seed, uint64(number)))
}

// Size is the first number in a short run and the second one in a long run.
func (t *Trial) Size(short, long int) int {
	if t.Long {
		return long
	}
	return short
}

// Time is the same for how long something goes on.
func (t *Trial) Time(short, long time.Duration) time.Duration {
	if t.Long {
		return long
	}
	return short
}

// Context ends when the trial takes too long, or is interrupted.
func (t *Trial) Context() context.Context {
	return t.context
}

// Folder is for files of the trial; it is gone after it.
func (t *Trial) Folder(name string) string {
	return filepath.Join(t.folder, name)
}

// Log is where a file is kept after the trial, until the next one of its promise.
func (t *Trial) Log(name string) string {
	return filepath.Join(t.logs, name)
}

// Tried says what the figures stand on: Tried("kills", 5).
func (t *Trial) Tried(what string, count int) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.tried = append(t.tried, Count(count)+" "+what)
}

// Measured adds a figure: Measured("%d overlaps", 0).
func (t *Trial) Measured(format string, arguments ...any) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.measured = append(t.measured, fmt.Sprintf(format, arguments...))
}

// Broken says in a sentence how the promise was broken. The trial goes on.
func (t *Trial) Broken(format string, arguments ...any) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.broken = append(t.broken, fmt.Sprintf(format, arguments...))
}

// Expect is Broken() unless it holds.
func (t *Trial) Expect(holds bool, format string, arguments ...any) {
	if !holds {
		t.Broken(format, arguments...)
	}
}

// ExpectInTime is Expect() for what is measured by a clock: a machine that is busy
// with others may be the cause, and the promise is tried once more by itself.
func (t *Trial) ExpectInTime(holds bool, format string, arguments ...any) {
	if holds {
		return
	}
	t.Broken(format, arguments...)
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.late++
}

// Whether nothing is wrong but that it took too long.
func (t *Trial) isOnlyLate() bool {
	return t.late > 0 && t.late == len(t.broken)
}

// GiveUp ends the trial, broken. For the goroutine of Run.
func (t *Trial) GiveUp(sentence string) {
	t.Broken("%s", sentence)
	panic(giveUp{})
}

// Must ends the trial when there is an error. For the goroutine of Run.
func (t *Trial) Must(err error, format string, arguments ...any) {
	if err != nil {
		t.Broken("%s: %v", fmt.Sprintf(format, arguments...), err)
		panic(giveUp{})
	}
}

// Cleanup runs after the trial, last one first, however it ends.
func (t *Trial) Cleanup(run func()) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.cleanups = append(t.cleanups, run)
}

// Together runs work(0) ... work(count-1) side by side until all are done.
func (t *Trial) Together(count int, work func(number int)) {
	var group sync.WaitGroup
	for number := range count {
		group.Add(1)
		go func() {
			defer group.Done()
			t.guarded(func() { work(number) })
		}()
	}
	group.Wait()
}

func (t *Trial) figures() string {
	text := strings.Join(t.tried, ", ")
	if len(t.measured) > 0 {
		text += "; " + strings.Join(t.measured, ", ")
	}
	return text
}

// Count writes 12034 as 12,034.
func Count(number int) string {
	text := fmt.Sprint(number)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Percentile of times; 100 is the longest one, and 0 without any.
func Percentile(times []time.Duration, percent int) time.Duration {
	if len(times) == 0 {
		return 0
	}
	sorted := slices.Clone(times)
	slices.Sort(sorted)
	return sorted[min(len(sorted)*percent/100, len(sorted)-1)]
}
