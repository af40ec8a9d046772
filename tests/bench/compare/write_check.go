package main

import (
	"fmt"
	"regexp"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/prototext"

	"prbal.test/promises/rig"
)

// Lets each server make the same calls, of the same people on rows that are alike,
// and compares the answers and how many rows there are afterwards in every table.
// Prbal's first turn makes what is made once for a person and is not compared.
func (m *write) compareWrites(j *job) {
	m.rehearse(m.rivals[0], j, 0)
	ours, left := m.rehearse(m.rivals[0], j, 1)
	for k, r := range m.rivals[1:] {
		answers, added := m.rehearse(r, j, k+2)
		if i := firstDifference(ours, answers); i >= 0 {
			m.GiveUp(fmt.Sprintf("%s answers %s with\n%v\nand Prbal with\n%v", r.name, j.method, answers[i], ours[i]))
		}
		if fmt.Sprint(added) != fmt.Sprint(left) {
			m.GiveUp(fmt.Sprintf("%d %s of %s add rows %v, and of Prbal %v", compared, j.method, r.name, added, left))
		}
	}
	j.used = (len(m.rivals) + 1) * peopleOfEach
}

// The calls of a turn: what is answered, and how many rows come of it.
func (m *write) rehearse(r *rival, j *job, turn int) (answers []string, added map[string]int) {
	m.Progress("%s: comparing %s", j.title, r.name)
	method, before := methodNamed(j.method), m.rows()
	for i := range compared {
		answers = append(answers, m.write(r, j, method, i%marketConnections, turn*peopleOfEach+i/marketConnections))
	}
	return answers, difference(before, m.rows())
}

var digits = regexp.MustCompile(`\d+`)

// The answer as text, without what is of one call alone.
func (m *write) write(r *rival, j *job, method rig.Method, connection, turn int) string {
	one := j.make(connection, turn)
	ctx := metadata.AppendToOutgoingContext(m.Context(), "authorization", "Bearer "+one.token, "idempotency-key", rig.NewID())
	answer := m.client(r).Call(ctx, method, one.message)
	m.Must(answer.Err, "%s of %s", j.method, r.name)
	hideOwn(answer.Message.ProtoReflect())
	return digits.ReplaceAllString(prototext.Format(answer.Message), "0")
}

func firstDifference(ours, theirs []string) int {
	for i := range ours {
		if ours[i] != theirs[i] {
			return i
		}
	}
	return -1
}

// Of each table of ours.
func (m *write) rows() map[string]int {
	names, err := m.cluster.Database.SQL().Query(m.Context(), "select relname::text from pg_class"+
		" where relnamespace = 'public'::regnamespace and relkind = 'r'")
	m.Must(err, "the tables")
	counts := map[string]int{}
	for names.Next() {
		var name string
		m.Must(names.Scan(&name), "a table")
		counts[name] = 0
	}
	m.Must(names.Err(), "the tables")
	for name := range counts {
		counts[name] = m.cluster.Database.Number(`select count(*) from "` + name + `"`)
	}
	return counts
}

func difference(before, after map[string]int) map[string]int {
	added := map[string]int{}
	for name, count := range after {
		if count != before[name] {
			added[name] = count - before[name]
		}
	}
	return added
}
