// Package kit is what the parts of the bench have in common: programs that are
// started and watched, rounds, figures, tables and pictures.
package kit

import (
	"fmt"
	"sort"
)

// Part is a chapter of docs/performance.md and how its figures are measured.
type Part struct {
	Name    string // of `scripts/bench NAME`, and of its files in docs/performance/
	Order   int    // in the document
	Title   string
	Peers   []string // folders of tests/bench/peers that it needs
	Measure func(b *Bench)
}

var parts []Part

// Register adds a part; called from init().
func Register(part Part) {
	parts = append(parts, part)
	sort.Slice(parts, func(i, k int) bool { return parts[i].Order < parts[k].Order })
}

// All parts, or those that are named.
func choose(names []string) ([]Part, error) {
	if len(names) == 0 {
		return parts, nil
	}
	var chosen []Part
	for _, name := range names {
		part, err := find(name)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, part)
	}
	return chosen, nil
}

func find(name string) (Part, error) {
	for _, part := range parts {
		if part.Name == name {
			return part, nil
		}
	}
	return Part{}, fmt.Errorf("there is no part %q; --list names them", name)
}
