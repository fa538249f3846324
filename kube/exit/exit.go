// Package exit keeps the reason when the kube process ends: the last line on stderr says which part ended it and why,
// also when a component's library calls klog.Fatal or logrus.Fatal, which would end the process behind our back.
package exit

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/sirupsen/logrus"
	"k8s.io/klog/v2"
)

// Exit codes of kube; docs/architecture.md has the contract. The Go runtime ends with 2 on a panic too, after a traceback.
const (
	Asked           = 0 // by a signal
	Failed          = 1 // a component failed
	InvalidSettings = 2
)

// With ends the process after writing the reason as the last line of stderr.
func With(code int, reason string) {
	klog.Flush()
	fmt.Fprintf(os.Stderr, "kube: %s\n", oneLine(reason))
	os.Exit(code)
}

// Hook makes fatal log calls of components end the process through [With].
func Hook() {
	last := &lastFatal{out: os.Stderr}
	// klog writes to stderr directly unless told otherwise; through a writer of ours the fatal message can be repeated
	// as the last line, after the stack traces that klog prints.
	flags := flag.NewFlagSet("klog", flag.PanicOnError)
	klog.InitFlags(flags)
	for name, value := range map[string]string{"logtostderr": "false", "alsologtostderr": "false", "stderrthreshold": "FATAL", "one_output": "true"} {
		if err := flags.Set(name, value); err != nil {
			panic(err)
		}
	}
	klog.SetOutput(last)
	klog.OsExit = func(int) { With(Failed, last.reason("klog")) }
	logrus.SetOutput(os.Stderr)
	logrus.StandardLogger().ExitFunc = func(int) { With(Failed, "containerd or kine logged a fatal error, see the line before") }
}

// lastFatal passes log lines on and remembers the last fatal one: klog marks it with the letter F.
type lastFatal struct {
	out io.Writer

	mu    sync.Mutex
	fatal string
}

func (l *lastFatal) Write(p []byte) (int, error) {
	if len(p) > 0 && p[0] == 'F' {
		l.mu.Lock()
		l.fatal = string(p)
		l.mu.Unlock()
		return len(p), nil // klog itself copies fatal lines to stderr
	}
	return l.out.Write(p)
}

func (l *lastFatal) reason(source string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fatal == "" {
		return source + " ended the process without a reason"
	}
	return "fatal: " + l.fatal
}

// oneLine joins the lines of s, so that the reason stays the last line of the log.
func oneLine(s string) string {
	return string(bytes.ReplaceAll(bytes.TrimSpace([]byte(s)), []byte("\n"), []byte("; ")))
}
