package main

import (
	"fmt"
	"regexp"
	"strconv"

	"prbal.test/promises/rig"
)

func init() {
	rig.Register("P5", "money adds up", moneyAddsUp)
}

var (
	p5Model = regexp.MustCompile(`model: (\d+) operations, (\d+) posted, (\d+) repeated, (\d+) refused, (\d+) a second`)
	p5Kills = regexp.MustCompile(`kills: (\d+) workers, (\d+) operations, .*?(\d+) connections killed, (\d+) retries, (\d+) checks`)
)

func moneyAddsUp(t *rig.Trial) {
	seed, operations := t.Rand.Uint32(), t.Size(100_000, 1_000_000)
	output, err := t.Program(rig.Release, "ledger_storm", fmt.Sprint(seed), fmt.Sprint(operations))
	t.Expect(err == nil, "ledger_storm %d %d: %v\n%s", seed, operations, err, output)
	model, kills := numbers(p5Model, output), numbers(p5Kills, output)
	if model == nil || kills == nil {
		t.GiveUp("ledger_storm did not say what it did: " + output)
	}
	t.Tried("operations compared with a model", model[0])
	t.Tried("operations of 16 workers over the same accounts", kills[1])
	t.Tried("connections killed", kills[2])
	t.Measured("%s posted, %s repeated, %s refused, each as the model says", rig.Count(model[1]), rig.Count(model[2]), rig.Count(model[3]))
	t.Measured("%s a second", rig.Count(model[4]))
	t.Measured("every rule held at each of %d checks", kills[4]+1)
}

// The numbers of the first line that matches, or nil.
func numbers(line *regexp.Regexp, text string) []int {
	found := line.FindStringSubmatch(text)
	if found == nil {
		return nil
	}
	var all []int
	for _, digits := range found[1:] {
		number, _ := strconv.Atoi(digits)
		all = append(all, number)
	}
	return all
}
