package rig

import (
	"context"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5/pgxpool"
)

// History is what the clients know: every operation under a key of the client's
// own, its outcome, and what was acknowledged.
type History struct {
	mutex      sync.Mutex
	operations map[string]map[string]Operation // by kind and key
}

// Operation as its client saw it last.
type Operation struct {
	Outcome Outcome
	Value   string // as the table should have it; "" is not compared
}

// NewHistory is empty.
func NewHistory() *History {
	return &History{operations: map[string]map[string]Operation{}}
}

// Record notes the outcome of an operation. A retry under the same key replaces
// what was unknown, and never what is done.
func (h *History) Record(kind, key string, outcome Outcome, value string) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if h.operations[kind] == nil {
		h.operations[kind] = map[string]Operation{}
	}
	earlier, known := h.operations[kind][key]
	if known && (earlier.Outcome == Done || (earlier.Outcome == Unknown && outcome == Refused)) {
		return
	}
	h.operations[kind][key] = Operation{outcome, value}
}

// Count is the number of operations with an outcome, of one kind or of all ("").
func (h *History) Count(kind string, outcome Outcome) int {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	count := 0
	for name, operations := range h.operations {
		for _, operation := range operations {
			if (kind == "" || name == kind) && operation.Outcome == outcome {
				count++
			}
		}
	}
	return count
}

// Size is the number of operations of a kind.
func (h *History) Size(kind string) int {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return len(h.operations[kind])
}

// Verdict compares the history with the database.
type Verdict struct {
	Lost    []string // acknowledged, and not there
	Changed []string // acknowledged, and not as it was
	Ghosts  []string // refused, and there
	Doubled []string // there more than once
	Found   int      // of unknown outcome, and there
}

// Holds is true when client and database agree.
func (v Verdict) Holds() bool {
	return len(v.Lost)+len(v.Changed)+len(v.Ghosts)+len(v.Doubled) == 0
}

const keysAtOnce = 5000

// Check asks for all keys of a kind: the query takes an array of them ($1, text)
// and answers key and value, both text, a row for each that is there.
func (h *History) Check(ctx context.Context, sql *pgxpool.Pool, kind, query string) (Verdict, error) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	there := map[string][]string{}
	keys := make([]string, 0, keysAtOnce)
	for key := range h.operations[kind] {
		if keys = append(keys, key); len(keys) == keysAtOnce {
			if err := readRows(ctx, sql, query, keys, there); err != nil {
				return Verdict{}, err
			}
			keys = keys[:0]
		}
	}
	if err := readRows(ctx, sql, query, keys, there); err != nil {
		return Verdict{}, err
	}
	var verdict Verdict
	for key, operation := range h.operations[kind] {
		verdict.judge(key, operation, there[key])
	}
	return verdict, nil
}

func readRows(ctx context.Context, sql *pgxpool.Pool, query string, keys []string, there map[string][]string) error {
	rows, err := sql.Query(ctx, query, keys)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key, value string
		if err := rows.Scan(&key, &value); err != nil {
			return err
		}
		there[key] = append(there[key], value)
	}
	return rows.Err()
}

func (v *Verdict) judge(key string, operation Operation, values []string) {
	if len(values) > 1 {
		v.Doubled = append(v.Doubled, key)
	}
	switch {
	case operation.Outcome == Done && len(values) == 0:
		v.Lost = append(v.Lost, key)
	case operation.Outcome == Done && operation.Value != "" && values[0] != operation.Value:
		v.Changed = append(v.Changed, fmt.Sprintf("%s: %q was acknowledged, %q is there", key, operation.Value, values[0]))
	case operation.Outcome == Refused && len(values) > 0:
		v.Ghosts = append(v.Ghosts, key)
	case operation.Outcome == Unknown && len(values) > 0:
		v.Found++
	}
}

// Compare is Check() that breaks the promise where it does not hold.
func (h *History) Compare(t *Trial, database *Postgres, kind, query string) Verdict {
	verdict, err := h.Check(t.Context(), database.SQL(), kind, query)
	t.Must(err, "%s", query)
	for _, finding := range []struct {
		what string
		keys []string
	}{
		{"acknowledged and lost", verdict.Lost},
		{"acknowledged and changed", verdict.Changed},
		{"refused and there", verdict.Ghosts},
		{"there more than once", verdict.Doubled},
	} {
		if len(finding.keys) > 0 {
			t.Broken("%s: %d %s, such as %s", kind, len(finding.keys), finding.what, finding.keys[0])
		}
	}
	return verdict
}
