// Package command has the commands of coraclectl.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/coracle-os/coracle/tools/coraclectl/contexts"
	"github.com/coracle-os/coracle/tools/coraclectl/output"
)

// Environment is what the commands see of the system.
type Environment struct {
	In        io.Reader
	Out       io.Writer // results, and nothing else
	Err       io.Writer // progress, hints and errors
	Getenv    func(string) string
	Home      string // folder of the user
	ConfigDir string // folder of keys and contexts
}

// System is the environment of this process.
func System() Environment {
	e := Environment{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv}
	e.Home, _ = os.UserHomeDir()
	if dir, err := os.UserConfigDir(); err == nil {
		e.ConfigDir = filepath.Join(dir, "coracle")
	}
	return e
}

// app is one run of coraclectl.
type app struct {
	Environment
	flags struct {
		machines                           []string
		contexts, key, fingerprint, output string
		timeout                            time.Duration
	}
	format  output.Format
	colors  output.Palette // of Out
	started bool           // the command line is understood
	targets int            // how many machines the command is for
	mu      sync.Mutex     // around what several machines write to Out and Err
}

// Run runs coraclectl with arguments and returns its exit code.
func Run(ctx context.Context, args []string, e Environment) int {
	a := &app{Environment: e, colors: output.PaletteFor(e.Out, e.Getenv)}
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && !a.started {
		err = usage(err)
	}
	a.report(err)
	return exitCode(err)
}

func (a *app) root() *cobra.Command {
	cobra.EnableCommandSorting = false // the order of groups is the one that makes sense
	root := &cobra.Command{
		Use:   "coraclectl",
		Short: "Own Coracle machines: flash, configure, watch",
		Long: `coraclectl flashes Coracle machines, configures them and shows how they are doing, over their API.

Who you are is your key (coraclectl init makes one); a machine's config lists the keys that may use it. Which machine
answers is known by its key too: its fingerprint is on its console, and is given once with --fingerprint. Machines that
are known are in the contexts file; -n takes their names, names of groups, and addresses, several separated by commas.

Results go to stdout, everything else to stderr. Exit codes:

  0  done
  1  failed
  2  wrong usage, or a config that is not valid
  3  a machine does not answer
  4  not allowed: the key is not known there, or its role is too small
  5  a machine is not healthy
  6  a machine has another key than the one that is pinned`,
		Example: `  coraclectl init
  coraclectl flash coracle-amd64.img.zst /dev/sdb --config machine.yaml
  coraclectl contexts add edge-1 192.0.2.7 --fingerprint SHA256:…
  coraclectl -n edge-1 status`,
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) (err error) {
			if a.ConfigDir == "" && (a.flags.key == "" || a.flags.contexts == "") {
				return errors.New("the folder for keys and contexts is not known: set HOME, or give --key and --contexts")
			}
			a.format, err = output.Parse(a.flags.output)
			return err
		},
	}
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; see: %s --help", err, cmd.CommandPath())
	})
	f := root.PersistentFlags()
	f.StringSliceVarP(&a.flags.machines, "machine", "n", nil, "machines: names or groups of the contexts file, or host[:port]; the default is the current one")
	f.StringVar(&a.flags.contexts, "contexts", "", "file of known machines (default "+shownDir+"/contexts.yaml)")
	f.StringVar(&a.flags.key, "key", "", "file of your private key (default "+shownDir+"/key)")
	f.StringVar(&a.flags.fingerprint, "fingerprint", "", "fingerprint of the machine's key, as its console shows it; the machine is remembered")
	f.StringVarP(&a.flags.output, "output", "o", string(output.Table), "format of the result: table, wide, json or yaml")
	f.DurationVar(&a.flags.timeout, "timeout", 15*time.Second, "how long a machine may take to answer")
	must(root.RegisterFlagCompletionFunc("machine", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		f, err := contexts.Load(a.contextsPath())
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return f.Names(), cobra.ShellCompDirectiveNoFileComp
	}))
	must(root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "wide", "json", "yaml"}, cobra.ShellCompDirectiveNoFileComp)))

	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, build := range g.commands {
			c := build(a)
			c.GroupID = g.id
			root.AddCommand(c)
		}
	}
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	a.prepare(root)
	return root
}

// shownDir is the default of Environment.ConfigDir, as help says it.
const shownDir = "~/.config/coracle"

// groups are the commands, in the order of help.
var groups = []struct {
	id, title string
	commands  []func(*app) *cobra.Command
}{
	{"start", "Get started:", []func(*app) *cobra.Command{(*app).initCommand, (*app).keygenCommand, (*app).flashCommand, (*app).discoverCommand, (*app).contextsCommand}},
	{"config", "Configure:", []func(*app) *cobra.Command{(*app).configCommand, (*app).applyCommand, (*app).patchCommand, (*app).editCommand, (*app).getCommand}},
	{"watch", "See how it is doing:", []func(*app) *cobra.Command{
		(*app).statusCommand, (*app).healthCommand, (*app).dashboardCommand, (*app).logsCommand, (*app).dmesgCommand, (*app).eventsCommand,
		(*app).servicesCommand, (*app).psCommand, (*app).memoryCommand, (*app).disksCommand, (*app).mountsCommand, (*app).netCommand,
		(*app).timeCommand, (*app).bundleCommand,
	}},
	{"upgrade", "Upgrade:", []func(*app) *cobra.Command{(*app).upgradeCommand, (*app).rollbackCommand, (*app).slotsCommand, (*app).slotCommand}},
	{"act", "Act:", []func(*app) *cobra.Command{(*app).kubeconfigCommand, (*app).tokenCommand, (*app).rebootCommand, (*app).shutdownCommand, (*app).resetCommand}},
	{"other", "Other:", []func(*app) *cobra.Command{(*app).versionCommand}},
}

// prepare notes when a command begins to run: an error before that is one of usage.
func (a *app) prepare(c *cobra.Command) {
	if run := c.RunE; run != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			a.started = true
			return run(c, args)
		}
	} else if c.HasSubCommands() {
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("there is no command %q; see: %s --help", args[0], c.CommandPath())
			}
			return c.Help()
		}
	}
	for _, sub := range c.Commands() {
		a.prepare(sub)
	}
}

func must(err error) {
	if err != nil {
		panic(err) // a command is put together wrongly
	}
}

func (a *app) contextsPath() string {
	return first(a.flags.contexts, filepath.Join(a.ConfigDir, "contexts.yaml"))
}

func (a *app) keyPath() string { return first(a.flags.key, filepath.Join(a.ConfigDir, "key")) }

func first(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

// say tells a person something that is no result.
func (a *app) say(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fmt.Fprintf(a.Err, format+"\n", args...)
}

// interactive is whether a person can be asked.
func (a *app) interactive() bool { return output.IsTerminal(a.In) && output.IsTerminal(a.Err) }

// errNotAsked is that a question needs an answer and there is nobody to give it.
var errNotAsked = errors.New("nobody can be asked here")

// ask asks a question and returns the line that is typed.
func (a *app) ask(format string, args ...any) (string, error) {
	if !a.interactive() {
		return "", errNotAsked
	}
	fmt.Fprintf(a.Err, format+" ", args...)
	var line []byte
	buffer := make([]byte, 1) // no more than the line: what follows may be another answer
	for {
		n, err := a.In.Read(buffer)
		if n == 1 && buffer[0] == '\n' || err != nil {
			return string(slices.DeleteFunc(line, func(b byte) bool { return b == '\r' })), nil
		}
		line = append(line, buffer[:n]...)
	}
}

// confirm asks a question whose answer is yes or no; yes is y or yes.
func (a *app) confirm(format string, args ...any) (bool, error) {
	answer, err := a.ask(format+" [y/N]", args...)
	return slices.Contains([]string{"y", "Y", "yes", "Yes"}, answer), err
}

// windows is whether this is a program for Windows.
const windows = runtime.GOOS == "windows"
