package containerd

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/containerd/v2/core/remotes/docker/config"

	"github.com/coracle-os/coracle/kube/control"
)

// hostsOf is what containerd makes of the folder, for images of a registry: the addresses that it asks, in order.
func hostsOf(t *testing.T, dir, registry string) []docker.RegistryHost {
	t.Helper()
	hosts, err := config.ConfigureHosts(t.Context(), config.HostOptions{HostDir: config.HostDirFromRoot(dir)})(registry)
	if err != nil {
		t.Fatal(err)
	}
	return hosts
}

func TestHosts(t *testing.T) {
	r := registries{control.Registries{
		Mirrors: map[string]control.Mirror{
			"docker.io":        {Endpoints: []string{"https://a.example", "http://192.0.2.1:5000/hub"}, Fallback: true},
			"quay.io":          {Endpoints: []string{"https://a.example/v2/quay", "https://b.example/v2/quay"}, OverridePath: true},
			"registry.lan:80":  {Endpoints: []string{"http://registry.lan:80"}},
			"*":                {Endpoints: []string{"https://all.example"}, Fallback: true},
			"odd\"].x.example": {Endpoints: []string{"https://a.example/\"]"}, Fallback: true},
		},
		Hosts: map[string]control.RegistryHost{
			"plain.example:5000": {SkipVerify: true},
			"secret.example":     {Username: "u", Password: "p"},
		},
	}}
	dir := filepath.Join(t.TempDir(), "certs.d")
	for range 2 { // the second replaces the first
		if err := r.write(dir); err != nil {
			t.Fatal(err)
		}
	}
	for registry, want := range map[string]string{
		"docker.io":          "https://a.example/v2 http://192.0.2.1:5000/hub/v2 https://registry-1.docker.io/v2",
		"quay.io":            "https://a.example/v2/quay https://b.example/v2/quay",
		"registry.lan:80":    "http://registry.lan:80/v2",
		"ghcr.io":            "https://all.example/v2 https://ghcr.io/v2",
		"plain.example:5000": "https://all.example/v2 https://plain.example:5000/v2",
		"secret.example":     "https://all.example/v2 https://secret.example/v2",
		"odd\"].x.example":   "https://a.example/\"]/v2 https://odd\"].x.example/v2",
	} {
		var got []string
		for _, h := range hostsOf(t, dir, registry) {
			got = append(got, h.Scheme+"://"+h.Host+h.Path)
			if !h.Capabilities.Has(docker.HostCapabilityPull | docker.HostCapabilityResolve) {
				t.Errorf("%s: images cannot be pulled from %s", registry, h.Host)
			}
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s:\ngot  %s\nwant %s", registry, s, want)
		}
	}
	if err := (registries{}).write(dir); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("without settings there is %v (%v)", entries, err)
	}
}

// A host with a private authority is trusted, as a registry of its own and as the mirror of another; without, it is not.
func TestPrivateAuthority(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "https://")
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	mirror := map[string]control.Mirror{"docker.io": {Endpoints: []string{server.URL}}}
	for name, tc := range map[string]struct {
		settings control.Registries
		registry string
		trusted  bool
	}{
		"its own":                 {control.Registries{Hosts: map[string]control.RegistryHost{host: {CA: ca}}}, host, true},
		"mirror":                  {control.Registries{Mirrors: mirror, Hosts: map[string]control.RegistryHost{host: {CA: ca}}}, "docker.io", true},
		"mirror, not verified":    {control.Registries{Mirrors: mirror, Hosts: map[string]control.RegistryHost{host: {SkipVerify: true}}}, "docker.io", true},
		"mirror, without":         {control.Registries{Mirrors: mirror}, "docker.io", false},
		"authority of another":    {control.Registries{Mirrors: mirror, Hosts: map[string]control.RegistryHost{"other.example": {CA: ca}}}, "docker.io", false},
		"every registry's mirror": {control.Registries{Mirrors: map[string]control.Mirror{"*": mirror["docker.io"]}, Hosts: map[string]control.RegistryHost{host: {CA: ca}}}, "ghcr.io", true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "certs.d")
			if err := (registries{tc.settings}).write(dir); err != nil {
				t.Fatal(err)
			}
			response, err := hostsOf(t, dir, tc.registry)[0].Client.Get(server.URL)
			if err == nil {
				response.Body.Close()
			}
			if (err == nil) != tc.trusted {
				t.Errorf("trusted: %t (%v)", err == nil, err)
			}
		})
	}
}

func TestCredentials(t *testing.T) {
	r := registries{control.Registries{
		Mirrors: map[string]control.Mirror{"docker.io": {Endpoints: []string{"https://mirror.example:443", "https://none.example"}}},
		Hosts: map[string]control.RegistryHost{
			"docker.io":      {Username: "hub", Password: "h"},
			"mirror.example": {Token: "t"},
			"plain.example":  {SkipVerify: true},
		},
	}}
	hub, mirror := table{"auth": table{"username": "hub", "password": "h"}}, table{"auth": table{"identitytoken": "t"}}
	want := table{"docker.io": hub, "registry-1.docker.io": hub, "mirror.example": mirror, "mirror.example:443": mirror}
	if got := r.credentials(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	section := Config{Registries: r.Registries}.criImages()["registry"].(table)
	if !reflect.DeepEqual(section["configs"], want) {
		t.Errorf("the CRI plugin gets %v", section)
	}
	if section := (Config{}).criImages()["registry"].(table); section["configs"] != nil {
		t.Errorf("without credentials the CRI plugin gets %v", section)
	}
	dir := filepath.Join(t.TempDir(), "certs.d")
	if err := r.write(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "docker.io", "hosts.toml"))
	if err != nil || strings.Contains(string(text), "hub") {
		t.Errorf("%v, and in the file is:\n%s", err, text)
	}
}
