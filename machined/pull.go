package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/distribution/reference"
	"golang.org/x/net/http/httpproxy"
	"oras.land/oras-go/v2/registry/remote/auth"

	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/update"
)

// upgrades are the machine's upgrades as the API asks for them.
type upgrades struct {
	*update.Updater
	d *daemon
}

// Pull installs the artifact at an address, or remembers to.
func (u upgrades) Pull(ctx context.Context, source string, at time.Time, o update.Options, report func(update.Progress)) (update.Result, error) {
	c, _ := u.d.current()
	if !at.IsZero() {
		if _, _, err := parseSource(source); err != nil {
			return update.Result{}, &update.Refusal{Check: "source", Why: err.Error()}
		}
		err := u.Schedule(update.Scheduled{Source: source, At: at, Force: o.Force, By: o.By})
		u.d.wakeSchedule()
		return update.Result{}, err
	}
	s, err := findSource(ctx, c, source)
	if err != nil {
		return update.Result{}, err
	}
	return u.Install(ctx, s, o, report)
}

// parseSource reads the address of an artifact: of a file, or of an artifact in a registry.
func parseSource(source string) (file *url.URL, image reference.Named, err error) {
	if name, ok := strings.CutPrefix(source, "oci://"); ok {
		image, err = reference.ParseNormalizedNamed(name)
		if err != nil {
			return nil, nil, fmt.Errorf("%q is no address of an artifact in a registry: %w", source, err)
		}
		return nil, reference.TagNameOnly(image), nil
	}
	file, err = url.Parse(source)
	if err != nil || file.Host == "" || file.Scheme != "https" && file.Scheme != "http" {
		return nil, nil, fmt.Errorf("%q is neither https://… nor oci://registry/repository:tag", source)
	}
	return file, nil, nil
}

// findSource is the artifact at an address.
func findSource(ctx context.Context, c types.MachineConfig, source string) (update.Source, error) {
	file, image, err := parseSource(source)
	if err != nil {
		return nil, &update.Refusal{Check: "source", Why: err.Error()}
	}
	if file != nil {
		return update.Fetch(&update.Web{URL: file, Client: webClient(c, file.Host)}), nil
	}
	ref := ""
	switch named := image.(type) {
	case reference.Canonical:
		ref = named.Digest().String()
	case reference.Tagged:
		ref = named.Tag()
	}
	host := reference.Domain(image)
	remote, err := update.Pull(ctx, registriesOf(c, host), reference.Path(image), ref)
	if err != nil {
		return nil, err
	}
	return update.Fetch(remote), nil
}

// registriesOf are where what is named by a registry's host is pulled from, in order.
func registriesOf(c types.MachineConfig, host string) []update.Registry {
	mirror, ok := c.Machine.Registries.Mirrors[host]
	if !ok {
		mirror, ok = c.Machine.Registries.Mirrors["*"]
	}
	var all []update.Registry
	add := func(host string, plain bool) {
		h := c.Machine.Registries.Hosts[host]
		all = append(all, update.Registry{
			Host: host, PlainHTTP: plain, Client: webClient(c, host),
			Credential: auth.Credential{Username: h.Username, Password: h.Password, RefreshToken: h.Token},
		})
	}
	for _, endpoint := range mirror.Endpoints {
		if u, err := url.Parse(endpoint); err == nil && u.Host != "" {
			add(u.Host, u.Scheme == "http")
		}
	}
	if !ok || mirror.Fallback {
		if host == "docker.io" {
			host = "registry-1.docker.io"
		}
		add(host, false)
	}
	return all
}

// webClient fetches from a host, as the config says: through its proxy, and with the host's authorities.
func webClient(c types.MachineConfig, host string) *http.Client {
	p := c.Machine.Network.Proxy
	proxy := (&httpproxy.Config{HTTPProxy: p.HTTP, HTTPSProxy: p.HTTPS, NoProxy: strings.Join(p.NoProxy, ",")}).ProxyFunc()
	h := c.Machine.Registries.Hosts[host]
	settings := &tls.Config{InsecureSkipVerify: h.SkipVerify}
	if h.CA != "" {
		settings.RootCAs = trusted(h.CA)
	}
	return &http.Client{Transport: &http.Transport{
		Proxy:           func(r *http.Request) (*url.URL, error) { return proxy(r.URL) },
		TLSClientConfig: settings, TLSHandshakeTimeout: 30 * time.Second, ResponseHeaderTimeout: 30 * time.Second,
		MaxIdleConns: 2, IdleConnTimeout: 30 * time.Second,
	}}
}

// trusted are the public authorities and those in text, PEM.
func trusted(text string) *x509.CertPool {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	pool.AppendCertsFromPEM([]byte(text))
	return pool
}
