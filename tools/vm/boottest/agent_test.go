package boottest

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/kube/token"
	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/keys"
	"github.com/coracle-os/coracle/tools/coraclectl/command"
	"github.com/coracle-os/coracle/tools/vm/device"
	"github.com/coracle-os/coracle/tools/vm/machine"
)

// Names and addresses of the two machines, on the cable between them.
const (
	serverName, serverAddress = "server-1", "198.51.100.1"
	agentName, agentAddress   = "edge-2", "198.51.100.2"
)

// TestAgent has a second machine join a server, over a cable between the two, and be restarted while the server is off.
func TestAgent(t *testing.T) {
	onlyInAll(t)
	newLab(t, diskSize, func(l *lab) {
		atServer, atAgent, err := machine.NewCable()
		if err != nil {
			l.Fatal(err)
		}
		l.configure(onCable(l.dev, "server", serverName, serverAddress, atServer) + "cluster: {endpoint: " + serverAddress + "}\n")
		serverSpec := l.cabled(1024, atServer)
		l.bootReady(serverSpec)
		join := l.createToken()

		a := l.beside("agent")
		agentSpec := a.cabled(768, atAgent)
		a.boot(agentSpec)
		config := onCable(a.dev, "agent", agentName, agentAddress, atAgent) + fmt.Sprintf("cluster: {endpoint: %s, token: %s}\n", serverAddress, join)
		if _, err := applyConfig(a.within(answerWithin), a.api(), &machinepb.ApplyConfigRequest{Config: []byte(config)}); err != nil {
			l.Fatal(err)
		}
		a.milestone("node-ready", readyWithin)
		l.Logf("the agent is Ready after %.1f s", a.machine.Age().Seconds())
		l.wait("wait", "--for=condition=Ready", "node/"+serverName, "node/"+agentName)
		l.apply("agent.yaml")
		l.wait("wait", "--for=condition=Ready", "pod/web", "pod/client")
		l.reachAcross("at first")
		l.kubeconfigOfAgent(a)

		// The server goes away, and the agent is restarted without it.
		l.machine.PullPlug()
		a.machine.PullPlug()
		a.boot(agentSpec)
		api := a.api()
		a.eventually("the kubelet without the server", func() error {
			for _, c := range a.status(api).Kube.Components {
				if c.Name == "kubelet" && c.State == "ready" {
					return nil
				}
			}
			return fmt.Errorf("components %v", a.status(api).Kube.Components)
		})
		if s := a.status(api); s.Role != "agent" || s.Kube.NodeReady {
			l.Errorf("status without the server: %v", s.Kube)
		}
		l.bootReady(serverSpec)
		a.milestone("node-ready", readyWithin)
		l.wait("wait", "--for=condition=Ready", "node/"+serverName, "node/"+agentName)
		l.wait("wait", "--for=condition=Ready", "pod/web", "pod/client")
		l.reachAcross("after both were restarted")
	})
}

// onCable is the config of a machine whose node's address is that on the cable. The interface to the outside, where the host reaches
// the APIs, is another.
func onCable(d *device.Device, role, name, address string, c machine.Cable) string {
	return fmt.Sprintf(`apiVersion: coracle/v1alpha1
kind: MachineConfig
machine:
  role: %s
  name: %s
  api:
    keys:
      - {name: vm, role: admin, key: %q}
  logs:
    device: %s
  time: {disabled: true} # the default route leads nowhere
  network:
    interfaces:
      - {mac: %q, addresses: [%s/24], ipv6: off, routes: [{to: 0.0.0.0/0, via: 198.51.100.254, metric: 10}]}
      - {driver: virtio_net, dhcp: true, ipv6: off, metric: 500}
`, role, name, keys.Public(d.Key), machine.ServicesDevice, c.MAC, address)
}

// cabled is a machine at an end of the cable, with one processor.
func (l *lab) cabled(memory int, c machine.Cable) machine.Spec {
	spec := l.standard()
	spec.Memory, spec.CPUs, spec.Cable, spec.Forward = memory, 1, &c, nil
	return spec
}

// beside is a second machine of the test, flashed as the first.
func (l *lab) beside(name string) *lab {
	l.Helper()
	dev, err := device.Flash(l.dev.Dir+"-"+name, image(l.T, l.arch), diskSize)
	if err != nil {
		l.Fatal(err)
	}
	other := *l
	other.dev, other.machine = dev, nil
	l.Cleanup(func() { l.discard(dev.Dir) })
	return &other
}

// createToken makes a join token as an operator does.
func (l *lab) createToken() string {
	l.Helper()
	fingerprint, err := device.Fingerprint(l.within(answerWithin), l.machine)
	if err != nil {
		l.Fatal(err)
	}
	var out, errs bytes.Buffer
	code := command.Run(l.within(answerWithin), []string{
		"-n", l.machine.Address(device.APIPort), "--fingerprint", fingerprint, "--key", l.dev.KeyPath(), "--contexts", filepath.Join(l.dev.Dir, "contexts.yaml"),
		"--timeout", "1m", "token", "create", "--description", "boottest",
	}, command.Environment{
		In: strings.NewReader(""), Out: &out, Err: &errs, Getenv: func(string) string { return "" }, Home: l.dev.Dir, ConfigDir: l.dev.Dir,
	})
	made := strings.TrimSpace(out.String())
	if _, err := token.Parse(made); err != nil || code != 0 {
		l.Fatalf("coraclectl token create: exit code %d, %v: %s", code, err, errs.String())
	}
	return made
}

// reachAcross looks whether a pod on the agent reaches a Service, by its name, whose pod is on the server; and whether its logs are
// read through the apiserver, which is on the server.
func (l *lab) reachAcross(when string) {
	l.Helper()
	l.eventually("the Service from the agent, "+when, func() error {
		got, err := l.inPod("wget", "-qO-", "-T", "5", "http://web.default.svc.cluster.local/")
		if err == nil && got != "from the server" {
			err = fmt.Errorf("got %q", got)
		}
		return err
	})
	l.eventually("logs of a pod on the agent, "+when, func() error {
		got, err := l.try("logs", "client")
		if err == nil && !strings.Contains(got, "on the agent") {
			err = fmt.Errorf("got %q", got)
		}
		return err
	})
}

// kubeconfigOfAgent: an agent says who has one.
func (l *lab) kubeconfigOfAgent(a *lab) {
	l.Helper()
	if _, err := a.dev.Kubeconfig(a.within(answerWithin), a.machine); err == nil || !strings.Contains(err.Error(), "this machine is an agent") {
		l.Errorf("kubeconfig of an agent: %v", err)
	}
}
