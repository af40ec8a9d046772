package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// A REST peer answers the JSON form of the same message. Its framework decides
// whether an empty field is there, how a moment is written, and whether a 64-bit
// number stands in quotes: those are no differences.
func (m *marketplace) compareJSON(r *rival, t *task, at int, ours proto.Message) {
	text, err := protojson.Marshal(ours)
	m.Must(err, "the JSON of an answer")
	theirs := m.fetch(r, t, at)
	if !reflect.DeepEqual(plainJSON(m, text), plainJSON(m, theirs)) {
		m.GiveUp(fmt.Sprintf("%s answers %s\n%s\nand Prbal %s with\n%s", r.name, t.paths[at], theirs, t.method, text))
	}
}

func (m *marketplace) fetch(r *rival, t *task, at int) []byte {
	request, err := http.NewRequestWithContext(m.Context(), "GET", "http://"+r.address+t.paths[at], nil)
	m.Must(err, "a request")
	if t.by != "" {
		request.Header.Set("authorization", "Bearer "+m.tokens[t.by][at%marketCallers])
	}
	answer, err := http.DefaultClient.Do(request)
	m.Must(err, "%s of %s", t.paths[at], r.name)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	m.Must(err, "%s of %s", t.paths[at], r.name)
	if answer.StatusCode != http.StatusOK {
		m.GiveUp(fmt.Sprintf("%s of %s: %s %s", t.paths[at], r.name, answer.Status, text))
	}
	return text
}

func plainJSON(m *marketplace, text []byte) any {
	var value any
	m.Must(json.Unmarshal(text, &value), "JSON: %s", text)
	if top, isObject := value.(map[string]any); isObject && top["nextPageToken"] != "" && top["nextPageToken"] != nil {
		top["nextPageToken"] = "there is one"
	}
	return plain(value)
}

// Without what is empty; nil when all of it is.
func plain(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name, field := range v {
			if v[name] = plain(field); v[name] == nil {
				delete(v, name)
			}
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
		if len(v) == 0 {
			return nil
		}
	case string:
		return plainText(v)
	case bool, float64:
		if reflect.ValueOf(v).IsZero() {
			return nil
		}
	}
	return value
}

func plainText(text string) any {
	if text == "" {
		return nil
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at.UTC()
	}
	if number, err := strconv.ParseFloat(text, 64); err == nil {
		return plain(number)
	}
	return text
}
