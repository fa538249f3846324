package api

import (
	"context"
	"fmt"
	"sync"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/machined/keys"
)

// streams are those that are being answered. They may last for days, so they are counted, and ended when their caller
// loses the right to them.
type streams struct {
	mu   sync.Mutex
	open map[*stream]struct{}
}

type stream struct {
	method *method
	who    caller
	cancel context.CancelCauseFunc
}

// begin counts a stream, or refuses it. The context ends with a cause when the caller may no longer have it.
func (s *streams) begin(ctx context.Context, m *method) (context.Context, func(), error) {
	n := &stream{method: m, who: callerOf(ctx)}
	s.mu.Lock()
	defer s.mu.Unlock()
	own := 0
	for o := range s.open {
		if o.who.id() == n.who.id() {
			own++
		}
	}
	switch {
	case own >= maxStreamsPerCaller:
		return nil, nil, connect.NewError(connect.CodeResourceExhausted, fmt.Errorf("this caller has %d streams open, the most that one may have", own))
	case len(s.open) >= maxStreams:
		return nil, nil, connect.NewError(connect.CodeResourceExhausted, fmt.Errorf("the machine answers %d streams, the most that it does at a time", maxStreams))
	}
	ctx, n.cancel = context.WithCancelCause(ctx)
	if s.open == nil {
		s.open = map[*stream]struct{}{}
	}
	s.open[n] = struct{}{}
	return ctx, func() {
		n.cancel(nil)
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.open, n)
	}, nil
}

// review ends the streams that are no longer permitted.
func (s *streams) review(permit func(*method, keys.PublicKey, bool) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for o := range s.open {
		if err := permit(o.method, o.who.key, o.who.shown); err != nil {
			o.cancel(err)
		}
	}
}
