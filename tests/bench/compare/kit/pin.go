package kit

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// RunOn holds the bench itself to one processor until the part is over, for a part
// whose load it makes itself. Programs that it starts meanwhile need CPUs of their
// own.
func (b *Bench) RunOn(cpu CPUs) {
	b.holdTo(cpu)
	threads := runtime.GOMAXPROCS(strings.Count(string(cpu), ",") + 1)
	b.Cleanup(func() {
		runtime.GOMAXPROCS(threads)
		b.holdTo(CPUs(fmt.Sprintf("0-%d", runtime.NumCPU()-1)))
	})
}

func (b *Bench) holdTo(cpus CPUs) {
	output, err := exec.Command("taskset", "-a", "-c", "-p", string(cpus), fmt.Sprint(os.Getpid())).CombinedOutput()
	b.Must(err, "the processors of the bench: %s", output)
}
