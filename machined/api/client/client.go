// Package client calls the machine API.
package client

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/coracle-os/coracle/machined/api/wire"
	"github.com/coracle-os/coracle/machined/keys"
	"github.com/coracle-os/coracle/machined/state"
)

// ErrOtherMachine is that a machine showed another key than the one that is pinned.
var ErrOtherMachine = errors.New("the machine's key is not the one that is pinned")

// maxAnswer bounds a unary answer, in bytes.
const maxAnswer = 16 << 20

// Client calls one machine.
type Client struct {
	address string
	http    *http.Client
}

// Options of a client.
type Options struct {
	Address string             // host:port
	Key     ed25519.PrivateKey // the caller's; nil: only what needs no key can be called
	// Fingerprint of the machine's key, as its console shows it. Empty: any machine is trusted, which is for machines
	// that cannot have been replaced, such as a VM behind a port of this host.
	Fingerprint string
}

// New returns a client. It connects when it is called.
func New(o Options) (*Client, error) {
	config := &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true, // there is no authority and no expiry: the key is checked instead
		VerifyConnection: func(c tls.ConnectionState) error {
			key, ok := keys.Peer(c)
			switch {
			case !ok:
				return fmt.Errorf("%w: it is not an Ed25519 key", ErrOtherMachine)
			case o.Fingerprint != "" && key.Fingerprint() != o.Fingerprint:
				return fmt.Errorf("%w: it has %s, want %s", ErrOtherMachine, key.Fingerprint(), o.Fingerprint)
			}
			return nil
		},
	}
	if o.Key != nil {
		certificate, err := keys.Certificate(o.Key, "client")
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	return &Client{o.Address, &http.Client{Transport: &http.Transport{
		TLSClientConfig: config, TLSHandshakeTimeout: 15 * time.Second, IdleConnTimeout: 20 * time.Second,
	}}}, nil
}

// Close gives up idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Version of the machine's system. Needs no key.
func (c *Client) Version(ctx context.Context) (v wire.Version, err error) {
	return v, c.call(ctx, "GetVersion", wire.Empty{}, &v)
}

// Status of the machine.
func (c *Client) Status(ctx context.Context) (m state.Machine, err error) {
	return m, c.call(ctx, "GetStatus", wire.Empty{}, &m)
}

// Kubeconfig of the cluster's administrator, YAML.
func (c *Client) Kubeconfig(ctx context.Context) ([]byte, error) {
	var k wire.Kubeconfig
	err := c.call(ctx, "GetKubeconfig", wire.Empty{}, &k)
	return []byte(k.Kubeconfig), err
}

// Reboot shuts the machine down in order and starts it again. It returns before that is done.
func (c *Client) Reboot(ctx context.Context) error {
	return c.call(ctx, "Reboot", wire.Empty{}, &wire.Empty{})
}

// Shutdown shuts the machine down in order and powers it off. It returns before that is done.
func (c *Client) Shutdown(ctx context.Context) error {
	return c.call(ctx, "Shutdown", wire.Empty{}, &wire.Empty{})
}

// Logs streams a log until its end or, when it follows, until ctx ends or the reader is closed.
func (c *Client) Logs(ctx context.Context, request wire.LogsRequest) (io.ReadCloser, error) {
	resp, err := c.post(ctx, "GetLogs", request)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

func (c *Client) call(ctx context.Context, method string, request, answer any) error {
	resp, err := c.post(ctx, method, request)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(answer); err != nil {
		return fmt.Errorf("%s of %s: %w", method, c.address, err)
	}
	return nil
}

// post sends a request and returns the answer if it is no error; errors of the machine are of type [wire.Error].
func (c *Client) post(ctx context.Context, method string, request any) (*http.Response, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+c.address+wire.Service+method, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	var failure wire.Error
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil || json.Unmarshal(text, &failure) != nil || failure.Code == "" {
		return nil, fmt.Errorf("%s of %s: %s", method, c.address, resp.Status)
	}
	return nil, fmt.Errorf("%s of %s: %w", method, c.address, &failure)
}
