package drive

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Open makes calls at moments that no answer moves: at random, so many a second on
// average (a Poisson process), of the same seed at the same moments. A call's time
// counts from the moment at which it was due, so what a slow answer keeps waiting
// counts too: there is no coordinated omission. When InFlight calls of a connection
// have no answer yet, further ones wait here.
func (c *Callers) Open(rate float64, duration time.Duration, seed uint64) (Result, error) {
	begin := time.Now()
	run := &openRun{callers: c, due: schedule(begin, rate, duration, seed), stop: make(chan struct{})}
	times := make([][]time.Duration, len(c.links))
	paced := make(chan error, 1)
	go func() { paced <- run.pace() }()
	err := c.each(func(number int, one link) (err error) {
		times[number], err = run.readAll(number, one.(*grpcLink))
		return err
	})
	close(run.stop)
	if paceError := <-paced; err == nil {
		err = paceError
	}
	result := collect(begin, times)
	slices.Sort(run.late)
	result.Late = run.late
	return result, err
}

type openRun struct {
	callers *Callers
	due     []time.Time // of call i, which is on connection i % connections
	late    []time.Duration
	stop    chan struct{} // nobody reads any more
}

func schedule(begin time.Time, rate float64, duration time.Duration, seed uint64) []time.Time {
	random := rand.New(rand.NewPCG(seed, 0))
	var due []time.Time
	for at := 0.0; at < duration.Seconds(); at += random.ExpFloat64() / rate {
		due = append(due, begin.Add(time.Duration(at*1e9)))
	}
	return due
}

// A thread of its own, whose sleep the kernel ends within microseconds: the
// runtime's own timers have milliseconds.
func (r *openRun) pace() error {
	runtime.LockOSThread()
	// Must not end with its thread: programs that it has started would end, too.
	defer runtime.UnlockOSThread()
	unix.Prctl(unix.PR_SET_TIMERSLACK, 1000, 0, 0, 0)
	defer unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0)
	r.late = make([]time.Duration, 0, len(r.due))
	for i := 0; i < len(r.due); {
		select {
		case <-r.stop:
			return nil
		default:
		}
		sleepUntil(r.due[i])
		now := time.Now()
		for ; i < len(r.due) && !r.due[i].After(now); i++ {
			if err := r.send(i); err != nil {
				return err
			}
			r.late = append(r.late, now.Sub(r.due[i]))
		}
	}
	return nil
}

func sleepUntil(at time.Time) {
	for left := time.Until(at); left > 0; left = time.Until(at) {
		pause := unix.NsecToTimespec(left.Nanoseconds())
		unix.Nanosleep(&pause, nil)
	}
}

func (r *openRun) send(i int) error {
	l := r.callers.links[i%len(r.callers.links)].(*grpcLink)
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if len(l.calls) >= l.target.InFlight {
		l.waiting = append(l.waiting, r.due[i])
		return nil
	}
	return r.sendNow(i%len(r.callers.links), l, r.due[i])
}

func (r *openRun) sendNow(number int, l *grpcLink, due time.Time) error {
	if err := l.send(r.callers.works[number].next(), due); err != nil {
		return err
	}
	return l.writer.Flush()
}

// All answers of one connection.
func (r *openRun) readAll(number int, l *grpcLink) ([]time.Duration, error) {
	count := (len(r.due) - number + len(r.callers.links) - 1) / len(r.callers.links)
	times := make([]time.Duration, 0, count)
	l.socket.SetReadDeadline(r.due[len(r.due)-1].Add(patience))
	for len(times) < count {
		at, isDone, err := l.read()
		if err != nil {
			return nil, fmt.Errorf("after %d of %d calls: %w", len(times), count, err)
		}
		if isDone {
			times = append(times, time.Since(at))
		}
		if err = r.sendWaiting(number, l, isDone); err != nil {
			return nil, err
		}
	}
	return times, nil
}

// What waited for the end of a call; and what read() has written.
func (r *openRun) sendWaiting(number int, l *grpcLink, isDone bool) error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if !isDone {
		return l.writer.Flush()
	}
	if len(l.waiting) == 0 {
		return nil
	}
	due := l.waiting[0]
	l.waiting = l.waiting[1:]
	return r.sendNow(number, l, due)
}
