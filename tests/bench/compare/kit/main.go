package kit

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"prbal.test/promises/rig"
)

type options struct {
	root        string
	quick       bool
	list, peers bool
	render      bool
}

// Main measures the parts that are named, or all, and returns the exit status: 0
// when all were measured, 1 when one was not, 2 for a wrong argument. A target that
// is missed is no failure: the document says so.
func Main(arguments []string) int {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&o.root, "root", ".", "the source tree")
	flags.BoolVar(&o.quick, "quick", false, "few rounds; the document is left alone")
	flags.BoolVar(&o.list, "list", false, "only name the parts")
	flags.BoolVar(&o.peers, "peers", false, "only name the peers that the parts need")
	flags.BoolVar(&o.render, "render", false, "only make the document of what was found before")
	if flags.Parse(arguments) != nil {
		return 2
	}
	wanted, err := choose(flags.Args())
	if err == nil {
		o.root, err = filepath.Abs(o.root)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	switch {
	case o.list:
		return list(wanted)
	case o.peers:
		return listPeers(wanted)
	}
	return measureAll(o, wanted)
}

func list(wanted []Part) int {
	for _, part := range wanted {
		fmt.Printf("%-8s %s\n", part.Name, part.Title)
	}
	return 0
}

func listPeers(wanted []Part) int {
	seen := map[string]bool{}
	for _, part := range wanted {
		for _, peer := range part.Peers {
			if !seen[peer] {
				fmt.Println(peer)
			}
			seen[peer] = true
		}
	}
	return 0
}

// Where the document is: a quick run has one of its own.
func (o options) folder() string {
	if o.quick {
		return filepath.Join(o.root, "build", "bench", "quick")
	}
	return filepath.Join(o.root, "docs")
}

func measureAll(o options, wanted []Part) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	failed := 0
	for _, part := range wanted {
		if ctx.Err() != nil || o.render {
			break
		}
		if !measure(ctx, o, part) {
			failed++
		}
	}
	if err := WriteReport(o.folder()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Printf("the figures are in %s\n", filepath.Join(o.folder(), "performance.md"))
	if failed > 0 {
		return 1
	}
	return 0
}

// One part: its figures, and a line for each target.
func measure(ctx context.Context, o options, part Part) bool {
	b := &Bench{Root: o.root, Quick: o.quick, part: part, begin: time.Now(), calls: map[string]int{},
		result: &Result{Part: part.Name, Title: part.Title, Machine: thisMachine(o.root)}}
	b.result.Rounds = b.RoundCount()
	wrong := rig.Alone(ctx, o.root, "bench-"+part.Name, func(t *rig.Trial) {
		b.Trial = t
		part.Measure(b)
	})
	clearProgress()
	b.result.Seconds = time.Since(b.begin).Seconds()
	for _, sentence := range wrong {
		fmt.Printf("%-8s FAILED  %s\n", part.Name, sentence)
	}
	if len(wrong) > 0 {
		return false
	}
	if err := b.keep(filepath.Join(o.folder(), "performance")); err != nil {
		fmt.Printf("%-8s FAILED  %v\n", part.Name, err)
		return false
	}
	fmt.Printf("%-8s measured in %.0f s\n", part.Name, b.result.Seconds)
	for _, target := range b.result.Targets {
		fmt.Println("        ", verdict(target))
	}
	return true
}

func verdict(t Target) string {
	word := "met   "
	if !t.IsMet() {
		word = "MISSED"
	}
	return fmt.Sprintf("%s %s: %s%s, %s", word, t.What, t.Value, t.Unit, boundOf(t))
}

func (b *Bench) keep(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return b.result.write(folder)
}
