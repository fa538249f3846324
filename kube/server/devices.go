package server

import (
	"context"

	"github.com/coracle-os/coracle/kube/component"
	"github.com/coracle-os/coracle/kube/devices"
)

// devices lets pods use devices of the machine. It is there before the kubelet: after a restart of the machine the kubelet takes
// back the pods that it had, and fails those whose devices it has not been told of by then.
func (s *Server) devices() []component.Component {
	if !s.settings.Devices.Enabled {
		return nil
	}
	return []component.Component{{
		Name: "devices", Optional: true,
		Run: func(ctx context.Context) error {
			return devices.Run(ctx, devices.Config{
				Dev: "/dev", PluginDir: s.paths.Plugins,
				Report: func(problems []string) { s.recorder.SetProblems("devices", problems) },
			})
		},
	}}
}
