package component

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/coracle-os/coracle/kube/control"
)

// Recorder is told of every change of state; kube/status implements it.
type Recorder interface {
	Set(name string, state control.State, err error)
}

// Group supervises a list of components.
type Group struct {
	recorder Recorder
	members  []*member // in start order
	failed   chan error

	starved                  func() bool
	retryAfter, liveInterval time.Duration // shorter in tests
}

type member struct {
	Component
	cancel context.CancelFunc
	ready  chan struct{} // closed by release, when dependents may start
	once   sync.Once
	done   chan struct{} // closed when Run has returned, or will never be called
}

// Start starts the components as soon as what they need is ready, and returns at once. Cancelling ctx cancels all of them
// at the same time; use [Group.Stop] to stop them in order. starved says whether the process mostly waits for a processor.
func Start(ctx context.Context, components []Component, recorder Recorder, starved func() bool) (*Group, error) {
	return start(ctx, components, recorder, starved, RetryAfter, LiveInterval)
}

func start(ctx context.Context, components []Component, recorder Recorder, starved func() bool, retryAfter, liveInterval time.Duration) (*Group, error) {
	if err := Validate(components); err != nil {
		return nil, err
	}
	g := &Group{
		recorder: recorder, failed: make(chan error, len(components)),
		starved: starved, retryAfter: retryAfter, liveInterval: liveInterval,
	}
	byName := map[string]*member{}
	for _, c := range components {
		m := &member{Component: c, ready: make(chan struct{}), done: make(chan struct{})}
		byName[c.Name] = m
		g.members = append(g.members, m)
		recorder.Set(c.Name, control.Waiting, nil)
	}
	for _, m := range g.members {
		needs := make([]*member, 0, len(m.After))
		for _, name := range m.After {
			needs = append(needs, byName[name])
		}
		memberCtx, cancel := context.WithCancel(ctx)
		m.cancel = cancel
		go g.supervise(memberCtx, m, needs)
	}
	return g, nil
}

// Failed delivers the reason when a component that is not optional has failed.
func (g *Group) Failed() <-chan error { return g.failed }

// Ready is closed when the named component is ready. A name that is not in the list is never ready.
func (g *Group) Ready(name string) <-chan struct{} {
	for _, m := range g.members {
		if m.Name == name {
			return m.ready
		}
	}
	return nil
}

// Stop stops the named components, or all when none is named, in the reverse of the start order, each within its StopTimeout.
// A component that does not return in time is left behind: the process is about to end.
func (g *Group) Stop(names ...string) {
	wanted := map[string]bool{}
	for _, name := range names {
		wanted[name] = true
	}
	for i := len(g.members) - 1; i >= 0; i-- {
		m := g.members[i]
		if len(names) > 0 && !wanted[m.Name] {
			continue
		}
		timeout := m.StopTimeout
		if timeout == 0 {
			timeout = DefaultStopTimeout
		}
		m.cancel()
		select {
		case <-m.done:
		case <-time.After(timeout):
			slog.Warn("component did not stop in time", "component", m.Name, "timeout", timeout)
			g.recorder.Set(m.Name, control.Stopped, fmt.Errorf("did not stop within %s", timeout))
		}
	}
}

func (g *Group) supervise(ctx context.Context, m *member, needs []*member) {
	defer close(m.done)
	for _, need := range needs {
		select {
		case <-need.ready:
		case <-ctx.Done():
			g.recorder.Set(m.Name, control.Stopped, nil)
			return
		}
	}
	g.recorder.Set(m.Name, control.Starting, nil)
	started := time.Now()

	result := make(chan error, 2) // of Run, and of Live
	go func() { result <- run(ctx, m) }()
	becameReady := make(chan struct{})
	if !m.OneShot {
		go awaitReady(ctx, m, becameReady)
	}

	var err error
wait:
	for {
		select {
		case <-becameReady:
			g.markReady(m, started)
			becameReady = nil
			if m.Live != nil {
				go g.watchLife(ctx, m, result)
			}
		case err = <-result:
			break wait
		}
	}
	for wait := g.retryAfter; m.OneShot && m.Optional && err != nil && ctx.Err() == nil; wait = min(2*wait, RetryAtMost) {
		g.recorder.Set(m.Name, control.Failed, err)
		slog.Error("optional component failed", "component", m.Name, "error", err, "again in", wait)
		m.release() // what waits for it is better late than never
		select {
		case <-ctx.Done():
		case <-time.After(wait):
			err = run(ctx, m)
		}
	}
	switch {
	case ctx.Err() != nil:
		g.recorder.Set(m.Name, control.Stopped, nil)
	case err == nil && m.OneShot:
		g.markReady(m, started)
	default:
		if err == nil {
			err = errors.New("ended without being asked to")
		}
		g.recorder.Set(m.Name, control.Failed, err)
		if !m.Optional {
			g.failed <- fmt.Errorf("%s: %w", m.Name, err)
			return
		}
		slog.Error("optional component failed", "component", m.Name, "error", err)
	}
}

// watchLife puts an error into result when a component that is ready no longer lives.
func (g *Group) watchLife(ctx context.Context, m *member, result chan<- error) {
	ticker := time.NewTicker(g.liveInterval)
	defer ticker.Stop()
	for failed := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-m.done:
			return
		case <-ticker.C:
		}
		err := m.Live(ctx)
		if err == nil || ctx.Err() != nil {
			failed = 0
			continue
		}
		failed++
		switch {
		case failed < LivePatience:
		case failed < StarvedPatience && g.starved():
			if failed == LivePatience {
				slog.Warn("component does not live, and gets too little of the processors to say so", "component", m.Name, "error", err)
			}
		default:
			result <- fmt.Errorf("it runs, but %d times in a row said: %w", failed, err)
			return
		}
	}
}

// run turns a panic of a component's own goroutine into an error. Panics of goroutines it has started still end the process.
func run(ctx context.Context, m *member) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return m.Run(ctx)
}

func awaitReady(ctx context.Context, m *member, ready chan<- struct{}) {
	if m.Component.Ready != nil {
		ticker := time.NewTicker(PollInterval)
		defer ticker.Stop()
		for m.Component.Ready(ctx) != nil {
			select {
			case <-ctx.Done():
				return
			case <-m.done:
				return
			case <-ticker.C:
			}
		}
	}
	close(ready)
}

func (g *Group) markReady(m *member, started time.Time) {
	g.recorder.Set(m.Name, control.Ready, nil)
	slog.Info("component ready", "component", m.Name, "after", time.Since(started).Round(time.Millisecond))
	m.release()
}

// release lets what waits for the member start.
func (m *member) release() { m.once.Do(func() { close(m.ready) }) }
