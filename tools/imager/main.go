// Command imager builds images: everything from a definition in images/ to a disk image that boots.
//
//	imager build FILE     build the image into --out
//	imager validate FILE  check a definition
//	imager repro FILE     build twice and compare every output
//
// It needs Go, git, apt and, for runc, a C compiler with libseccomp; no root. See `imager COMMAND --help` for flags.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/coracle-os/coracle/tools/imager/definition"
)

const usage = `usage: imager build|validate|repro FILE [--out DIR] [--cache DIR]`

func main() {
	syscall.Umask(0o022) // the modes of files that it makes get into the image
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		if !errors.Is(err, pflag.ErrHelp) {
			fmt.Fprintf(os.Stderr, "imager: %v\n", err)
		}
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := pflag.NewFlagSet("imager", pflag.ContinueOnError)
	flags.Usage = func() { fmt.Fprintf(os.Stderr, "%s\n\n%s", usage, flags.FlagUsages()) }
	out := flags.String("out", "_out", "folder for what is built")
	cache := flags.String("cache", "", "folder for downloaded packages (default OUT/cache)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 2 {
		return errors.New(usage)
	}
	file := flags.Arg(1)
	if *cache == "" {
		*cache = filepath.Join(*out, "cache")
	}
	switch flags.Arg(0) {
	case "validate":
		if _, err := definition.Load(file); err != nil {
			return err
		}
		fmt.Printf("%s is valid\n", file)
		return nil
	case "build":
		_, err := build(ctx, file, *out, *cache)
		return err
	case "repro":
		return repro(ctx, file, *out, *cache)
	}
	return fmt.Errorf("unknown command %q; %s", flags.Arg(0), usage)
}
