package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/api/podlog"
	"github.com/coracle-os/coracle/machined/config/types"
)

// LogReader reads a log as it grows.
type LogReader interface {
	// Next writes what was added since the last call, all that is kept at first. io.EOF: nothing more will be.
	Next(w io.Writer) error
	io.Closer
}

// LogSource is a log.
type LogSource struct {
	Open func() (LogReader, error)
	Time func(line []byte) (time.Time, bool) // when a line was written; false: it does not say
	text func(line []byte) []byte            // what is shown of a line; nil: all
}

const (
	// followEvery is how often a log that is followed is looked at.
	followEvery = 250 * time.Millisecond
	// maxTail bounds the lines that are held back to find the last of them, in bytes.
	maxTail = 2 << 20
	// chunkSize is about how much of a log is sent at once, in bytes.
	chunkSize = 16 << 10
)

// GetLogs sends a log's lines.
func (s service) GetLogs(ctx context.Context, r *connect.Request[machinepb.GetLogsRequest], stream *connect.ServerStream[machinepb.GetLogsResponse]) error {
	source, err := s.logSource(ctx, r.Msg)
	if err != nil {
		return err
	}
	var since time.Time
	if r.Msg.Since != nil {
		since = r.Msg.Since.AsTime()
	}
	return source.copy(ctx, r.Msg.TailLines, since, r.Msg.Follow, func(b []byte) error {
		return stream.Send(&machinepb.GetLogsResponse{Data: b})
	})
}

func (s service) logSource(ctx context.Context, r *machinepb.GetLogsRequest) (LogSource, error) {
	invalid := func(format string, args ...any) (LogSource, error) {
		return LogSource{}, connect.NewError(connect.CodeInvalidArgument, fmt.Errorf(format, args...))
	}
	services := strings.Join(slices.Sorted(maps.Keys(s.Backend.Logs)), ", ")
	switch {
	case r.TailLines < 0:
		return invalid("tail_lines is negative")
	case (r.Service == "") == (r.Container == ""):
		return invalid("either service or container says whose log it is; services are %s", services)
	case r.Service != "" && r.Previous:
		return invalid("previous is for containers only")
	case r.Service != "":
		source, known := s.Backend.Logs[r.Service]
		if !known {
			return invalid("service %q has no log; there are %s", r.Service, services)
		}
		return source, nil
	}
	if err := needs(ctx, types.Operator, "the log of a container"); err != nil {
		return LogSource{}, err
	}
	container, err := podlog.ParseContainer(r.Container)
	if err != nil {
		return invalid("%w", err)
	}
	return LogSource{
		Open: func() (LogReader, error) {
			reader, err := s.Backend.PodLogs.Open(container, r.Previous)
			if errors.Is(err, podlog.ErrNotFound) {
				return nil, connect.NewError(connect.CodeNotFound, err)
			}
			return reader, err
		},
		Time: func(b []byte) (time.Time, bool) { l, ok := podlog.Parse(b); return l.Time, ok },
		text: containerText,
	}, nil
}

// containerText is what a container wrote. The parts of a line follow each other.
func containerText(b []byte) []byte {
	l, ok := podlog.Parse(b)
	switch {
	case !ok:
		return b
	case l.Whole:
		return append(bytes.Clone(l.Text), '\n')
	}
	return l.Text
}

// copy sends the lines that there are, at most tail of them (0: all) and none from before since, and, with follow, those
// that are added.
func (l LogSource) copy(ctx context.Context, tail int64, since time.Time, follow bool, send func([]byte) error) error {
	reader, err := l.Open()
	if err != nil {
		return err
	}
	defer reader.Close()
	out := &chunks{send: send}
	last := &lastLines{most: tail, next: out.line}
	keep := l.since(since, func(b []byte) error {
		b = hideArgument(b)
		if l.text != nil {
			b = l.text(b)
		}
		if tail > 0 {
			return last.line(b)
		}
		return out.line(b)
	})
	lines := &splitter{line: keep}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		err := reader.Next(lines)
		if !follow || err != nil {
			err = errors.Join(err, lines.end())
		}
		if flushed := errors.Join(last.flush(), out.flush()); flushed != nil {
			return flushed
		}
		tail = 0 // lines that are added are all sent
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case !follow || err != nil:
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// since leaves out lines that were written before t. One that does not say when is as old as the one before it.
func (l LogSource) since(t time.Time, next func([]byte) error) func([]byte) error {
	if t.IsZero() || l.Time == nil {
		return next
	}
	old := true
	return func(b []byte) error {
		if written, says := l.Time(b); says {
			old = written.Before(t)
		}
		if old {
			return nil
		}
		return next(b)
	}
}

// chunks sends lines some at a time.
type chunks struct {
	send    func([]byte) error
	pending []byte
}

func (c *chunks) line(b []byte) error {
	c.pending = append(c.pending, b...)
	if len(c.pending) < chunkSize {
		return nil
	}
	return c.flush()
}

func (c *chunks) flush() error {
	if len(c.pending) == 0 {
		return nil
	}
	b := c.pending
	c.pending = nil
	return c.send(b)
}
