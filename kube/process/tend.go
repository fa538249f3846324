package process

import (
	"context"
	"log/slog"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	tendInterval = 20 * time.Second
	costly       = 0.10 // share of the processors' time: collecting takes it from pods and from what allocates
	cheap        = 0.03
)

// Tend lets garbage pile up as little as the processors can afford, until ctx ends: with GOGC at its least a small machine collects after every
// 11 MiB that are allocated, also while it unpacks an image or starts many pods. GOMEMLIMIT holds all the while. What the start has left
// over is given back once there is little to do.
func (c Collector) Tend(ctx context.Context) {
	ticker := time.NewTicker(tendInterval)
	defer ticker.Stop()
	settled, percent, before := false, c.starting, collected()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := collected()
		next := c.next(percent, now.share(before))
		before = now
		if next != percent {
			debug.SetGCPercent(next)
			percent = next
		}
		if percent == c.percent && !settled {
			settled = true
			debug.FreeOSMemory()
			slog.Info("memory", "gogc", percent)
		}
	}
}

// next is what GOGC becomes when collecting has taken share of the processors' time.
func (c Collector) next(percent int, share float64) int {
	switch {
	case share > costly:
		return min(2*percent, c.starting)
	case share < cheap:
		return max(percent/2, c.percent)
	}
	return percent
}

// collection is the processors' time since the process began, in seconds: what the collector has taken from others, and all. The runtime
// counts at the end of each collection, and estimates.
type collection struct{ taken, all float64 }

func collected() collection {
	samples := []metrics.Sample{
		{Name: "/cpu/classes/gc/total:cpu-seconds"},
		{Name: "/cpu/classes/gc/mark/idle:cpu-seconds"}, // nobody else wanted it
		{Name: "/cpu/classes/total:cpu-seconds"},
	}
	metrics.Read(samples)
	seconds := func(i int) float64 { return samples[i].Value.Float64() }
	return collection{taken: seconds(0) - seconds(1), all: seconds(2)}
}

// share is the share of the time since an earlier look, 0 to 1; 0 when nothing was collected since.
func (c collection) share(earlier collection) float64 {
	if c.all <= earlier.all {
		return 0
	}
	return (c.taken - earlier.taken) / (c.all - earlier.all)
}
