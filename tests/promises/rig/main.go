package rig

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Options of one run, the same for every promise.
type Options struct {
	Root string // of the source tree; build/ and logs are in it
	Long bool
	Seed uint64
}

// Main runs the promises that are named, or all, and returns the exit status:
// 0 when all were kept, 1 when one was broken, 2 for a wrong argument.
func Main(arguments []string) int {
	flags := flag.NewFlagSet("promises", flag.ContinueOnError)
	var options Options
	flags.StringVar(&options.Root, "root", ".", "the source tree")
	flags.BoolVar(&options.Long, "long", false, "for longer")
	flags.Uint64Var(&options.Seed, "seed", 0, "the number of an earlier run; 0 makes a new one")
	list := flags.Bool("list", false, "only name the promises")
	if flags.Parse(arguments) != nil {
		return 2
	}
	wanted, err := choose(flags.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	if *list {
		for _, promise := range wanted {
			fmt.Printf("%-4s %s\n", promise.ID, promise.Title)
		}
		return 0
	}
	if options.Seed == 0 {
		options.Seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	if options.Root, err = filepath.Abs(options.Root); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	return runAll(options, wanted)
}

func runAll(options Options, wanted []Promise) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fmt.Printf("seed %d\n", options.Seed)
	var again []string
	kept := 0
	for _, promise := range wanted {
		if ctx.Err() != nil {
			break
		}
		isKept, isOnlyLate := runOne(ctx, options, promise)
		if isOnlyLate {
			isKept = isKeptAgain(ctx, options, promise)
		}
		if isKept {
			kept++
		} else {
			again = append(again, promise.ID)
		}
	}
	removeTemplate()
	if len(again) > 0 {
		long := ""
		if options.Long {
			long = "--long "
		}
		fmt.Printf("again: scripts/promises %s--seed %d %s\n", long, options.Seed, strings.Join(again, " "))
	}
	fmt.Printf("%d passed, %d failed\n", kept, len(wanted)-kept)
	if kept < len(wanted) {
		return 1
	}
	return 0
}

// What was too late once, and in time the next time, is unsteady: it is named, and
// it is kept. What is broken otherwise gets no second chance.
func isKeptAgain(ctx context.Context, options Options, promise Promise) bool {
	isKept, _ := runOne(ctx, options, promise)
	if isKept {
		fmt.Printf("unsteady: %s was too late before\n", promise.ID)
	}
	return isKept
}

// Prints one line for a promise, and what was broken under it.
func runOne(parent context.Context, options Options, promise Promise) (isKept, isOnlyLate bool) {
	showProgress("%s is tried", promise.ID)
	begin := time.Now()
	t := newTrial(parent, options, promise)
	t.run(promise)
	showProgress("")

	word := "kept"
	if len(t.broken) > 0 {
		word = "BROKEN"
	}
	fmt.Printf("%-4s %-6s  %s   %s   %.0f s\n", promise.ID, word, promise.Title, t.figures(), time.Since(begin).Seconds())
	for i, sentence := range t.broken {
		if i == brokenShown {
			fmt.Printf("        and %d more\n", len(t.broken)-i)
			break
		}
		fmt.Printf("        %s\n", sentence)
	}
	if len(t.broken) > 0 {
		fmt.Printf("        logs: %s\n", t.logs)
	}
	return len(t.broken) == 0, t.isOnlyLate()
}

// The line that moves on a terminal; an empty one clears it.
func showProgress(format string, arguments ...any) {
	if info, err := os.Stderr.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return
	}
	fmt.Fprintf(os.Stderr, "\r\033[K"+format, arguments...)
}
