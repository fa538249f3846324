package worker

import (
	"context"
	"fmt"
	"os"
	"time"
)

const (
	idleShare  = 0.4 // of the processors' time
	idleInARow = 2
)

// longestPatience ends what an agent would wait that was without its servers for long.
const longestPatience = 2 * time.Minute

// Patience is how long what can wait is kept back for the sake of the node and its pods: at least that long, and for half of the time
// since the start, which is longer where all takes longer.
func (w *Worker) Patience(least time.Duration) time.Duration {
	return patience(least, time.Since(w.started))
}

func patience(least, sinceStart time.Duration) time.Duration {
	return max(least, min(sinceStart/2, longestPatience))
}

// WaitIdle waits until the processors have had time to spare in two looks in a row, each after every; at most for [Worker.Patience].
func (w *Worker) WaitIdle(ctx context.Context, every, least time.Duration) {
	waitIdle(ctx, every, w.Patience(least))
}

func waitIdle(ctx context.Context, every, limit time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	before, err := processorTime()
	for began, quiet := time.Now(), 0; err == nil && quiet < idleInARow && time.Since(began) < limit; quiet++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		var now usage
		if now, err = processorTime(); now.idleSince(before) < idleShare {
			quiet = -1
		}
		before = now
	}
}

// usage is how long processors were busy and idle since boot, in the kernel's ticks.
type usage struct{ busy, idle int64 }

func processorTime() (usage, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return usage{}, err
	}
	return parseProcessorTime(string(text))
}

// parseProcessorTime reads the first line of /proc/stat (proc_stat(5)). Waiting for a disk is not being busy for the kernel, but it
// is for who would use the disk.
func parseProcessorTime(text string) (usage, error) {
	var user, nice, system, idle, iowait, irq, softirq int64
	if _, err := fmt.Sscanf(text, "cpu %d %d %d %d %d %d %d", &user, &nice, &system, &idle, &iowait, &irq, &softirq); err != nil {
		return usage{}, fmt.Errorf("/proc/stat: %w", err)
	}
	return usage{busy: user + nice + system + iowait + irq + softirq, idle: idle}, nil
}

// idleSince is the idle share of the time since an earlier look, 0 to 1.
func (u usage) idleSince(earlier usage) float64 {
	idle, all := u.idle-earlier.idle, u.idle+u.busy-earlier.idle-earlier.busy
	if all <= 0 {
		return 0
	}
	return float64(idle) / float64(all)
}
