package worker

import (
	"context"
	"path/filepath"

	"github.com/coracle-os/coracle/kube/component"
	"github.com/coracle-os/coracle/kube/devices"
)

// Devices lets pods use devices of the machine. It is there before the kubelet: after a restart of the machine the kubelet takes
// back the pods that it had, and fails those whose devices it has not been told of by then.
func (w *Worker) Devices(after ...string) component.Component {
	return component.Component{
		Name: "devices", After: after, Optional: true,
		Run: func(ctx context.Context) error {
			if !w.Settings.Devices.Enabled {
				<-ctx.Done()
				return nil
			}
			return devices.Run(ctx, devices.Config{
				Dev: "/dev", Sys: "/sys", Mountinfo: "/proc/self/mountinfo", PluginDir: w.Paths.Plugins, Folders: filepath.Join(w.Paths.Run, "devices"),
				Report: func(problems []string) { w.Recorder.SetProblems("devices", problems) },
			})
		},
	}
}
