package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// measureTimes boots the baseline and Coracle in turn, each o.times times, and keeps the median of each time: hosts are noisy,
// and what slows one kind of machine down should slow down the other.
func (r *report) measureTimes(ctx context.Context, o options) error {
	o.timesOnly = true
	var base, own []seconds
	for range o.times {
		b, errBaseline := repeated(func() (result, error) { return bootBaseline(ctx, o) })
		c, errCoracle := repeated(func() (result, error) { return bootCoracle(ctx, o, 2048, 0) })
		if err := errors.Join(errBaseline, errCoracle); err != nil {
			return err
		}
		base, own = append(base, b.times), append(own, c.times)
		fmt.Printf("baseline %.1f s, Coracle %.1f s, ratio %.2f\n", b.times.PodRunning, c.times.PodRunning,
			c.times.PodRunning/b.times.PodRunning)
	}
	r.Arch = o.arch
	r.Baseline.PodRunning = median(base, func(s seconds) float64 { return s.PodRunning })
	r.Seconds = seconds{
		Kernel:         median(own, func(s seconds) float64 { return s.Kernel }),
		Machined:       median(own, func(s seconds) float64 { return s.Machined }),
		APIServerReady: median(own, func(s seconds) float64 { return s.APIServerReady }),
		NodeReady:      median(own, func(s seconds) float64 { return s.NodeReady }),
		PodRunning:     median(own, func(s seconds) float64 { return s.PodRunning }),
	}
	return nil
}

// median is the middle one of what of takes from each of several times.
func median(times []seconds, of func(seconds) float64) float64 {
	var values []float64
	for _, t := range times {
		values = append(values, of(t))
	}
	slices.Sort(values)
	return values[len(values)/2]
}
