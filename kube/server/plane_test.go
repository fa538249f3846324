package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/coracle-os/coracle/kube/component"
	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/control/controltest"
	"github.com/coracle-os/coracle/kube/exit"
	"github.com/coracle-os/coracle/kube/process"
	"github.com/coracle-os/coracle/kube/worker"
)

// Upstream's components run once in a process, so the control plane of these tests is a child: this program again, with
// the folder of its state in the environment. It needs no privileges.
const childVariable = "CORACLE_TEST_CONTROL_PLANE"

// addonsVariable, set, has it apply the add-ons.
const addonsVariable = "CORACLE_TEST_ADDONS"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		runChild(dir)
	}
	os.Exit(m.Run())
}

func testPaths(dir string) Paths {
	return Paths{worker.Paths{State: filepath.Join(dir, "state"), Run: filepath.Join(dir, "run"), Kubelet: filepath.Join(dir, "kubelet")}}
}

func runChild(dir string) {
	asked := process.Requests()
	exit.Hook()
	settings, err := process.LoadSettings(filepath.Join(dir, "settings.json"))
	if err != nil {
		exit.With(exit.InvalidSettings, err.Error())
	}
	if err := process.SetProxy(settings); err != nil {
		exit.With(exit.InvalidSettings, err.Error())
	}
	if settings.MemoryBytes > 0 {
		gc := process.CollectorFor(settings.MemoryBytes)
		gc.Apply()
		go gc.Tend(context.Background())
	}
	s, err := New(settings, testPaths(dir))
	if err != nil {
		exit.With(exit.Failed, err.Error())
	}
	components := append(s.ControlPlane(), s.manifests("kube-apiserver"), s.joining("kube-apiserver"))
	if os.Getenv(addonsVariable) != "" || settings.Fleet.Enabled {
		var applied worker.Latch
		components = append(components, component.Component{Name: "addons", After: []string{"kube-apiserver"}, Run: s.runAddons(applied.Set), Ready: applied.Ready})
		components = append(components, s.fleet("addons")...)
	}
	if err := s.run(context.Background(), components, asked); err != nil {
		exit.With(exit.Failed, err.Error())
	}
	os.Exit(exit.Asked)
}

// plane is a control plane that runs.
type plane struct {
	t       *testing.T
	dir     string
	command *exec.Cmd
	log     *bytes.Buffer
	config  *rest.Config
	client  kubernetes.Interface
	http    *http.Client // of the control socket
}

func startPlane(t *testing.T, dir string) *plane {
	t.Helper()
	p := &plane{t: t, dir: dir, log: &bytes.Buffer{}}
	p.command = exec.Command(os.Args[0])
	p.command.Env = append(os.Environ(), childVariable+"="+dir)
	p.command.Stderr = p.log
	started := time.Now()
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.command.Process.Kill()
		_ = p.command.Wait()
		if t.Failed() {
			t.Logf("log of the control plane:\n%s", tail(p.log.String(), 60))
		}
	})
	socket := testPaths(dir).controlSocket()
	p.http = &http.Client{Timeout: time.Second, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	p.eventually("components to be ready", 60*time.Second, func() error {
		body, err := p.control("/status")
		if err != nil {
			return err
		}
		var status control.Status
		if err := json.Unmarshal([]byte(body), &status); err != nil {
			return err
		}
		for _, c := range status.Components {
			if c.State != control.Ready {
				return fmt.Errorf("%s is %s %s", c.Name, c.State, c.Error)
			}
		}
		if !status.APIReady {
			return errors.New("the API is not ready")
		}
		return nil
	})
	t.Logf("ready after %s", time.Since(started).Round(10*time.Millisecond))
	kubeconfig, err := p.control("/kubeconfig")
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.RESTConfigFromKubeConfig([]byte(kubeconfig))
	if err != nil {
		t.Fatal(err)
	}
	p.config = config
	if p.client, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *plane) control(path string) (string, error) {
	response, err := p.http.Get("http://kube" + path)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return string(body), err
}

func (p *plane) eventually(what string, limit time.Duration, condition func() error) {
	p.t.Helper()
	var err error
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = condition(); err == nil {
			return
		}
	}
	p.t.Fatalf("timed out waiting for %s: %v", what, err)
}

// stop ends the control plane as machined does.
func (p *plane) stop() {
	p.t.Helper()
	started := time.Now()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if err := p.command.Wait(); err != nil {
		p.t.Errorf("stopped with %v", err)
	}
	took := time.Since(started)
	p.t.Logf("stopped in %s", took.Round(10*time.Millisecond))
	if took > 20*time.Second {
		p.t.Errorf("the stop took %s", took)
	}
}

// kill ends it as a crash does.
func (p *plane) kill() {
	p.t.Helper()
	if err := p.command.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	_ = p.command.Wait()
}

func tail(s string, lines int) string {
	all := strings.Split(s, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// address is one of this host's that is not a loopback: the apiserver publishes it as its endpoint.
func address(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if network, ok := a.(*net.IPNet); ok && network.IP.To4() != nil && !network.IP.IsLoopback() && !network.IP.IsLinkLocalUnicast() {
			return network.IP.String()
		}
	}
	t.Skip("this host has no IPv4 address besides the loopback")
	return ""
}

func writeSettings(t *testing.T, dir string) control.Settings {
	t.Helper()
	settings := controltest.ServerSettings()
	settings.NodeIPs, settings.APIPort = []string{address(t)}, freePort(t)
	settings.MemoryBytes = 512 * process.Mebibyte
	// Nothing in the cluster goes through a proxy: this one does not answer.
	settings.Proxy = control.Proxy{HTTP: "http://127.0.0.1:1", HTTPS: "http://127.0.0.1:1"}
	settings.ExtraArgs = control.ExtraArgs{
		"kube-apiserver":          {"event-ttl": "2h", "feature-gates": "AllAlpha=false", "disable-admission-plugins": "PodNodeSelector"},
		"kube-controller-manager": {"controllers": "-ttl-after-finished-controller", "node-monitor-grace-period": "60s"},
		"kube-scheduler":          {"kube-api-qps": "100"},
	}
	settings.Manifests = []control.Manifest{{Name: "boats", Content: boats}}
	saveSettings(t, dir, settings)
	return settings
}

// boats is a custom resource before its definition, in a namespace of its own.
const boats = `
apiVersion: harbour.example/v1
kind: Boat
metadata: {name: currach, namespace: harbour}
spec: {oars: 4}
---
apiVersion: v1
kind: Namespace
metadata: {name: harbour}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boats.harbour.example}
spec:
  group: harbour.example
  scope: Namespaced
  names: {plural: boats, singular: boat, kind: Boat}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: crew}
data: {captain: ahab}
`

func saveSettings(t *testing.T, dir string, settings control.Settings) {
	t.Helper()
	data, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "settings.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
}
