package server

import (
	"context"

	"github.com/coracle-os/coracle/kube/component"
	"github.com/coracle-os/coracle/kube/fleet"
)

// fleet upgrades the machines of the cluster. Turned off, it is no component at all, and costs nothing.
func (s *Server) fleet(after string) []component.Component {
	if !s.settings.Fleet.Enabled {
		return nil
	}
	return []component.Component{{
		Name: "fleet", After: []string{after}, Optional: true,
		Run: func(ctx context.Context) error {
			return fleet.Run(ctx, s.client, func(problems []string) { s.recorder.SetProblems("fleet", problems) })
		},
	}}
}
