package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	"prbal.test/bench/kit"
)

// The checked run: ghz is a whole client of grpc-go, which takes several times the
// processor time of the servers, so its figures would be its own. Every call must
// be OK.
func (m *marketplace) checkByGHZ(t *task, proto string) {
	data := m.Folder("ghz.json")
	var requests []json.RawMessage
	for _, message := range t.messages[:min(len(t.messages), 500)] {
		text, err := protojson.Marshal(message)
		m.Must(err, "a request")
		requests = append(requests, text)
	}
	text, err := json.Marshal(requests)
	m.Must(err, "requests")
	m.Must(os.WriteFile(data, text, 0o644), "requests")
	for _, r := range m.rivals {
		if !r.isREST {
			m.Progress("ghz: %s of %s", t.method, r.name)
			m.ghz(r, t, proto, data)
		}
	}
}

func (m *marketplace) ghz(r *rival, t *task, proto, data string) {
	calls := kit.Pick(m.Bench, 500, 2000)
	arguments := []string{"--insecure", "--import-paths", filepath.Join(m.Root, "proto"), "--proto", proto,
		"--call", "prbal.v1." + strings.Replace(t.method, "/", ".", 1), "--data-file", data, "--format", "json",
		"--connections", itoa(marketConnections), "--concurrency", itoa(marketConnections * marketInFlight), "--total", itoa(calls)}
	if t.by != "" {
		arguments = append(arguments, "--metadata", `{"authorization":"Bearer `+m.tokens[t.by][0]+`"}`)
	}
	output, err := exec.Command(filepath.Join(m.Root, ".tools", "bin", "ghz"), append(arguments, r.address)...).Output()
	m.Must(err, "ghz of %s: %s", r.name, output)
	var report struct {
		Count                  int
		StatusCodeDistribution map[string]int
	}
	m.Must(json.Unmarshal(output, &report), "the report of ghz: %s", output)
	if report.Count != calls || report.StatusCodeDistribution["OK"] != calls {
		m.GiveUp(fmt.Sprintf("%s answers ghz %v", r.name, report.StatusCodeDistribution))
	}
}
