package kit

import "fmt"

// Sample is what one contender had in one round: "cpu": 2.1, "rate": 250000.
type Sample map[string]float64

// Series is all rounds of one contender.
type Series map[string]Figure

// Rounds lets each contender run once in every round, one after the other, so that
// what the machine does meanwhile meets all of them. Every second round goes the
// other way, so that nobody always follows the same one. A contender that cannot
// be measured ends the part.
func (b *Bench) Rounds(what string, contenders []string, measure func(contender string) Sample) map[string]Series {
	all := map[string]Series{}
	for _, contender := range contenders {
		all[contender] = Series{}
	}
	for round := range b.RoundCount() {
		for i := range contenders {
			contender := contenders[i]
			if round%2 == 1 {
				contender = contenders[len(contenders)-1-i]
			}
			b.Progress("%s: round %d of %d, %s", what, round+1, b.RoundCount(), contender)
			all[contender].Add(measure(contender))
		}
	}
	return all
}

// Add appends what was found in a round.
func (s Series) Add(sample Sample) {
	for name, value := range sample {
		s[name] = append(s[name], value)
	}
}

// RoundCount is how often each is measured.
func (b *Bench) RoundCount() int {
	if b.Quick {
		return 2
	}
	return 5
}

// Pick is the first value in a quick run and the second one in a whole run.
func Pick[T any](b *Bench, quick, whole T) T {
	if b.Quick {
		return quick
	}
	return whole
}

func (s Sample) String() string {
	return fmt.Sprint(map[string]float64(s))
}
