package config

import (
	"regexp"
	"strings"

	"github.com/coracle-os/coracle/machined/config/strict"
	"github.com/coracle-os/coracle/machined/config/types"
)

// checks are what a config must satisfy beyond its types.
var checks = []func(*checker){
	checkHeader,
	checkMachine,
	checkInstall,
	checkInterfaces,
	checkResolver,
	checkProxy,
	checkTime,
	checkAPI,
	checkKernel,
	checkWatchdog,
	checkSafeMode,
	checkUpgrade,
	checkLogs,
	checkNode,
	checkRegistries,
	checkAgent,
	checkCluster,
	checkRanges,
	checkExtraArgs,
	checkCoreDNS,
	checkManifests,
}

// checker collects the problems of one config.
type checker struct {
	*types.MachineConfig
	doc      *strict.Document
	problems strict.Problems
}

func validate(doc *strict.Document, c *types.MachineConfig) strict.Problems {
	k := &checker{MachineConfig: c, doc: doc}
	for _, check := range checks {
		check(k)
	}
	return k.problems
}

func (k *checker) fail(path, format string, args ...any) {
	k.problems = append(k.problems, k.doc.Problem(path, format, args...))
}

// want reports a value that is not as it should be; what completes "is not …".
func (k *checker) want(ok bool, path, value, what string) {
	if !ok {
		k.fail(path, "%q is not %s", value, what)
	}
}

func checkHeader(k *checker) {
	for _, h := range []struct{ path, got, want string }{
		{"apiVersion", k.APIVersion, types.APIVersion},
		{"kind", k.Kind, types.Kind},
	} {
		switch h.got {
		case h.want:
		case "":
			k.fail(h.path, "is missing; write %s: %s", h.path, h.want)
		default:
			k.fail(h.path, "is %q, should be %s", h.got, h.want)
		}
	}
}

func checkMachine(k *checker) {
	switch k.Machine.Role {
	case "":
		k.fail("machine.role", "is missing; write role: %s or %s", types.Server, types.Agent)
	}
	if name := k.Machine.Name; name != "" {
		// The kernel's host name has 64 bytes; the label kubernetes.io/hostname, 63.
		k.want(len(name) <= 63 && subdomain.MatchString(name), "machine.name", name,
			"a machine name: lower-case letters, digits, - and ., at most 63, first and last a letter or digit")
	}
}

// The forms of names in Kubernetes (RFC 1123) and DNS.
var (
	subdomain = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$`)
	wildcard  = regexp.MustCompile(`^(\*\.)?[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$`)
)

// isDomain is whether s is a DNS name; a final dot is allowed.
func isDomain(s string) bool {
	s = strings.TrimSuffix(strings.ToLower(s), ".")
	return len(s) <= 253 && subdomain.MatchString(s)
}
