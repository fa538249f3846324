package device

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"

	"github.com/coracle-os/coracle/machined/keys"
	"github.com/coracle-os/coracle/tools/vm/machine"
)

// service is the path of the machine API (docs/architecture.md).
const service = "/coracle.machine.v1alpha1.MachineService/"

var fingerprintLine = regexp.MustCompile(`machined: API on :\d+, fingerprint (SHA256:[A-Za-z0-9+/]{43})`)

// Fingerprint waits until the machine has printed that of its key.
func Fingerprint(ctx context.Context, m *machine.Machine) (string, error) {
	line, err := m.Console.Wait(ctx, fingerprintLine)
	if err != nil {
		return "", err
	}
	return fingerprintLine.FindStringSubmatch(line.Text)[1], nil
}

// Call calls a method of the machine API with the device's key, and trusts the key whose fingerprint is on the console.
func (d *Device) Call(ctx context.Context, m *machine.Machine, method string, request, response any) error {
	fingerprint, err := Fingerprint(ctx, m)
	if err != nil {
		return err
	}
	certificate, err := keys.Certificate(d.Key, "vm")
	if err != nil {
		return err
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{
		MinVersion:         tls.VersionTLS13,
		Certificates:       []tls.Certificate{certificate},
		InsecureSkipVerify: true, // the key is pinned instead
		VerifyConnection: func(state tls.ConnectionState) error {
			if key, ok := keys.Peer(state); !ok || key.Fingerprint() != fingerprint {
				return fmt.Errorf("the machine API's key is not the one with fingerprint %s", fingerprint)
			}
			return nil
		},
	}}
	defer transport.CloseIdleConnections()
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	url := "https://" + m.Address(APIPort) + service + method
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	q.Header.Set("Content-Type", "application/json")
	a, err := (&http.Client{Transport: transport}).Do(q)
	if err != nil {
		return fmt.Errorf("machine API: %s: %w", method, err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		return fmt.Errorf("machine API: %s: %w", method, err)
	}
	if a.StatusCode != http.StatusOK {
		return fmt.Errorf("machine API: %s: %s: %s", method, a.Status, text)
	}
	return json.Unmarshal(text, response)
}

// Kubeconfig waits for the Kubernetes API and returns the operator's kubeconfig, with the address at which this host
// reaches the machine.
func (d *Device) Kubeconfig(ctx context.Context, m *machine.Machine) ([]byte, error) {
	if _, err := m.Console.WaitMilestone(ctx, "api-ready"); err != nil {
		return nil, err
	}
	var answer struct {
		Kubeconfig string `json:"kubeconfig"`
	}
	if err := d.Call(ctx, m, "GetKubeconfig", struct{}{}, &answer); err != nil {
		return nil, err
	}
	if answer.Kubeconfig == "" {
		return nil, errors.New("machine API: GetKubeconfig: the kubeconfig is empty")
	}
	return redirect([]byte(answer.Kubeconfig), "https://"+m.Address(KubernetesPort))
}
