// Command imager builds images: everything from a definition in images/ to a disk image that boots.
//
//	imager build FILE     build the image into --out
//	imager slot FILE      build the upgrade artifact, coracle-VERSION-ARCH.slot, and the index of its chunks into --out
//	imager sign FILE.slot add a signature to an artifact
//	imager validate FILE  check a definition
//	imager repro FILE     build twice and compare every output
//	imager oslist FILE…   write os_list.json of what was built, for Raspberry Pi Imager
//
// It needs Go, git, apt and, for runc, a C compiler for the architecture; no root. See `imager COMMAND --help` for flags.
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

const usage = `usage: imager build|slot|sign|validate|repro FILE [flags], or imager oslist FILE… [flags]`

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
	var o options
	flags.StringVar(&o.version, "version", "", "version of what is built (default: what git says)")
	flags.StringVar(&o.key, "key", "", "file with the private key that signs artifacts (default CACHE/"+developmentKeyName+")")
	flags.BoolVar(&o.release, "release", false, "for others: the development key of this clone is neither trusted nor used")
	flags.BoolVar(&o.unsigned, "unsigned", false, "do not sign the artifact")
	address := flags.String("url", "", "URL of the folder that people download images from, for oslist")
	flags.StringVar(&o.overlay, "overlay", "", "folder with files that are laid over the root, for tests; what they replace is in /overlaid")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() < 2 || flags.NArg() > 2 && flags.Arg(0) != "oslist" {
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
		_, err := build(ctx, file, *out, *cache, diskImage, o)
		return err
	case "slot":
		_, err := build(ctx, file, *out, *cache, upgradeArtifact, o)
		return err
	case "sign":
		return sign(file, o.key)
	case "oslist":
		return osList(flags.Args()[1:], *out, *address)
	case "repro":
		return repro(ctx, file, *out, *cache, o)
	}
	return fmt.Errorf("unknown command %q; %s", flags.Arg(0), usage)
}
