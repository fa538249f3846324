package api

import (
	"context"

	"github.com/coracle-os/coracle/init/control"
	"github.com/coracle-os/coracle/machined/api/wire"
)

func (s *Server) reboot(ctx context.Context, _ wire.Empty) (wire.Empty, error) {
	return s.power(ctx, control.Reboot)
}

func (s *Server) shutdown(ctx context.Context, _ wire.Empty) (wire.Empty, error) {
	return s.power(ctx, control.Poweroff)
}

func (s *Server) power(ctx context.Context, message string) (wire.Empty, error) {
	if err := s.Backend.Power(message, callerOf(ctx).name); err != nil {
		return wire.Empty{}, wire.Errorf(wire.Unavailable, "%v", err)
	}
	return wire.Empty{}, nil
}
