package rig

import (
	"context"
	"testing"
)

func trialOf(run func(t *Trial)) *Trial {
	t := newTrial(context.Background(), Options{}, Promise{ID: "P99"})
	t.guarded(func() { run(t) })
	return t
}

func TestOnlyLate(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(t *Trial)
		want bool
	}{
		{"kept", func(t *Trial) { t.ExpectInTime(true, "in time") }, false},
		{"late", func(t *Trial) { t.ExpectInTime(false, "too late") }, true},
		{"broken", func(t *Trial) { t.Broken("lost") }, false},
		{"late and broken", func(t *Trial) { t.ExpectInTime(false, "too late"); t.Broken("lost") }, false},
	} {
		if got := trialOf(c.run).isOnlyLate(); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
