package kit

import (
	"os"
	"runtime"
	"testing"
	"time"
)

func TestFigureInWords(t *testing.T) {
	for _, c := range []struct {
		figure Figure
		want   string
	}{
		{nil, "-"},
		{Figure{2.0649}, "2.06"},
		{Figure{3, 1, 2}, "2.00 [1.00-3.00]"},
		{Figure{4, 1, 2, 3}, "2.50 [1.00-4.00]"},
		{Figure{250000, 1234567}, "742,284 [250,000-1,234,567]"},
		{Figure{-0.5, 12.34}, "5.92 [-0.50-12.3]"},
	} {
		if got := c.figure.String(); got != c.want {
			t.Errorf("%v is %q, not %q", []float64(c.figure), got, c.want)
		}
	}
}

// A ratio is of the same round: the median of ratios, not the ratio of medians.
func TestRatioIsMadeRoundByRound(t *testing.T) {
	ratio := Figure{1, 20, 3}.Over(Figure{2, 10, 3})
	if ratio.Median() != 1 {
		t.Errorf("%v", ratio)
	}
	if short := (Figure{1, 2}).Over(Figure{1}); len(short) != 1 {
		t.Errorf("%v", short)
	}
}

func TestTargetIsMetByItsMedian(t *testing.T) {
	for _, c := range []struct {
		target Target
		want   bool
	}{
		{Target{Value: Figure{0.3, 0.4, 9}, AtMost: 0.4}, true},
		{Target{Value: Figure{0.3, 0.41, 9}, AtMost: 0.4}, false},
		{Target{Value: Figure{4}, AtLeast: 4}, true},
		{Target{Value: Figure{3.9}, AtLeast: 4}, false},
		{Target{AtMost: 0.4}, false},
		{Target{AtLeast: 4}, false},
	} {
		if c.target.IsMet() != c.want {
			t.Errorf("%+v", c.target)
		}
	}
}

const h2loadSays = `finished in 612.20ms, 163345.09 req/s, 13.09MB/s
requests: 100000 total, 100000 started, 100000 done, 99999 succeeded, 1 failed, 1 errored, 0 timeout
`

func TestFailedCallsAreNoFigure(t *testing.T) {
	if _, err := readOutput([]byte(h2loadSays)); err == nil {
		t.Error("a failed call was counted")
	}
	if _, err := readOutput([]byte("segmentation fault")); err == nil {
		t.Error("nonsense was counted")
	}
}

func TestPercentilesOfALog(t *testing.T) {
	p50, p99 := percentiles([]byte("17\t200\t300\n18\t200\t100\n19\t200\t200\n"))
	if p50 != 200*time.Microsecond || p99 != 200*time.Microsecond {
		t.Errorf("%v %v", p50, p99)
	}
}

// The clock of this process moves by what it works, however long that takes on a
// busy machine, and never by more than all processors together.
func TestUsageIsWork(t *testing.T) {
	start := time.Now()
	begin, err := UsageOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	usage := begin
	for usage.CPU-begin.CPU < 20*time.Millisecond {
		usage, _ = UsageOf(os.Getpid())
	}
	most := time.Since(start) * time.Duration(runtime.NumCPU())
	if worked := usage.CPU - begin.CPU; worked > most+20*time.Millisecond {
		t.Errorf("%v of work in %v", worked, most)
	}
	if usage.Resident < 1<<20 {
		t.Errorf("%d bytes", usage.Resident)
	}
}
