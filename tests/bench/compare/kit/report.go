package kit

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

// The document is made anew of all results each time, so that measuring one part
// leaves the others as they were.
const document = `# Performance

{{/**/}}<!-- Made by scripts/bench of the files in performance/. What is written by hand is in performance/notes-*.md. -->

Every figure is from one machine and one run, next to those that it is compared
with: compare rows of one table, never of two. A figure is the median of the
rounds, [least-most]; contenders take turns in every round, and a ratio is made
of figures of the same round. CPU is user and system time of all processes of a
server, over the calls that it answered.

    scripts/bench            all of it, within 40 minutes on two processors
    scripts/bench NAME       one part: {{range $i, $r := .Results}}{{if $i}}, {{end}}{{$r.Part}}{{end}}
    scripts/bench --quick    to see that all works; its figures are not kept

## Targets

| what | found | bound | |
|---|---|---|---|
{{range .Results}}{{range .Targets}}| {{.What}} | {{.Value}}{{.Unit}} | {{bound .}} | {{if .IsMet}}met{{else}}**missed**{{end}} |
{{end}}{{end}}
{{.Targets}}{{range .Results}}
## {{.Title}}

{{.Text}}
{{range .Tables}}
### {{.Title}}

{{.Text}}

{{markdown .}}
![{{.Title}}](performance/{{.Name}}.svg)
{{end}}{{note .Part}}
Measured on {{.Machine.Date}} in {{.Rounds}} rounds and {{minutes .Seconds}}, revision {{.Machine.Revision}}: {{.Machine.Count}} x {{.Machine.Processor}}, {{.Machine.Memory}},
{{.Machine.System}}, Linux {{.Machine.Kernel}}; {{join .Machine.Versions}}.
{{end}}`

func (r *report) funcs() template.FuncMap {
	return template.FuncMap{
		"bound": boundOf, "markdown": markdown, "note": r.note,
		"join":    func(words []string) string { return strings.Join(words, ", ") },
		"minutes": func(seconds float64) string { return fmt.Sprintf("%.0f min", seconds/60) },
	}
}

type report struct {
	folder  string // docs, or build/bench of a quick run
	Results []*Result
	Targets string // by hand: what dominates where one was missed
}

// WriteReport makes performance.md and the pictures of what is in performance/.
func WriteReport(folder string) error {
	r := &report{folder: folder}
	for _, part := range parts {
		result, err := readResult(filepath.Join(folder, "performance", part.Name+".json"))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return err
		}
		r.Results = append(r.Results, result)
		for _, table := range result.Tables {
			if err = drawChart(filepath.Join(folder, "performance"), table); err != nil {
				return err
			}
		}
	}
	r.Targets = r.note("targets")
	page, err := template.New("performance").Funcs(r.funcs()).Parse(document)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err = page.Execute(&text, r); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "performance.md"), text.Bytes(), 0o644)
}

// What somebody has written about a part, if anything.
func (r *report) note(part string) string {
	text, _ := os.ReadFile(filepath.Join(r.folder, "performance", "notes-"+part+".md"))
	if len(text) == 0 {
		return ""
	}
	return "\n" + string(text)
}

func boundOf(t Target) string {
	if t.AtLeast > 0 {
		return "at least " + number(t.AtLeast) + t.Unit
	}
	return "at most " + number(t.AtMost) + t.Unit
}

func markdown(t *Table) string {
	var text strings.Builder
	text.WriteString("| |")
	for _, column := range t.Columns {
		fmt.Fprintf(&text, " %s |", column.name())
	}
	text.WriteString("\n|---|" + strings.Repeat("---:|", len(t.Columns)) + "\n")
	for _, row := range t.Rows {
		fmt.Fprintf(&text, "| %s |", bold(row.Label, row.Ours))
		for _, cell := range row.Cells {
			fmt.Fprintf(&text, " %s |", bold(cell.String(), row.Ours))
		}
		text.WriteString("\n")
	}
	return text.String()
}

func (c Column) name() string {
	if c.Unit == "" {
		return c.Title
	}
	return c.Title + ", " + c.Unit
}

func bold(text string, isBold bool) string {
	if isBold {
		return "**" + text + "**"
	}
	return text
}
