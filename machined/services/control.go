package services

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
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
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://kube/"+what, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask kube for its %s: %w", what, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("ask kube for its %s: %w", what, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask kube for its %s: %s: %.200s", what, resp.Status, body)
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
