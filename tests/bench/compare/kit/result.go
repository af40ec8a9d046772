package kit

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// Result is what a part found, as it is kept in docs/performance/PART.json: all
// rounds of all figures. The document is made of these files.
type Result struct {
	Part    string
	Title   string
	Machine Machine
	Rounds  int
	Seconds float64
	Text    string // what the reader has to know to read the tables
	Tables  []*Table
	Targets []Target
}

// Table has a row for each contender.
type Table struct {
	Name    string // of the picture's file
	Title   string
	Text    string // how it was measured, and the commands
	Columns []Column
	Rows    []Row
	Chart   Chart
}

// Column of a table; Unit goes below its title.
type Column struct {
	Title string
	Unit  string
}

// Row of a table. Ours is printed in bold. Short is the label of its bar or line,
// where the whole one is too long for a picture.
type Row struct {
	Label string
	Short string `json:",omitempty"`
	Ours  bool
	Cells []Figure
}

func (r Row) inChart() string {
	if r.Short != "" {
		return r.Short
	}
	return r.Label
}

// Chart is what of a table is drawn: the column as bars, a row each, or with Lines
// all columns from the first one on as points of a line, a row each.
type Chart struct {
	Column int
	Lines  bool
	X      []float64 // of the columns, for lines
	XTitle string
	YTitle string
	Log    bool // the axis of the values, of lines: a bar begins at 0
}

// Target is what docs/performance.md promises: a figure and its bound.
type Target struct {
	What  string
	Value Figure
	// At most this, or at least this.
	AtMost, AtLeast float64 `json:",omitempty"`
	Unit            string
}

// IsMet by the median.
func (t Target) IsMet() bool {
	if t.AtLeast > 0 {
		return t.Value.Median() >= t.AtLeast
	}
	return t.Value.Median() <= t.AtMost
}

// Table adds one to the part's result.
func (b *Bench) Table(table *Table) {
	b.result.Tables = append(b.result.Tables, table)
}

// AtMost adds a target that is met by a median that is not greater.
func (b *Bench) AtMost(what string, value Figure, bound float64, unit string) {
	b.result.Targets = append(b.result.Targets, Target{What: what, Value: value, AtMost: bound, Unit: unit})
}

// AtLeast adds a target that is met by a median that is not smaller.
func (b *Bench) AtLeast(what string, value Figure, bound float64, unit string) {
	b.result.Targets = append(b.result.Targets, Target{What: what, Value: value, AtLeast: bound, Unit: unit})
}

// Explain is the text above the part's tables.
func (b *Bench) Explain(text string) {
	b.result.Text = text
}

func (r *Result) write(folder string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, r.Part+".json"), append(text, '\n'), 0o644)
}

func readResult(path string) (*Result, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	result := &Result{}
	return result, json.Unmarshal(text, result)
}
