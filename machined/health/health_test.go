package health

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

type counter struct{ n atomic.Int64 }

func (c *counter) Write(p []byte) (int, error) {
	if string(p) != "healthy" {
		panic(string(p))
	}
	c.n.Add(1)
	return len(p), nil
}

func TestMonitorIsSilentWhileALoopHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMonitor()
		first, second := m.Loop("first", 10*time.Second), m.Loop("second", 10*time.Second)
		var said counter
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go m.Run(ctx, &said, slog.New(slog.DiscardHandler))

		turn := func(seconds int, beats ...func()) int64 {
			before := said.n.Load()
			for range seconds {
				for _, beat := range beats {
					beat()
				}
				time.Sleep(time.Second)
			}
			synctest.Wait()
			return said.n.Load() - before
		}
		if n := turn(60, first, second); n < 12 {
			t.Errorf("healthy for a minute, said %d times; init wants it every 5 s", n)
		}
		turn(12, first)
		if n := turn(60, first); n != 0 {
			t.Errorf("said %d times while second hangs", n)
		}
		if h := m.Hung(); len(h) != 1 || h[0] != "second" {
			t.Errorf("hung: %v", h)
		}
		if n := turn(10, first, second); n == 0 {
			t.Error("not said again after second turns")
		}
		cancel()
		synctest.Wait()
	})
}
