package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Pod is what the stop of pods has to know of one.
type Pod struct {
	Priority int32
	Grace    time.Duration // terminationGracePeriodSeconds
}

// systemCritical is the lowest priority of the classes system-cluster-critical and system-node-critical.
const systemCritical = 2000000000

// defaultGrace is for pods that the apiserver does not know (any more).
const defaultGrace = 30 * time.Second

// criticalShare is the part of the time that is kept for system-critical pods, such as cluster DNS, which others may need
// until they have stopped.
const criticalShare = 3 // a third

// StopPods stops every container on this node through CRI: first those of ordinary pods, then those of system-critical ones,
// all within limit. The kubelet has to be stopped before, or it would start them again. pods is by UID; preStop hooks do not
// run, because only the kubelet knows them.
func StopPods(ctx context.Context, socket string, pods map[string]Pod, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	connection, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("connect to containerd: %w", err)
	}
	defer connection.Close()
	runtime := cri.NewRuntimeServiceClient(connection)

	ready := &cri.PodSandboxStateValue{State: cri.PodSandboxState_SANDBOX_READY}
	sandboxes, err := runtime.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{Filter: &cri.PodSandboxFilter{State: ready}})
	if err != nil {
		return fmt.Errorf("list pods: %w", err)
	}
	running := &cri.ContainerStateValue{State: cri.ContainerState_CONTAINER_RUNNING}
	containers, err := runtime.ListContainers(ctx, &cri.ListContainersRequest{Filter: &cri.ContainerFilter{State: running}})
	if err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	var errs []error
	for _, phase := range plan(sandboxes.Items, containers.Containers, pods, limit) {
		slog.Info("stopping pods", "phase", phase.name, "pods", len(phase.stops), "limit", phase.limit)
		errs = append(errs, phase.run(ctx, runtime))
	}
	return errors.Join(errs...)
}

// phase is a set of pods that are stopped at the same time.
type phase struct {
	name  string
	limit time.Duration
	stops []stop
}

// stop is one pod's sandbox with its running containers.
type stop struct {
	sandbox    string
	containers []string
	grace      time.Duration
}

// plan puts the sandboxes in their phases. A pod gets its own grace period, but not more than its phase lasts.
func plan(sandboxes []*cri.PodSandbox, containers []*cri.Container, pods map[string]Pod, limit time.Duration) []phase {
	bySandbox := map[string][]string{}
	for _, container := range containers {
		bySandbox[container.PodSandboxId] = append(bySandbox[container.PodSandboxId], container.Id)
	}
	critical := phase{name: "system-critical", limit: limit / criticalShare}
	ordinary := phase{name: "ordinary", limit: limit - critical.limit}
	for _, sandbox := range sandboxes {
		pod, known := pods[sandbox.Metadata.GetUid()]
		if !known {
			pod = Pod{Grace: defaultGrace}
		}
		target := &ordinary
		if pod.Priority >= systemCritical {
			target = &critical
		}
		target.stops = append(target.stops, stop{sandbox.Id, bySandbox[sandbox.Id], min(pod.Grace, target.limit)})
	}
	return []phase{ordinary, critical}
}

func (p phase) run(ctx context.Context, runtime cri.RuntimeServiceClient) error {
	// What does not stop in its grace period is killed by containerd; the second is for that.
	ctx, cancel := context.WithTimeout(ctx, p.limit+time.Second)
	defer cancel()
	var wait sync.WaitGroup
	errs := make([]error, len(p.stops))
	for i, s := range p.stops {
		wait.Go(func() { errs[i] = s.run(ctx, runtime) })
	}
	wait.Wait()
	return errors.Join(errs...)
}

func (s stop) run(ctx context.Context, runtime cri.RuntimeServiceClient) error {
	var wait sync.WaitGroup
	errs := make([]error, len(s.containers))
	for i, id := range s.containers {
		wait.Go(func() {
			_, errs[i] = runtime.StopContainer(ctx, &cri.StopContainerRequest{ContainerId: id, Timeout: int64(s.grace.Seconds())})
		})
	}
	wait.Wait()
	_, err := runtime.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: s.sandbox})
	return errors.Join(append(errs, err)...)
}
