package worker

import (
	"context"
	"errors"
	"sync"
)

// Latch turns a part's call back into an answer for component.Component.Ready.
type Latch struct {
	once sync.Once
	done chan struct{}
}

func (l *Latch) channel() chan struct{} {
	l.once.Do(func() { l.done = make(chan struct{}) })
	return l.done
}

// Set is called once, when the part is ready.
func (l *Latch) Set() { close(l.channel()) }

// Ready returns nil once Set was called.
func (l *Latch) Ready(context.Context) error {
	select {
	case <-l.channel():
		return nil
	default:
		return errors.New("not ready yet")
	}
}
