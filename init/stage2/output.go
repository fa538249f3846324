package main

import (
	"bufio"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/coracle-os/coracle/init/kmsg"
)

// output copies what a program prints to the log, line by line, and remembers why it may have ended.
type output struct {
	component string
	done      chan struct{}

	mu     sync.Mutex
	last   string // line
	defect string // first line with which the Go runtime ends a program
}

func newOutput(component string) *output {
	return &output{component: component, done: make(chan struct{})}
}

// copy reads until every process that has the other end is gone.
func (o *output) copy(r io.ReadCloser) {
	defer r.Close()
	// Lines longer than the buffer come in pieces, which is no harm.
	lines := bufio.NewReaderSize(r, 1024)
	for {
		b, err := lines.ReadSlice('\n')
		if line := strings.TrimRight(string(b), "\r\n"); line != "" {
			o.note(line)
			kmsg.Info(o.component, "%s", line)
		}
		if err != nil && err != bufio.ErrBufferFull {
			close(o.done)
			return
		}
	}
}

func (o *output) note(line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = line
	if o.defect == "" && (strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:")) {
		o.defect = line
	}
}

// cause is the line that says best why the program ended. What it printed at the very end may still be on its way, and
// a child of its may keep the pipe open: wait a moment, no longer.
func (o *output) cause() string {
	select {
	case <-o.done:
	case <-time.After(200 * time.Millisecond):
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.defect != "" {
		return o.defect
	}
	return o.last
}
