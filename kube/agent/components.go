package agent

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/coracle-os/coracle/kube/component"
	"github.com/coracle-os/coracle/kube/control"
)

const joinName = "join"

// components is everything that an agent runs, in start order; it is stopped in the reverse. None waits for the servers to answer,
// once the machine has joined.
func (a *Agent) components() []component.Component {
	list := append(a.Runtime(), component.Component{Name: joinName, Run: a.join, OneShot: true},
		component.Component{Name: "status", After: []string{joinName}, Run: a.watchStatus},
		component.Component{Name: "cluster-settings", After: []string{joinName}, Run: a.watchSettings},
		a.Labels(joinName),
	)
	list = append(list, a.Network(joinName, joinName)...)
	return append(list, a.Images(), a.Devices(joinName), a.RunKubelet("small-images", joinName))
}

// awayAfter is how long servers may not answer until that is worth saying: as long as one takes to restart.
const awayAfter = 2 * time.Minute

// watchStatus asks the servers how they are, and says so when they are away for longer.
func (a *Agent) watchStatus(ctx context.Context) error {
	answered, said := time.Now(), false
	return a.Cluster().Run(ctx, func(ready bool) {
		a.Recorder.SetAPIReady(ready)
		if ready {
			answered = time.Now()
		}
		if away := time.Since(answered) > awayAfter; away != said {
			said = away
			var problems []string
			if away {
				problems = []string{fmt.Sprintf("the Kubernetes API of the servers does not answer at %s; pods that run go on, and none is started", a.joiner.Endpoint)}
			}
			a.Recorder.SetProblems("servers", problems)
		}
	})
}

// lookAtSettings is how often the server is asked whether it says something else of the cluster.
const lookAtSettings = 5 * time.Minute

// watchSettings keeps what the server says of the cluster for the next start. It is not put in force before: that concerns networks
// in which pods are.
func (a *Agent) watchSettings(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(a.Client)
	if err != nil {
		return fmt.Errorf("client of the apiserver: %w", err)
	}
	inForce, _ := a.joiner.files().readCluster()
	for {
		if c, err := fetchCluster(ctx, client); err == nil {
			a.Recorder.SetProblems("cluster", a.keepSettings(inForce, c))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(lookAtSettings):
		}
	}
}

// keepSettings returns what to say of it.
func (a *Agent) keepSettings(inForce, now control.Cluster) []string {
	if kept, there := a.joiner.files().readCluster(); !there || kept != now {
		if err := a.joiner.files().writeCluster(now); err != nil {
			return []string{fmt.Sprintf("the settings of the cluster cannot be kept: %v", err)}
		}
	}
	if now != inForce {
		return []string{"the settings of the cluster have changed on the server; on this machine they are in force after a restart (coraclectl reboot)"}
	}
	return nil
}
