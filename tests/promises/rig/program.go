package rig

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Program runs a program of the build until it ends, and answers what it printed,
// which is kept beside the trial's logs. An error is an exit status of its own.
func (t *Trial) Program(build Build, name string, arguments ...string) (string, error) {
	command := exec.CommandContext(t.Context(), filepath.Join(t.root, "build", string(build), name), arguments...)
	command.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "PRBAL_TEST_DATABASE_URL=") // it starts its own
	})
	output, err := command.CombinedOutput()
	os.WriteFile(t.Log(name+".log"), output, 0o644)
	return string(output), err
}
