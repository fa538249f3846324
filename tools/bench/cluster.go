package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/remotecommand"
)

const (
	podName   = "bench"
	container = "busybox"
)

// cluster is a machine's Kubernetes.
type cluster struct {
	config *rest.Config
	client *kubernetes.Clientset
}

func newCluster(kubeconfig []byte) (*cluster, error) {
	config, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("use kubeconfig: %w", err)
	}
	config.Timeout = 10 * time.Second
	client, err := kubernetes.NewForConfig(config)
	return &cluster{config: config, client: client}, err
}

func (c *cluster) apiReady(ctx context.Context) error {
	return c.client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
}

// submit creates the pod: it sees the machine's processes, so that they can be measured from in it.
func (c *cluster) submit(ctx context.Context) error {
	grace := int64(0)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: podName},
		Spec: corev1.PodSpec{
			HostPID:                       true,
			TerminationGracePeriodSeconds: &grace,
			Containers: []corev1.Container{{
				Name: container, Image: "coracle.local/busybox:1", ImagePullPolicy: corev1.PullNever,
				Command: []string{"sleep", "2147483647"},
			}},
		},
	}
	_, err := c.client.CoreV1().Pods(metav1.NamespaceDefault).Create(ctx, pod, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil // an earlier answer got lost
	}
	return err
}

func (c *cluster) nodeReady(ctx context.Context) error {
	nodes, err := c.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, node := range nodes.Items {
		if slices.ContainsFunc(node.Status.Conditions, func(condition corev1.NodeCondition) bool {
			return condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue
		}) {
			return nil
		}
	}
	return errors.New("no node is Ready")
}

func (c *cluster) podRunning(ctx context.Context) error {
	pod, err := c.client.CoreV1().Pods(metav1.NamespaceDefault).Get(ctx, podName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if pod.Status.Phase != corev1.PodRunning {
		return fmt.Errorf("it is %s", pod.Status.Phase)
	}
	return nil
}

// allReady returns nil when our pod and as many of the system's are there, all are ready, and none was started again.
func (c *cluster) allReady(ctx context.Context, system int) error {
	pods, err := c.client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	if len(pods.Items) != 1+system {
		return fmt.Errorf("there are %d pods, not %d", len(pods.Items), 1+system)
	}
	for _, pod := range pods.Items {
		for _, status := range pod.Status.ContainerStatuses {
			if !status.Ready || status.RestartCount > 0 {
				return fmt.Errorf("container %s of pod %s: ready %v, started again %d times", status.Name, pod.Name, status.Ready, status.RestartCount)
			}
		}
		if len(pod.Status.ContainerStatuses) == 0 {
			return fmt.Errorf("pod %s has no container yet", pod.Name)
		}
	}
	return nil
}

// events is what the cluster says about the pod, for when it does not run.
func (c *cluster) events(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	list, err := c.client.CoreV1().Events(metav1.NamespaceDefault).List(ctx, metav1.ListOptions{
		FieldSelector: "involvedObject.name=" + podName,
	})
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, e := range list.Items {
		fmt.Fprintf(&b, "%s (%d times): %s\n", e.Reason, max(1, e.Count), e.Message)
	}
	return b.String()
}

// heapProfile is of the process that the kubelet is in, in the format of pprof. Garbage is collected before.
func (c *cluster) heapProfile(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	nodes, err := c.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	if len(nodes.Items) == 0 {
		return nil, errors.New("the cluster has no node")
	}
	return c.client.CoreV1().RESTClient().Get().Resource("nodes").Name(nodes.Items[0].Name).SubResource("proxy").
		Suffix("debug/pprof/heap").Param("gc", "1").Timeout(time.Minute).Do(ctx).Raw()
}

// sample looks at the machine through the pod.
func (c *cluster) sample(ctx context.Context) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute) // emulated 32-bit ARM took more than one
	defer cancel()
	request := c.client.CoreV1().RESTClient().Post().Namespace(metav1.NamespaceDefault).Resource("pods").Name(podName).
		SubResource("exec").VersionedParams(&corev1.PodExecOptions{
		Container: container, Command: []string{"sh", "-c", dump}, Stdout: true, Stderr: true,
	}, scheme.ParameterCodec)
	config := rest.CopyConfig(c.config)
	config.Timeout = 0 // of the stream: ctx ends it
	exec, err := remotecommand.NewWebSocketExecutor(config, "GET", request.URL().String())
	if err != nil {
		return sample{}, err
	}
	var out, stderr bytes.Buffer
	if err := exec.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &out, Stderr: &stderr}); err != nil {
		return sample{}, fmt.Errorf("look at the machine's processes: %w: %s", err, stderr.String())
	}
	return parseSample(out.String())
}
