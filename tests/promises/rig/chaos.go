package rig

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Fault is something that goes wrong, and its repair: it returns when all is
// well again.
type Fault struct {
	Name   string
	Weight int // how often, compared with the others
	Happen func(random *rand.Rand) error
}

// Chaos lets faults happen at random moments.
type Chaos struct {
	trial *Trial
	stop  chan struct{}
	ended sync.WaitGroup

	mutex   sync.Mutex
	counts  map[string]int
	longest map[string]time.Duration
}

// Chaos begins at once; between two faults it waits a random time from least to
// most. Which fault, and how long, follow from the seed.
func (t *Trial) Chaos(least, most time.Duration, faults ...Fault) *Chaos {
	c := &Chaos{trial: t, stop: make(chan struct{}), counts: map[string]int{}, longest: map[string]time.Duration{}}
	random := t.Stream(-1)
	c.ended.Add(1)
	go func() {
		defer c.ended.Done()
		t.guarded(func() { c.run(random, least, most, faults) })
	}()
	return c
}

func (c *Chaos) run(random *rand.Rand, least, most time.Duration, faults []Fault) {
	for {
		pause := least + time.Duration(random.Int64N(int64(most-least)+1))
		fault := pick(random, faults)
		select {
		case <-c.stop:
			return
		case <-c.trial.Context().Done():
			return
		case <-time.After(pause):
		}
		begin := time.Now()
		if err := fault.Happen(random); err != nil {
			c.trial.Broken("after %s: %v", fault.Name, err)
			return
		}
		c.mutex.Lock()
		c.counts[fault.Name]++
		c.longest[fault.Name] = max(c.longest[fault.Name], time.Since(begin))
		c.mutex.Unlock()
	}
}

func pick(random *rand.Rand, faults []Fault) Fault {
	total := 0
	for _, fault := range faults {
		total += max(fault.Weight, 1)
	}
	at := random.IntN(total)
	for _, fault := range faults {
		if at -= max(fault.Weight, 1); at < 0 {
			return fault
		}
	}
	return faults[0]
}

// Stop waits until the last fault is repaired, and says how many there were.
func (c *Chaos) Stop() int {
	close(c.stop)
	c.ended.Wait()
	total := 0
	for _, count := range c.counts {
		total += count
	}
	return total
}

// Count is how often a fault happened, Longest the time that its slowest repair
// took; after Stop().
func (c *Chaos) Count(name string) int { return c.counts[name] }

func (c *Chaos) Longest(name string) time.Duration { return c.longest[name] }
