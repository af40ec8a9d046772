package main

import (
	"fmt"
	"regexp"
	"sync/atomic"

	"prbal.test/promises/rig"
)

func init() {
	rig.Register("P34", "the same history has the same end", sameSeedSameEnd)
}

const p34Steps = 1_000_000

var p34End = regexp.MustCompile(`seed \d+: (\d+) steps, (\d+) moves, (\d+) transfers, end ([0-9a-f]+)`)

func sameSeedSameEnd(t *rig.Trial) {
	seeds := make([]uint32, t.Size(6, 600))
	for i := range seeds {
		seeds[i] = t.Rand.Uint32()
	}
	var moves atomic.Int64
	next := make(chan uint32)
	go func() {
		for _, seed := range seeds {
			next <- seed
		}
		close(next)
	}()
	t.Together(2, func(int) {
		for seed := range next {
			once, again := p34Play(t, rig.Release, seed), p34Play(t, rig.Sanitized, seed)
			t.Expect(once == again, "seed %d ends in two ways: %q and %q", seed, once, again)
			if played := numbers(p34End, once); played != nil {
				moves.Add(int64(played[1]))
			}
		}
	})
	t.Tried("histories", len(seeds))
	t.Tried("steps", len(seeds)*p34Steps)
	t.Measured("%s changed something", rig.Count(int(moves.Load())))
	t.Measured("every invariant held after each")
	t.Measured("two builds came to the same ends")
}

func p34Play(t *rig.Trial, build rig.Build, seed uint32) string {
	output, err := t.Program(build, "simulate", fmt.Sprint(seed), fmt.Sprint(p34Steps))
	t.Expect(err == nil, "simulate %d %d: %v\n%s", seed, p34Steps, err, output)
	return p34End.FindString(output)
}
