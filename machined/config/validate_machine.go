package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/coracle-os/coracle/machined/boots"
	"github.com/coracle-os/coracle/machined/config/strict"
	"github.com/coracle-os/coracle/machined/keys"
)

// portsOfKubernetes are taken on every server, so the machine API cannot have them.
var portsOfKubernetes = map[int]string{
	6443:  "kube-apiserver",
	10248: "the kubelet's health check",
	10249: "kube-proxy's metrics",
	10250: "the kubelet",
	10256: "kube-proxy's health check",
	10257: "kube-controller-manager",
	10259: "kube-scheduler",
}

func checkAPI(k *checker) {
	port := k.Machine.API.Port
	if port < 1 || port > 65535 {
		k.fail("machine.api.port", "%d is not between 1 and 65535", port)
	}
	if owner, taken := portsOfKubernetes[port]; taken {
		k.fail("machine.api.port", "%d belongs to %s", port, owner)
	}
	names, publics := map[string]int{}, map[keys.PublicKey]int{}
	for i, key := range k.Machine.API.Keys {
		at := fmt.Sprintf("machine.api.keys[%d]", i)
		if first, seen := names[key.Name]; seen && key.Name != "" {
			k.fail(at+".name", "%q is the name of machine.api.keys[%d] too", key.Name, first)
		} else {
			names[key.Name] = i
		}
		if first, seen := publics[key.Key]; seen && !key.Key.IsZero() {
			k.fail(at+".key", "is the key of machine.api.keys[%d] too", first)
		} else {
			publics[key.Key] = i
		}
		if key.Name == "" {
			k.fail(at+".name", "is missing; write whose key it is")
		}
		if key.Role == "" && !k.doc.Has(at+".role") {
			k.fail(at+".role", "is missing; write admin, operator or reader")
		}
		if key.Key.IsZero() && !k.doc.Has(at+".key") {
			k.fail(at+".key", "is missing; write ed25519: and the public key in base64")
		}
	}
}

var (
	moduleName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	sysctlName = regexp.MustCompile(`^[A-Za-z0-9_-]+([./][A-Za-z0-9_-]+)+$`)
)

func checkKernel(k *checker) {
	for name, value := range k.Machine.Sysctls {
		at := fmt.Sprintf("machine.sysctls[%q]", name)
		k.want(sysctlName.MatchString(name), at, name, "a sysctl such as net.ipv4.ip_forward")
		if value == "" || strings.ContainsAny(value, "\n\x00") {
			k.fail(at, "%q is not a value that a sysctl can have", value)
		}
	}
	seen := map[string]bool{}
	for i, m := range k.Machine.Modules {
		at := fmt.Sprintf("machine.modules[%d]", i)
		k.want(moduleName.MatchString(m), at, m, "a kernel module's name such as wireguard (without .ko)")
		if seen[m] {
			k.fail(at, "%s is in the list already", m)
		}
		seen[m] = true
	}
}

func checkWatchdog(k *checker) {
	// init feeds the watchdog every few seconds; below 10 s a busy SD card alone would reset the machine.
	if t := time.Duration(k.Machine.Watchdog.Timeout); t != 0 && (t < 10*time.Second || t > time.Hour) {
		k.fail("machine.watchdog.timeout", "%s is not between 10s and 1h; 0s turns the watchdog off", t)
	}
}

func checkSafeMode(k *checker) {
	// 1 would be every power cut while the machine starts.
	if after := k.Machine.SafeMode.After; after != 0 && (after < 2 || after > boots.MostAfter) {
		k.fail("machine.safeMode.after", "%d is not between 2 and %d; 0 turns safe mode off", after, boots.MostAfter)
	}
}

var logDevice = regexp.MustCompile(`^/dev/[A-Za-z0-9_/-]+$`)

func checkLogs(k *checker) {
	switch d := k.Machine.Logs.Device; {
	case d == "":
	case d == "/dev/tty1" || d == "/dev/tty2" || d == "/dev/console":
		k.fail("machine.logs.device", "%s is in use by the status screen or the kernel; take a serial line such as /dev/ttyS1", d)
	default:
		k.want(logDevice.MatchString(d) && !strings.Contains(d, ".."), "machine.logs.device", d, "a device such as /dev/ttyS1 or /dev/hvc0")
	}
}

// labelName is the part of a label's key after the slash, and the form of its value (Kubernetes: qualified name).
var labelName = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`)

func isLabelKey(s string) bool {
	prefix, name, found := strings.Cut(s, "/")
	if !found {
		prefix, name = "", s
	}
	return labelName.MatchString(name) && (!found || isDomain(prefix) && !strings.HasSuffix(prefix, "."))
}

// effects of a taint.
var effects = []string{"NoSchedule", "PreferNoSchedule", "NoExecute"}

func checkNode(k *checker) {
	for key, value := range k.Machine.Labels {
		at := fmt.Sprintf("machine.labels[%q]", key)
		k.want(isLabelKey(key), at, key, "a label's key such as example.com/site")
		k.want(value == "" || labelName.MatchString(value), at, value, "a label's value: at most 63 letters, digits, -, _ and .")
		if reserved(key) {
			k.fail(at, "a node may not give itself labels of kubernetes.io and k8s.io; take a domain of your own, or node.kubernetes.io/…")
		}
	}
	for i, t := range k.Machine.Taints {
		at := fmt.Sprintf("machine.taints[%d]", i)
		keyValue, effect, _ := strings.Cut(t, ":")
		key, value, _ := strings.Cut(keyValue, "=")
		k.want(isLabelKey(key) && (value == "" || labelName.MatchString(value)), at, t, "a taint such as key=value:NoSchedule")
		if !slices.Contains(effects, effect) {
			hint := strict.Nearest(effect, effects)
			if hint == "" {
				hint = strings.Join(effects, ", ")
			}
			k.fail(at, "%q is not the effect of a taint; did you mean %s?", effect, hint)
		}
	}
}

// reserved is whether the kubelet refuses to give its own node a label (NodeRestriction; KEP-279).
func reserved(key string) bool {
	prefix, _, found := strings.Cut(key, "/")
	if !found {
		return false
	}
	under := func(domain string) bool { return prefix == domain || strings.HasSuffix(prefix, "."+domain) }
	return (under("kubernetes.io") || under("k8s.io")) && !under("kubelet.kubernetes.io") && !under("node.kubernetes.io")
}
