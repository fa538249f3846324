package status

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"k8s.io/client-go/rest"
)

// askTimeout is how long the apiserver may take to say how it is. Emulated 32-bit ARM under load was seen to take 5 to 7 s, each time anew.
const askTimeout = 15 * time.Second

// Prober asks the apiserver how it is.
type Prober struct {
	http *http.Client
	base string // URL of the apiserver
}

// NewProber makes a prober with the credentials of config.
func NewProber(config *rest.Config) (*Prober, error) {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("client of the apiserver: %w", err)
	}
	return &Prober{http: client, base: config.Host}, nil
}

// Ask gets a path of the apiserver, such as that of a health check, and returns nil when it says ok.
func (p *Prober) Ask(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+path, nil)
	if err != nil {
		return err
	}
	response, err := p.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s says %s", path, response.Status)
	}
	return nil
}
