// Package command runs programs so that a failure tells which command it was and the end of what it said.
package command

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// tail is how many lines of a failed program's output are shown.
const tail = 20

// Error is a program that failed.
type Error struct {
	Command string // as it could be typed
	Output  string // the last lines of standard error, or of standard output if it said nothing there
	Err     error
}

func (e *Error) Error() string {
	text := fmt.Sprintf("command: %s\n%v", e.Command, e.Err)
	if e.Output != "" {
		text += "\n" + e.Output
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// Output runs cmd and returns its standard output. The error is an [*Error].
func Output(cmd *exec.Cmd) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		said := strings.TrimSpace(stderr.String())
		if said == "" {
			said = strings.TrimSpace(stdout.String())
		}
		return stdout.String(), &Error{Command: Line(cmd), Output: lastLines(said, tail), Err: err}
	}
	return stdout.String(), nil
}

// Line is how cmd would be typed in a shell: with its folder, and with what its environment has more than this process's.
func Line(cmd *exec.Cmd) string {
	var words []string
	if cmd.Dir != "" {
		words = append(words, "cd", quote(cmd.Dir), "&&")
	}
	ours := os.Environ()
	for _, variable := range cmd.Env {
		if name, value, ok := strings.Cut(variable, "="); ok && !slices.Contains(ours, variable) {
			words = append(words, name+"="+quote(value))
		}
	}
	for _, arg := range cmd.Args {
		words = append(words, quote(arg))
	}
	return strings.Join(words, " ")
}

// quote makes one word of s for a shell.
func quote(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\n\"'$\\*?;&|<>()") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func lastLines(text string, n int) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
