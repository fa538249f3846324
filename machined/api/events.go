package api

import (
	"context"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/events"
)

// GetEvents sends what has happened on the machine.
func (s service) GetEvents(ctx context.Context, r *connect.Request[machinepb.GetEventsRequest], stream *connect.ServerStream[machinepb.GetEventsResponse]) error {
	if r.Msg.Tail < 0 {
		return failure(connect.CodeInvalidArgument, "tail is negative")
	}
	list, after, changed := s.Backend.Events.After(0)
	if r.Msg.Tail > 0 {
		list = list[max(0, len(list)-int(r.Msg.Tail)):]
	}
	for {
		for _, e := range list {
			if r.Msg.Since != nil && e.Time.Before(r.Msg.Since.AsTime()) {
				continue
			}
			if err := stream.Send(&machinepb.GetEventsResponse{Event: toEvent(e)}); err != nil {
				return err
			}
		}
		if !r.Msg.Follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
		list, after, changed = s.Backend.Events.After(after)
	}
}

func toEvent(e events.Event) *machinepb.Event {
	return &machinepb.Event{Time: timestamp(e.Time), Kind: string(e.Kind), Severity: string(e.Severity), Message: text(e.Message), By: e.By}
}
