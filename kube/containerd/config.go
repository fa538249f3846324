package containerd

import (
	"errors"
	"path/filepath"
	"strings"

	srvconfig "github.com/containerd/containerd/v2/cmd/containerd/server/config"
	"github.com/containerd/containerd/v2/version"

	"github.com/coracle-os/coracle/kube/control"
)

func init() {
	// Upstream stamps its releases when it links them; the module says the version and that it is "unknown" beyond that.
	version.Version = strings.TrimSuffix(version.Version, "+unknown")
}

// Where containerd is on a machine. Root and state are upstream's, so that every tool finds them.
const (
	DefaultRoot        = "/var/lib/containerd"
	DefaultState       = "/run/containerd"
	DefaultSocket      = "/run/containerd/containerd.sock"
	DefaultRegistryDir = "/run/coracle/containerd/certs.d"
)

// Config says where containerd keeps its things. Empty paths take the defaults above and below.
type Config struct {
	Root         string // images, snapshots and their metadata; survives reboots
	State        string // mounts and sockets of running containers; a tmpfs
	Socket       string // gRPC: CRI and containerd's own API; ttrpc for the shims is at Socket + ".ttrpc"
	SandboxImage string // required; the image of the container that holds a pod's namespaces; never pulled if imported
	CNIBinDir    string // /opt/cni/bin
	CNIConfDir   string // /etc/cni/net.d; watched, need not have a file in it yet
	RegistryDir  string // one folder a registry host, each with a hosts.toml; replaced at each start
	Registries   control.Registries
	Shim         string // path of containerd-shim-runc-v2; default: beside this program, or in PATH
	Runc         string // path of runc; default: in PATH
	LogLevel     string // of logrus, "warn" if empty; the log goes to stderr
}

func (c Config) withDefaults() (Config, error) {
	if c.SandboxImage == "" {
		return c, errors.New("containerd: no sandbox image in its configuration")
	}
	for _, d := range []struct {
		field *string
		value string
	}{
		{&c.Root, DefaultRoot},
		{&c.State, DefaultState},
		{&c.Socket, DefaultSocket},
		{&c.CNIBinDir, "/opt/cni/bin"},
		{&c.CNIConfDir, "/etc/cni/net.d"},
		{&c.RegistryDir, DefaultRegistryDir},
		{&c.LogLevel, "warn"},
	} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	return c, nil
}

// table is a TOML table. containerd decodes every plugin's section from TOML, also when no file was read.
type table = map[string]any

// server is what would be in config.toml. What is not set here keeps upstream's default.
func (c Config) server() *srvconfig.Config {
	return &srvconfig.Config{
		Version: version.ConfigVersion,
		Root:    c.Root,
		State:   c.State,
		// Without CRI, a snapshotter or shims there is no node: fail instead of serving without them.
		RequiredPlugins: []string{
			"io.containerd.grpc.v1.cri",
			"io.containerd.snapshotter.v1.overlayfs",
			"io.containerd.runtime.v2.task",
		},
		DisabledPlugins: []string{
			"io.containerd.metrics.v1.grpc-otel",
			"io.containerd.metrics.v1.grpc-prometheus",
		},
		Timeouts: map[string]string{
			// The default waits for ever; another containerd on the same root must be an error that says so.
			"io.containerd.timeout.bolt.open": "10s",
		},
		Plugins: table{
			"io.containerd.server.v1.grpc":    table{"address": c.Socket},
			"io.containerd.server.v1.ttrpc":   table{"address": c.Socket + ".ttrpc"},
			"io.containerd.cri.v1.images":     c.criImages(),
			"io.containerd.cri.v1.runtime":    c.criRuntime(),
			"io.containerd.transfer.v1.local": table{"config_path": c.RegistryDir},
			"io.containerd.gc.v1.scheduler":   table{"startup_delay": "30s"}, // not while the first pods start
			"io.containerd.shim.v1.manager":   table{"socket_dir": filepath.Join(c.State, "s")},
		},
	}
}

func (c Config) criImages() table {
	registry := table{"config_path": c.RegistryDir}
	if credentials := (registries{c.Registries}).credentials(); len(credentials) > 0 {
		registry["configs"] = credentials
	}
	return table{
		"snapshotter":   "overlayfs",
		"pinned_images": table{"sandbox": c.SandboxImage},
		"registry":      registry,
		// Unpacked layers are on disk before metadata says that they are there: otherwise a power cut leaves an image
		// with empty files that is never pulled again. Only the local pull can do it, not the transfer service.
		"image_pull_with_sync_fs": true,
		"use_local_image_pull":    true,
		// Compressed layers are of no use once unpacked, and disks are small.
		"discard_unpacked_layers": true,
		"image_decryption":        table{"key_model": ""}, // no encrypted images: no key provider processes
		// How often the writable layers of running containers are walked, in seconds (10 upstream).
		"stats_collect_period": 60,
	}
}

func (c Config) criRuntime() table {
	options := table{"SystemdCgroup": false}
	if c.Runc != "" {
		options["BinaryName"] = c.Runc
	}
	runc := table{"runtime_type": "io.containerd.runc.v2", "options": options}
	if c.Shim != "" {
		runc["runtime_path"] = c.Shim
	}
	return table{
		"containerd": table{
			"default_runtime_name": "runc",
			"runtimes":             table{"runc": runc},
		},
		"cni": table{
			"bin_dirs": []string{c.CNIBinDir},
			"conf_dir": c.CNIConfDir,
			// One process less for each pod that starts or stops.
			"use_internal_loopback": true,
		},
		// The default, /var/run/netns, is on disk here and would keep dead network namespaces across reboots.
		"netns_mounts_under_state_dir": true,
		"cdi_spec_dirs":                []string{"/run/cdi"},
		// Pods with a score below our own would outlive kube; upstream gives guaranteed pods -997, and kube has -900.
		"restrict_oom_score_adj": true,
		"disable_apparmor":       true, // there is no apparmor_parser in the image
		"enable_criu":            false,
		// CPU samples for CRI's stats, 1 s upstream; the kubelet takes its own from cgroups (cAdvisor).
		"stats_collect_period":   "1m",
		"stats_retention_period": "3m",
	}
}
