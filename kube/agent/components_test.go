package agent

import (
	"testing"

	"github.com/coracle-os/coracle/kube/component"
	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/status"
	"github.com/coracle-os/coracle/kube/worker"
)

func TestComponents(t *testing.T) {
	a := &Agent{Worker: &worker.Worker{Recorder: status.NewRecorder()}}
	if err := component.Validate(a.components()); err != nil {
		t.Error(err)
	}
}

// TestKeepSettings: what the server says anew is kept, and said, and not put in force.
func TestKeepSettings(t *testing.T) {
	a := &Agent{joiner: Joiner{Dir: t.TempDir()}}
	before, after := control.Cluster{FlannelBackend: "vxlan"}, control.Cluster{FlannelBackend: "host-gw"}
	for _, step := range []struct {
		now  control.Cluster
		says int
	}{{before, 0}, {after, 1}, {after, 1}, {before, 0}} {
		if got := a.keepSettings(before, step.now); len(got) != step.says {
			t.Errorf("%+v: %q", step.now, got)
		}
		if kept, there := a.joiner.files().readCluster(); !there || kept != step.now {
			t.Errorf("kept %+v, want %+v", kept, step.now)
		}
	}
}
