package containerd

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coracle-os/coracle/kube/control"
)

const (
	everyRegistry = "*"        // in the settings: each that has no entry of its own
	defaultFolder = "_default" // the same in containerd's folder of registries

	dockerHub    = "docker.io"            // in names of images
	dockerHubAPI = "registry-1.docker.io" // where containerd finds it
)

// registries is where images are pulled from, in containerd's terms: a folder with a hosts.toml for each registry
// (docs/hosts.md there), and credentials by host. Credentials are in no file: they go to the CRI plugin in memory, which uses
// them when the kubelet sends none of a pod's own. hosts.toml could only have them as a header that is sent to
// whatever the host says, and that registries with token servers do not take.
type registries struct{ control.Registries }

// write replaces the folder dir.
func (r registries) write(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("settings of registries: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("settings of registries: %w", err)
	}
	for _, host := range r.folders() {
		files, err := r.files(host)
		if err != nil {
			return fmt.Errorf("settings of registry %s: %w", host, err)
		}
		name := host
		if host == everyRegistry {
			name = defaultFolder
		}
		folder := filepath.Join(dir, name)
		if err := os.Mkdir(folder, 0o755); err != nil {
			return fmt.Errorf("settings of registry %s: %w", host, err)
		}
		for name, content := range files {
			if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644); err != nil {
				return fmt.Errorf("settings of registry %s: %w", host, err)
			}
		}
	}
	return nil
}

// folders are the registries that containerd has to be told something of besides credentials.
func (r registries) folders() []string {
	hosts := slices.Collect(maps.Keys(r.Mirrors))
	for host, h := range r.Hosts {
		if _, mirrored := r.Mirrors[host]; !mirrored && (h.CA != "" || h.SkipVerify) {
			hosts = append(hosts, host)
		}
	}
	slices.Sort(hosts)
	return hosts
}

// files are the content of a registry's folder.
func (r registries) files(host string) (map[string]string, error) {
	files := map[string]string{}
	var top, sections strings.Builder
	mirror, mirrored := r.Mirrors[host]
	if !mirrored {
		mirror, mirrored = r.Mirrors[everyRegistry]
	}
	endpoints := mirror.Endpoints
	// containerd always asks one server in the end. Where that must not be the registry itself, it is the last mirror.
	if mirrored && !mirror.Fallback {
		if len(endpoints) == 0 {
			return nil, errors.New("neither a mirror nor the registry itself may be asked")
		}
		last := endpoints[len(endpoints)-1]
		endpoints = endpoints[:len(endpoints)-1]
		u, err := url.Parse(last)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&top, "server = %s\n", quote(last))
		r.connection(&top, files, u.Host, mirror.OverridePath)
	} else {
		r.connection(&top, files, host, false)
	}
	for _, endpoint := range endpoints {
		u, err := url.Parse(endpoint)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&sections, "\n[host.%s]\ncapabilities = [\"pull\", \"resolve\"]\n", quote(endpoint))
		r.connection(&sections, files, u.Host, mirror.OverridePath)
	}
	// Without any content, containerd would look for certificates in files of other names.
	files["hosts.toml"] = "# Written by kube at each start.\n" + top.String() + sections.String()
	return files, nil
}

// connection writes how the host in an address is connected to, and adds the file of its authorities.
func (r registries) connection(text *strings.Builder, files map[string]string, host string, overridePath bool) {
	if overridePath {
		text.WriteString("override_path = true\n")
	}
	h := r.settings(host)
	if h.SkipVerify {
		text.WriteString("skip_verify = true\n")
	}
	if h.CA != "" {
		name := host + ".pem"
		files[name] = h.CA
		fmt.Fprintf(text, "ca = %s\n", quote(name))
	}
}

// settings of a host as it stands in an address. The default port may be left out, and Docker's registry has two names.
func (r registries) settings(host string) control.RegistryHost {
	name := strings.TrimSuffix(strings.TrimSuffix(host, ":443"), ":80")
	for _, key := range []string{host, name} {
		if h, found := r.Hosts[key]; found {
			return h
		}
	}
	if name == dockerHubAPI {
		return r.Hosts[dockerHub]
	}
	return control.RegistryHost{}
}

// credentials are the CRI plugin's section for them: host of the request → table.
func (r registries) credentials() table {
	hosts := slices.Collect(maps.Keys(r.Hosts))
	if slices.Contains(hosts, dockerHub) {
		hosts = append(hosts, dockerHubAPI)
	}
	for _, m := range r.Mirrors {
		for _, endpoint := range m.Endpoints {
			if u, err := url.Parse(endpoint); err == nil {
				hosts = append(hosts, u.Host)
			}
		}
	}
	configs := table{}
	for _, host := range hosts {
		switch h := r.settings(host); {
		case h.Token != "":
			configs[host] = table{"auth": table{"identitytoken": h.Token}}
		case h.Username != "":
			configs[host] = table{"auth": table{"username": h.Username, "password": h.Password}}
		}
	}
	return configs
}

// quote writes a TOML string. JSON's escapes are valid there too.
func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}
