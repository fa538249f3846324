package command

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// reference is docs/coraclectl.md, made from the commands' help.
func reference(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString("# coraclectl\n\nMade from the help of the commands; `go test ./tools/coraclectl/command -run TestReference -update` writes it anew.\n\n")
	describe(&b, root)
	b.WriteString("\nFlags of every command:\n\n" + block(root.PersistentFlags().FlagUsages()))
	for _, group := range root.Groups() {
		fmt.Fprintf(&b, "\n## %s\n", strings.TrimSuffix(group.Title, ":"))
		for _, c := range root.Commands() {
			if c.GroupID == group.ID {
				walk(&b, c)
			}
		}
	}
	return b.String()
}

func walk(b *strings.Builder, c *cobra.Command) {
	fmt.Fprintf(b, "\n### %s\n\n", c.CommandPath())
	describe(b, c)
	if flags := c.NonInheritedFlags(); flags.HasAvailableFlags() {
		b.WriteString("\n" + block(flags.FlagUsages()))
	}
	for _, sub := range c.Commands() {
		walk(b, sub)
	}
}

func describe(b *strings.Builder, c *cobra.Command) {
	if c.Runnable() && c.HasParent() {
		b.WriteString("    " + c.UseLine() + "\n\n")
	}
	for line := range strings.Lines(c.Long + "\n") {
		if strings.HasPrefix(line, "  ") { // a list, which stays one
			line = "  " + line
		}
		b.WriteString(line)
	}
	if c.Example != "" {
		b.WriteString("\n" + block(c.Example))
	}
}

// block indents what is indented by two spaces, as Markdown wants it, and takes spaces at the ends of lines away.
func block(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString(strings.TrimRight("  "+line, " \n") + "\n")
	}
	return b.String()
}

func TestReference(t *testing.T) {
	a := &app{Environment: Environment{Out: new(bytes.Buffer), Err: new(bytes.Buffer), Getenv: func(string) string { return "" }}}
	got := reference(a.root())
	path := filepath.Join("..", "..", "..", "docs", "coraclectl.md")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || got != string(want) {
		t.Errorf("docs/coraclectl.md is not what the commands say (%v); write it with: go test ./tools/coraclectl/command -run TestReference -update", err)
	}
}

func TestEveryCommandHasHelp(t *testing.T) {
	a := &app{Environment: Environment{Out: new(bytes.Buffer), Err: new(bytes.Buffer), Getenv: func(string) string { return "" }}}
	var check func(*cobra.Command)
	check = func(c *cobra.Command) {
		if c.Name() == "completion" || c.Name() == "help" { // of the library
			return
		}
		if c.Short == "" || c.Long == "" || c.Example == "" {
			t.Errorf("%s: Short, Long or Example is missing", c.CommandPath())
		}
		if strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: %q ends with a full stop", c.CommandPath(), c.Short)
		}
		if !strings.Contains(c.Example, "coraclectl") {
			t.Errorf("%s: the example does not say coraclectl", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			check(sub)
		}
	}
	check(a.root())
}
