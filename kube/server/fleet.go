package server

import (
	"context"

	"github.com/coracle-os/coracle/kube/component"
	"github.com/coracle-os/coracle/kube/fleet"
)

// fleet upgrades the machines of the cluster. Turned off, it is no component at all, and costs nothing.
func (s *Server) fleet(after string) []component.Component {
	if !s.Settings.Fleet.Enabled {
		return nil
	}
	return []component.Component{{
		Name: "fleet", After: []string{after}, Optional: true,
		Run: func(ctx context.Context) error {
			return fleet.Run(ctx, s.Client, func(problems []string) { s.Recorder.SetProblems("fleet", problems) })
		},
	}}
}
