package device

import (
	"context"
	"errors"
	"regexp"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/machined/api/client"
	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/tools/vm/machine"
)

var fingerprintLine = regexp.MustCompile(`machined: API on :\d+, fingerprint (SHA256:[A-Za-z0-9+/]{43})`)

// Fingerprint waits until the machine has printed that of its key.
func Fingerprint(ctx context.Context, m *machine.Machine) (string, error) {
	line, err := m.Console.Wait(ctx, fingerprintLine)
	if err != nil {
		return "", err
	}
	return fingerprintLine.FindStringSubmatch(line.Text)[1], nil
}

// API waits for the machine API and returns a client with the device's key, which trusts the key whose fingerprint is on
// the console.
func (d *Device) API(ctx context.Context, m *machine.Machine) (*client.Client, error) {
	fingerprint, err := Fingerprint(ctx, m)
	if err != nil {
		return nil, err
	}
	return client.New(client.Options{Address: m.Address(APIPort), Key: d.Key, Fingerprint: fingerprint})
}

// Kubeconfig waits for the Kubernetes API and returns the operator's kubeconfig, with the address at which this host
// reaches the machine.
func (d *Device) Kubeconfig(ctx context.Context, m *machine.Machine) ([]byte, error) {
	if _, err := m.Console.WaitMilestone(ctx, "api-ready"); err != nil {
		return nil, err
	}
	api, err := d.API(ctx, m)
	if err != nil {
		return nil, err
	}
	defer api.Close()
	answer, err := api.GetKubeconfig(ctx, connect.NewRequest(&machinepb.GetKubeconfigRequest{}))
	if err != nil {
		return nil, err
	}
	kubeconfig := answer.Msg.Kubeconfig
	if len(kubeconfig) == 0 {
		return nil, errors.New("the machine API answers with an empty kubeconfig")
	}
	return redirect(kubeconfig, "https://"+m.Address(KubernetesPort))
}
