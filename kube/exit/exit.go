// Package exit keeps the reason when the kube process ends: the last line on stderr says which part ended it and why,
// also when a component's library calls klog.Fatal or logrus.Fatal, which would end the process behind our back.
package exit

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"
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
	fmt.Fprintf(takeStderr(), "kube: %s\n", oneLine(reason))
	os.Exit(code)
}

// takeStderr returns stderr, which is from then on the caller's only: components go on logging until the process has ended, and
// what they write to file descriptor 2 goes nowhere.
func takeStderr() io.Writer {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return os.Stderr
	}
	connection, err := os.Stderr.SyscallConn()
	if err != nil {
		return os.Stderr
	}
	var taken io.Writer = os.Stderr
	// Write waits for whoever is writing to os.Stderr now: that line comes before ours.
	connection.Write(func(stderr uintptr) bool {
		own, err := unix.FcntlInt(stderr, unix.F_DUPFD_CLOEXEC, 3)
		if err == nil && unix.Dup3(int(null.Fd()), int(stderr), 0) == nil {
			taken = os.NewFile(uintptr(own), os.Stderr.Name())
		}
		return true
	})
	return taken
}

// Hook makes fatal log calls of components end the process through [With].
func Hook() {
	last := &lastFatal{out: os.Stderr}
	// Through a logger of ours we know what klog logged last. Its flags and its output would not do: containerd sets them too, and with them
	// a fatal message is followed by the stacks of thousands of goroutines. kube-proxy applies upstream's logging configuration, which
	// would put another logger in place: it changes nothing where it is in force already.
	logsapi.ReapplyHandling = logsapi.ReapplyHandlingIgnoreUnchanged
	if err := logsapi.ValidateAndApply(logsapi.NewLoggingConfiguration(), nil); err != nil {
		panic(err) // it is upstream's default
	}
	logger := textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(last)))
	klog.SetLoggerWithOptions(logger, klog.ContextualLogger(true), klog.WriteKlogBuffer(func(line []byte) { _, _ = last.Write(line) }))
	klog.OsExit = func(int) { With(Failed, last.reason()) }
	logrus.SetOutput(os.Stderr)
	logrus.AddHook(fatalEntry{})
}

// fatalEntry ends the process when containerd or kine log a fatal error; logrus calls it before it would end the process.
type fatalEntry struct{}

func (fatalEntry) Levels() []logrus.Level { return []logrus.Level{logrus.FatalLevel} }

func (fatalEntry) Fire(e *logrus.Entry) error {
	reason := "fatal: " + e.Message
	if cause, ok := e.Data[logrus.ErrorKey].(error); ok {
		reason += ": " + cause.Error()
	}
	With(Failed, reason)
	return nil
}

// lastFatal passes log lines on and remembers the one that says why klog ends the process: the last fatal one, which begins with F. klog.FlushAndExit
// logs none; who calls it has logged an error, which begins with E.
type lastFatal struct {
	out io.Writer

	mu   sync.Mutex
	line string
}

func (l *lastFatal) Write(p []byte) (int, error) {
	if fatal := bytes.HasPrefix(p, []byte("F")); fatal || bytes.HasPrefix(p, []byte("E")) {
		l.mu.Lock()
		if fatal || !strings.HasPrefix(l.line, "F") {
			l.line = string(p)
		}
		l.mu.Unlock()
	}
	return l.out.Write(p)
}

func (l *lastFatal) reason() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case strings.HasPrefix(l.line, "F"):
		return "fatal: " + l.line
	case l.line != "":
		return "klog ended the process after: " + l.line
	}
	return "klog ended the process without a reason"
}

// oneLine joins the lines of s, so that the reason stays the last line of the log.
func oneLine(s string) string {
	return string(bytes.ReplaceAll(bytes.TrimSpace([]byte(s)), []byte("\n"), []byte("; ")))
}
