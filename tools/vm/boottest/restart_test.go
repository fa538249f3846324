package boottest

import (
	"encoding/json"
	"fmt"
	"reflect"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/machined/api/machinepb"
)

// containerRun is one run of a container.
type containerRun struct {
	ID        string
	Restarts  int
	StartedAt string
}

// runs lists the containers of all pods, by pod and container.
func (l *lab) runs() map[string]containerRun {
	l.Helper()
	var list struct {
		Items []struct {
			Metadata struct{ Namespace, Name string }
			Status   struct {
				ContainerStatuses []struct {
					Name         string
					ContainerID  string
					RestartCount int
					State        struct {
						Running struct{ StartedAt string }
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(l.kubectl("get", "pods", "-A", "-o", "json")), &list); err != nil {
		l.Fatal(err)
	}
	out := map[string]containerRun{}
	for _, pod := range list.Items {
		for _, c := range pod.Status.ContainerStatuses {
			out[pod.Metadata.Namespace+"/"+pod.Metadata.Name+"/"+c.Name] = containerRun{
				ID: c.ContainerID, Restarts: c.RestartCount, StartedAt: c.State.Running.StartedAt,
			}
		}
	}
	return out
}

// pid is the ID of the machine's only process of that name.
func (l *lab) pid(name string) (string, error) {
	l.Helper()
	pid, err := l.inPod("pidof", name)
	if err == nil && pid == "" {
		err = fmt.Errorf("no process %s", name)
	}
	return pid, err
}

// kill ends the only process of that name and waits until another one has taken its place. It returns nothing about the
// old one's end: the command's connection may end with it.
func (l *lab) kill(name string) {
	l.Helper()
	old, err := l.pid(name)
	if err != nil {
		l.Fatal(err)
	}
	l.inPod("kill", "-9", old)
	l.eventually("a new "+name, func() error {
		pid, err := l.pid(name)
		if err == nil && pid == old {
			err = fmt.Errorf("process %s lives on", old)
		}
		return err
	})
}

// works runs a pod, which takes every part of the node and the control plane, and reaches a Service.
func (l *lab) works() {
	l.Helper()
	l.wait("wait", "--for=condition=Ready", "node", "--all")
	l.eventually("create a pod", func() error {
		_, err := l.try("run", "probe", "--image="+busyboxImage, "--image-pull-policy=Never", "--restart=Never", "--", "true")
		return err
	})
	l.wait("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/probe")
	l.kubectl("delete", "pod", "probe", "--wait=false", "--grace-period=0", "--force")
	l.answersInPod("http://web.default.svc.cluster.local/")
}

// sameRuns checks that every container that ran before still runs.
func (l *lab) sameRuns(before map[string]containerRun) {
	l.Helper()
	now := l.runs()
	for name, run := range before {
		if !reflect.DeepEqual(now[name], run) {
			l.Errorf("container %s was %+v, is %+v", name, run, now[name])
		}
	}
}

func testKubeKilled(l *lab) {
	before := l.runs()
	l.kill("kube")
	l.works()
	l.sameRuns(before)
}

func testMachinedKilled(l *lab) {
	before := l.runs()
	kube, err := l.pid("kube")
	if err != nil {
		l.Fatal(err)
	}
	l.kill("machined")
	l.eventually("the machine API", func() error {
		api, err := l.dev.API(l.within(workWithin), l.machine)
		if err != nil {
			return err
		}
		defer api.Close()
		_, err = api.GetStatus(l.within(workWithin), connect.NewRequest(&machinepb.GetStatusRequest{}))
		return err
	})
	if now, err := l.pid("kube"); err != nil || now != kube {
		l.Errorf("kube was process %s, is %s (%v)", kube, now, err)
	}
	l.works()
	l.sameRuns(before)
}
