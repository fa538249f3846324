package main

import (
	"context"
	"fmt"
	"time"

	"github.com/coracle-os/coracle/tools/vm/machine"
)

// watchEvery is how often a soaking machine is looked at.
const watchEvery = 5 * time.Minute

// soak boots Coracle and fails unless it stays up: no process ended for want of memory, no container started again.
func soak(ctx context.Context, o options) error {
	r, err := repeated(func() (result, error) { return bootCoracle(ctx, o, o.memory, 0) })
	if err != nil {
		return err
	}
	fmt.Printf("a machine with %d MiB stayed up for %s once it had settled; its pod ran after %.1f s\n", o.memory, o.soak, r.times.PodRunning)
	return nil
}

// watch looks at a machine now and then for as long as d.
func watch(ctx context.Context, m *machine.Machine, c *cluster, d time.Duration, system int) error {
	for began := time.Now(); time.Since(began) < d; {
		if err := leaveAlone(ctx, m, min(watchEvery, d-time.Since(began))); err != nil {
			return err
		}
		s, err := c.sample(ctx)
		if err != nil {
			return err
		}
		if err := c.allReady(ctx, system); err != nil {
			return err
		}
		fmt.Printf("after %s: memory used %.1f MiB\n", time.Since(began).Round(time.Second), mebibytes(s.Used()))
	}
	return nil
}
