// Command bench measures an image in QEMU: how long it takes from power-on to a running pod, what memory it uses once
// settled, and what it writes to disk when nothing happens.
//
//	bench --out _out/bench.json             boot with 512 MiB and with 2 GiB
//	bench --out _out/bench.json --baseline  boot the baseline: upstream's components as separate processes
//	bench --out _out/bench.json --times 3   boot the baseline and Coracle in turn, and keep the medians of the times
//	bench --soak 30m --memory 256           boot with that much memory, and see whether it stays up; writes no report
//	bench --table REPORT...                 print reports, of an architecture each, as tables for docs/benchmarks.md
//
// The kinds of run fill in their parts of one report. Run them on the same host, with nothing else on it.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

type options struct {
	arch                      string // of the images
	image, baselineImage, out string
	busybox                   string
	settle, idle, timeout     time.Duration
	baseline, table           bool
	reports                   []string // to print
	times                     int
	timesOnly                 bool // of a boot: leave out memory and disk writes
	soak                      time.Duration
	memory                    int // MiB, of the soak
	cpus                      int // of the machines
}

func main() {
	var o options
	flag.StringVar(&o.arch, "arch", "amd64", "architecture of the images")
	flag.StringVar(&o.image, "image", "", "disk image to measure; its .zst is beside it (default _out/coracle-ARCH.img)")
	flag.StringVar(&o.baselineImage, "baseline-image", "", "disk image of the baseline, tools/bench/baseline (default _out/baseline/coracle-ARCH.img)")
	flag.StringVar(&o.busybox, "busybox", "", "archive of the container image that the pod runs (default _out/test/ARCH/busybox.tar)")
	flag.StringVar(&o.out, "out", "_out/bench.json", "the report; what an earlier run measured and this one does not is kept")
	flag.DurationVar(&o.settle, "settle", 2*time.Minute, "how long a machine is left alone before its memory is measured")
	flag.DurationVar(&o.idle, "idle", 10*time.Minute, "how long disk writes are counted")
	flag.DurationVar(&o.timeout, "timeout", 15*time.Minute, "how long a pod may take to run")
	flag.BoolVar(&o.baseline, "baseline", false, "measure the baseline")
	flag.IntVar(&o.times, "times", 0, "measure only times, as the medians of this many boots of the baseline and Coracle in turn")
	flag.DurationVar(&o.soak, "soak", 0, "measure nothing: see whether a machine with --memory stays up for this long once settled")
	flag.IntVar(&o.memory, "memory", 512, "memory in MiB of the machine that --soak boots")
	flag.IntVar(&o.cpus, "cpus", 2, "processors of the machines")
	flag.BoolVar(&o.table, "table", false, "measure nothing: print the reports named, or that of --out, as tables")
	flag.Parse()
	if flag.NArg() > 0 && !o.table {
		fmt.Fprintf(os.Stderr, "bench: takes flags only, got %q\n", flag.Args())
		os.Exit(2)
	}
	if o.reports = flag.Args(); len(o.reports) == 0 {
		o.reports = []string{o.out}
	}
	o.image = cmp.Or(o.image, "_out/coracle-"+o.arch+".img")
	o.baselineImage = cmp.Or(o.baselineImage, "_out/baseline/coracle-"+o.arch+".img")
	o.busybox = cmp.Or(o.busybox, "_out/test/"+o.arch+"/busybox.tar")
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := bench(ctx, o); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		cancel()
		os.Exit(1)
	}
}

// tempDir makes a folder for a machine, beside the report: /tmp is in memory on some hosts, and disks are large.
func (o options) tempDir() (string, error) {
	return os.MkdirTemp(filepath.Dir(o.out), "bench-machine-")
}

func bench(ctx context.Context, o options) error {
	if o.soak > 0 {
		return soak(ctx, o)
	}
	if o.table {
		return printReports(o.reports)
	}
	r, err := readReport(o.out)
	if err != nil {
		return err
	}
	switch {
	case o.times > 0:
		err = r.measureTimes(ctx, o)
	case o.baseline:
		err = r.measureBaseline(ctx, o)
	default:
		err = r.measureCoracle(ctx, o)
	}
	if err != nil {
		return err
	}
	if err := r.write(o.out); err != nil {
		return err
	}
	fmt.Print(markdown(r))
	return nil
}

func printReports(paths []string) error {
	var reports []report
	for _, path := range paths {
		r, err := readReport(path)
		if err != nil {
			return err
		}
		if r.Arch == "" {
			return errors.New("nothing was measured yet: there is no " + path)
		}
		reports = append(reports, r)
	}
	fmt.Print(markdown(reports...))
	return nil
}
