package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"prbal.test/bench/kit"
)

const docs = "../../../docs"

// docs/performance.md and its pictures say what the kept results say: nobody has
// written a figure by hand.
func TestTheDocumentIsMadeOfTheResults(t *testing.T) {
	folder := t.TempDir()
	if output, err := exec.Command("cp", "-r", filepath.Join(docs, "performance"), folder).CombinedOutput(); err != nil {
		t.Fatalf("%s", output)
	}
	if err := kit.WriteReport(folder); err != nil {
		t.Fatal(err)
	}
	names := []string{"performance.md"}
	pictures, _ := filepath.Glob(filepath.Join(folder, "performance", "*.svg"))
	for _, picture := range pictures {
		names = append(names, filepath.Join("performance", filepath.Base(picture)))
	}
	if len(pictures) < 20 {
		t.Errorf("only %d pictures", len(pictures))
	}
	for _, name := range names {
		made, _ := os.ReadFile(filepath.Join(folder, name))
		kept, _ := os.ReadFile(filepath.Join(docs, name))
		if !bytes.Equal(made, kept) {
			t.Errorf("docs/%s is not what scripts/bench --render makes", name)
		}
	}
}
