package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// step is one part of a build.
type step struct {
	name  string
	input string // what it works on, for a person whose build failed
	run   func(ctx context.Context) (result string, err error)
}

// runSteps runs the steps in order and prints a line for each.
func runSteps(ctx context.Context, w io.Writer, steps []step) error {
	begin := time.Now()
	for i, s := range steps {
		fmt.Fprintf(w, "[%2d/%d] %-36s", i+1, len(steps), s.name)
		start := time.Now()
		result, err := s.run(ctx)
		if err == nil {
			err = ctx.Err()
		}
		fmt.Fprintf(w, " %6.1f s  %s\n", time.Since(start).Seconds(), result)
		if err != nil {
			return fmt.Errorf("step %q failed\ninput: %s\n%w", s.name, s.input, err)
		}
	}
	fmt.Fprintf(w, "done in %.1f s\n", time.Since(begin).Seconds())
	return nil
}

// size is a number of bytes as people say it.
func size(n int64) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d bytes", n)
}
