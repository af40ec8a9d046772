package kit

import (
	"math"
	"slices"
	"strconv"
)

// Figure is what one thing was measured to be, once in each round.
type Figure []float64

// Median of the rounds; NaN without any.
func (f Figure) Median() float64 {
	if len(f) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(f))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// Range is the smallest and the greatest of the rounds.
func (f Figure) Range() (least, most float64) {
	if len(f) == 0 {
		return math.NaN(), math.NaN()
	}
	return slices.Min(f), slices.Max(f)
}

// Over divides round by round: both were measured next to each other, so what
// the machine did meanwhile is in both.
func (f Figure) Over(other Figure) Figure {
	var ratio Figure
	for i := range min(len(f), len(other)) {
		ratio = append(ratio, f[i]/other[i])
	}
	return ratio
}

// String is "2.06 [1.98-2.31]", three digits of each; a dash without a figure.
func (f Figure) String() string {
	if len(f) == 0 || math.IsNaN(f.Median()) {
		return "-"
	}
	least, most := f.Range()
	if len(f) == 1 || least == most {
		return number(f.Median())
	}
	return number(f.Median()) + " [" + number(least) + "-" + number(most) + "]"
}

// Three digits that matter, and commas between thousands.
func number(value float64) string {
	size := math.Abs(value)
	switch {
	case size >= 1000:
		return thousands(int64(math.Round(value)))
	case size >= 100:
		return strconv.FormatFloat(value, 'f', 0, 64)
	case size >= 10:
		return strconv.FormatFloat(value, 'f', 1, 64)
	}
	return strconv.FormatFloat(value, 'f', 2, 64)
}

func thousands(value int64) string {
	text := strconv.FormatInt(value, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
