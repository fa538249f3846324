package services

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/coracle-os/coracle/kube/control"
)

const (
	askTimeout = 5 * time.Second
	maxAnswer  = 1 << 20 // bytes
)

// Control asks kube over its control socket.
type Control struct{ http *http.Client }

// NewControl returns a client of the socket at path.
func NewControl(path string) Control {
	return Control{&http.Client{
		Timeout: askTimeout,
		Transport: &http.Transport{
			MaxIdleConns: 1, IdleConnTimeout: time.Minute,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, "unix", path)
			},
		},
	}}
}

func (c Control) get(ctx context.Context, what string) ([]byte, error) {
	body, err := do(ctx, c.http, http.MethodGet, what)
	if err != nil {
		return nil, fmt.Errorf("ask kube for its %s: %w", what, err)
	}
	return body, nil
}

func do(ctx context.Context, client *http.Client, method, what string) ([]byte, error) {
	return send(ctx, client, method, what, nil)
}

// Refused is that kube does not do what it is asked, and why.
type Refused struct {
	Status int // of HTTP
	Why    string
}

func (r *Refused) Error() string {
	return fmt.Sprintf("%d %s: %s", r.Status, http.StatusText(r.Status), r.Why)
}

func send(ctx context.Context, client *http.Client, method, what string, content io.Reader) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://kube/"+what, content)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		return nil, &Refused{resp.StatusCode, fmt.Sprintf("%.500s", strings.TrimSpace(string(body)))}
	}
	return body, nil
}

// Status of kube and its components.
func (c Control) Status(ctx context.Context) (*control.Status, error) {
	body, err := c.get(ctx, "status")
	if err != nil {
		return nil, err
	}
	var s control.Status
	if err := json.Unmarshal(body, &s); err != nil {
		return nil, fmt.Errorf("status of kube: %w", err)
	}
	return &s, nil
}

// Kubeconfig of the operator, YAML.
func (c Control) Kubeconfig(ctx context.Context) ([]byte, error) { return c.get(ctx, "kubeconfig") }

// drainAnswer is how much longer than its deadline a drain may take to answer.
const drainAnswer = 30 * time.Second

// Drain cordons the node and evicts its pods until the deadline, if there are other nodes that take pods. Kubernetes takes the
// cordon back at its next start.
func (c Control) Drain(ctx context.Context, deadline time.Duration) (control.Drained, error) {
	var d control.Drained
	client := *c.http
	client.Timeout = deadline + drainAnswer
	body, err := do(ctx, &client, http.MethodPost, "drain?deadline="+deadline.String())
	if err != nil {
		return d, fmt.Errorf("drain the node: %w", err)
	}
	if err := json.Unmarshal(body, &d); err != nil {
		return d, fmt.Errorf("what came of draining the node: %w", err)
	}
	return d, nil
}

// Uncordon takes back the cordon of a drain after which the machine does not go down.
func (c Control) Uncordon(ctx context.Context) error {
	if _, err := do(ctx, c.http, http.MethodDelete, "drain"); err != nil {
		return fmt.Errorf("take pods on the node again: %w", err)
	}
	return nil
}
