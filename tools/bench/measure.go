package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coracle-os/coracle/tools/vm/console"
	"github.com/coracle-os/coracle/tools/vm/machine"
)

// result is what one boot showed.
type result struct {
	times     seconds
	settled   sample
	idleWrite float64 // bytes a second; 0 when it was not measured
}

// smallest process that the report lists, in bytes of anonymous memory.
const smallest = 512 << 10

// processes is the anonymous memory of each program in MiB.
func (r result) processes() map[string]float64 {
	out := map[string]float64{}
	for name, n := range r.settled.Anonymous {
		if n >= smallest {
			out[name] = mebibytes(n)
		}
	}
	return out
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }

func (s seconds) String() string {
	return fmt.Sprintf("kernel %.1f s, machined %.1f s, apiserver ready %.1f s, node Ready %.1f s, pod Running %.1f s",
		s.Kernel, s.Machined, s.APIServerReady, s.NodeReady, s.PodRunning)
}

// errEmulator is the error of a measurement that QEMU broke.
var errEmulator = errors.New("the measurement does not count")

// repeats is how often a measurement that QEMU broke is begun again.
const repeats = 3

// repeated measures until QEMU does not break the machine.
func repeated(measure func() (result, error)) (r result, err error) {
	for n := 0; n <= repeats; n++ {
		if r, err = measure(); !errors.Is(err, errEmulator) {
			return r, err
		}
		fmt.Println(err)
	}
	return r, err
}

// measure follows a machine from power-on. connect returns its cluster as soon as that can be known, system is the number of pods
// that it brings along; nothing else differs between Coracle and the baseline.
func measure(ctx context.Context, m *machine.Machine, connect func(context.Context) (*cluster, error), system int, o options, idle time.Duration) (r result, err error) {
	defer func() {
		if err == nil || ctx.Err() != nil {
			return
		}
		if fault := m.EmulatorFault(machine.DumpTime); fault != nil {
			err = fmt.Errorf("%w: %w", errEmulator, fault)
		} else {
			err = fmt.Errorf("%w\n%s", err, m.Report())
		}
	}()
	if r.times, err = timePod(ctx, m, connect, o.timeout); err != nil {
		return r, err
	}
	fmt.Println(r.times)
	if o.timesOnly {
		return r, nil
	}
	c, err := connect(ctx)
	if err != nil {
		return r, err
	}
	if err := leaveAlone(ctx, m, o.settle); err != nil {
		return r, err
	}
	if err := poll(ctx, m, func(ctx context.Context) error { return c.allReady(ctx, system) }); err != nil {
		return r, fmt.Errorf("waiting for all pods: %w", err)
	}
	if r.settled, err = c.sample(ctx); err != nil {
		return r, err
	}
	fmt.Printf("memory used: %.1f MiB\n", mebibytes(r.settled.Used()))
	if o.soak > 0 {
		return r, watch(ctx, m, c, o.soak, system)
	}
	if idle == 0 {
		return r, nil
	}
	began := time.Now()
	if err := leaveAlone(ctx, m, idle); err != nil {
		return r, err
	}
	after, err := c.sample(ctx)
	if err != nil {
		return r, err
	}
	r.idleWrite = float64(after.writtenSince(r.settled)) / time.Since(began).Seconds()
	if err := c.allReady(ctx, system); err != nil {
		return r, err
	}
	fmt.Printf("idle for %s: %.0f B/s written, memory used %.1f MiB\n", idle, r.idleWrite, mebibytes(after.Used()))
	return r, nil
}

// timePod submits a pod as soon as the API takes it, and measures by the host's clock since power-on.
func timePod(ctx context.Context, m *machine.Machine, connect func(context.Context) (*cluster, error), timeout time.Duration) (t seconds, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no pod runs after %s", timeout))
	defer cancel()
	// What comes first on the console ends the wait for the API too, when the machine fails.
	kernel, err := m.Console.WaitMilestone(ctx, "kernel")
	if err != nil {
		return t, err
	}
	t.Kernel = kernel.Seen.Seconds()
	c, err := connect(ctx)
	if err != nil {
		return t, err
	}
	for _, wait := range []struct {
		what  string
		there func(context.Context) error
		at    *float64
	}{
		{"the apiserver to be ready", c.apiReady, &t.APIServerReady},
		{"the pod to be accepted", c.submit, new(float64)},
		{"the node to be Ready", c.nodeReady, &t.NodeReady},
		{"the pod to run", c.podRunning, &t.PodRunning},
	} {
		if err := poll(ctx, m, wait.there); err != nil {
			return t, fmt.Errorf("waiting for %s: %w\n%s", wait.what, err, c.events(context.WithoutCancel(ctx)))
		}
		*wait.at = m.Age().Seconds()
	}
	// The machine knows earlier than somebody who asks now and then.
	for _, stone := range m.Console.Milestones() {
		switch seen := stone.Seen.Seconds(); stone.Name {
		case "machined":
			t.Machined = seen
		case "api-ready":
			t.APIServerReady = seen
		case "node-ready":
			t.NodeReady = seen
		}
	}
	return t, nil
}

// pollEvery is the resolution of what is seen through the API. Each look costs the machine some work.
const pollEvery = 250 * time.Millisecond

// poll asks until there returns nil.
func poll(ctx context.Context, m *machine.Machine, there func(context.Context) error) error {
	for {
		err := there(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(pollEvery):
		case <-m.Ended():
			return m.Err()
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

// leaveAlone leaves the machine alone, and fails when it does not survive that whole.
func leaveAlone(ctx context.Context, m *machine.Machine, d time.Duration) error {
	select {
	case <-time.After(d):
	case <-m.Ended():
		return m.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
	if lines := m.Console.Matching(console.OutOfMemory); len(lines) > 0 {
		return fmt.Errorf("the machine ran out of memory:\n%s", strings.Join(lines, "\n"))
	}
	return nil
}
