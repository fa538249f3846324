package config

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/coracle-os/coracle/machined/config/types"
)

// everyRegistry is the mirror of those that have none of their own.
const everyRegistry = "*"

// dockerHub is by what name images of Docker's registry go, and what else it is called.
const dockerHub = "docker.io"

var dockerHubAliases = []string{"index.docker.io", "registry-1.docker.io", "hub.docker.com", "registry.hub.docker.com"}

func checkRegistries(k *checker) {
	r := &k.Machine.Registries
	for _, host := range slices.Sorted(maps.Keys(r.Mirrors)) {
		at := fmt.Sprintf("machine.registries.mirrors[%q]", host)
		if host != everyRegistry {
			checkRegistryHost(k, at, host)
		}
		checkMirror(k, at, r.Mirrors[host])
	}
	for _, host := range slices.Sorted(maps.Keys(r.Hosts)) {
		at := fmt.Sprintf("machine.registries.hosts[%q]", host)
		checkRegistryHost(k, at, host)
		checkRegistry(k, at, r.Hosts[host])
	}
}

// checkRegistryHost checks a registry's name.
func checkRegistryHost(k *checker, at, host string) {
	switch {
	case strings.Contains(host, "://"):
		_, rest, _ := strings.Cut(host, "://")
		k.fail(at, "write the host alone, without the scheme: %s", rest)
	case strings.Contains(host, "/"):
		rest, _, _ := strings.Cut(host, "/")
		k.fail(at, "write the host alone, without a path: %s", rest)
	case slices.Contains(dockerHubAliases, host):
		k.fail(at, "write %s, as in names of images", dockerHub)
	default:
		k.want(isHostPort(host), at, host, "a host such as registry.example.com or 192.0.2.1:5000")
	}
}

// isHostPort is whether s is a host, with or without a port.
func isHostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = s, "443"
		if inner, found := strings.CutPrefix(s, "["); found {
			host = strings.TrimSuffix(inner, "]")
		} else if strings.Contains(s, ":") {
			return false // an IPv6 address has brackets
		}
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Zone() == "" || err != nil && host == strings.ToLower(host) && !strings.HasSuffix(host, ".") && isDomain(host)
}

func checkMirror(k *checker, at string, m types.Mirror) {
	if len(m.Endpoints) == 0 {
		k.fail(at+".endpoints", "is missing; write the addresses of the mirror: [https://mirror.example.com]")
	}
	for i, e := range m.Endpoints {
		p := fmt.Sprintf("%s.endpoints[%d]", at, i)
		if slices.Index(m.Endpoints, e) < i {
			k.fail(p, "%s is in the list already", e)
		}
		u, err := url.Parse(e)
		switch {
		case err != nil || u.Scheme != "https" && u.Scheme != "http" || !isHostPort(u.Host):
			k.fail(p, "%q is not an address such as https://mirror.example.com", redactedURL(e))
		case u.User != nil:
			k.fail(p, "has a user in it; write name and password to machine.registries.hosts[%q]", u.Host)
		case u.RawQuery != "" || u.Fragment != "":
			k.fail(p, "%q has more than host and path", e)
		}
	}
}

// redactedURL is a URL for a message: without what may be a password.
func redactedURL(s string) string {
	scheme, rest, found := strings.Cut(s, "://")
	if _, after, user := strings.Cut(rest, "@"); found && user {
		return scheme + "://…@" + after
	}
	return s
}

func checkRegistry(k *checker, at string, h types.RegistryHost) {
	switch {
	case h.Token != "" && (h.Username != "" || h.Password != ""):
		k.fail(at+".token", "stands for username and password; write either")
	case h.Username != "" && h.Password == "":
		k.fail(at+".password", "is missing; username has one")
	case h.Username == "" && h.Password != "":
		k.fail(at+".username", "is missing; password is of a user (registries that take a token alone accept any name)")
	}
	for _, s := range []struct{ field, value string }{{"username", h.Username}, {"password", h.Password}, {"token", h.Token}} {
		if strings.ContainsFunc(s.value, isControl) {
			k.fail(at+"."+s.field, "has control characters in it; is there a line break at its end?")
		}
	}
	if strings.Contains(h.Username, ":") {
		k.fail(at+".username", "has a colon in it, which ends the name")
	}
	if h.CA != "" {
		if err := certificates(h.CA); err != nil {
			k.fail(at+".ca", "%v", err)
		}
		if h.SkipVerify {
			k.fail(at+".skipVerify", "makes ca do nothing; write either")
		}
	}
}

// certificates checks PEM text with one certificate or more.
func certificates(text string) error {
	rest := []byte(text)
	for count := 0; ; count++ {
		block, more := pem.Decode(rest)
		if block == nil {
			switch {
			case count == 0:
				return errors.New("has no certificate in PEM form, which begins with -----BEGIN CERTIFICATE-----")
			case len(strings.TrimSpace(string(rest))) > 0:
				return fmt.Errorf("has something that is not PEM after certificate %d", count)
			}
			return nil
		}
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("has a %s in it; only certificates belong here", block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("certificate %d cannot be read: %w", count+1, err)
		}
		rest = more
	}
}
