package config

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"unicode"

	"github.com/coredns/caddy/caddyfile"

	"github.com/coracle-os/coracle/machined/config/strict"
)

// corednsPlugins are those of the CoreDNS in the image (images/containers/coredns), by their names in a Corefile.
var corednsPlugins = []string{
	"any", "bind", "cache", "debug", "errors", "file", "forward", "health", "hosts", "kubernetes", "loadbalance", "log", "loop",
	"prometheus", "ready", "reload", "rewrite", "template",
}

// maxServerBlocks bounds the text, in bytes. It goes into a ConfigMap.
const maxServerBlocks = 64 << 10

// What the parser of CoreDNS says: where, and what.
var (
	corefileError    = regexp.MustCompile(`^:(\d+) - (?:Error during parsing|Syntax error|Parse error): (.*)$`)
	unknownDirective = regexp.MustCompile(`^Unknown directive '(.*)'$`)
)

// parseServerBlocks checks server blocks of a Corefile and returns their zones.
func parseServerBlocks(text string) (zones []string, err error) {
	switch {
	case len(text) > maxServerBlocks:
		return nil, fmt.Errorf("is longer than %d bytes", maxServerBlocks)
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' }):
		return nil, errors.New("has control characters in it")
	case strings.Contains(text, "{$") || strings.Contains(text, "{%"):
		return nil, errors.New("has an environment variable in it; CoreDNS has none of yours")
	}
	// The parser would follow imports to files of this machine.
	for tokens := caddyfile.NewDispenser("", strings.NewReader(text)); tokens.Next(); {
		if tokens.Val() == "import" {
			return nil, fmt.Errorf("line %d: import is not allowed: there are no files to import", tokens.Line())
		}
	}
	blocks, err := caddyfile.Parse("", strings.NewReader(text), corednsPlugins)
	if err != nil {
		return nil, corefileProblem(err)
	}
	for _, block := range blocks {
		if len(block.Tokens) == 0 {
			return nil, fmt.Errorf("the block of %s is empty", strings.Join(block.Keys, ", "))
		}
		for _, key := range block.Keys {
			zone, err := zoneOf(key)
			if err != nil {
				return nil, err
			}
			zones = append(zones, zone)
		}
	}
	if len(zones) == 0 {
		return nil, errors.New("has no server block in it, such as lab.example { … }")
	}
	return zones, nil
}

// zoneOf reads the address of a server block.
func zoneOf(key string) (string, error) {
	zone := strings.ToLower(strings.TrimPrefix(key, "dns://"))
	if strings.Contains(zone, "://") {
		return "", fmt.Errorf("%s: only plain DNS is served", key)
	}
	if _, err := netip.ParsePrefix(zone); err == nil {
		return zone, nil // a reverse zone
	}
	if name, port, found := strings.Cut(zone, ":"); found {
		if port != "53" {
			return "", fmt.Errorf("%s: only port 53 can be reached, which need not be written", key)
		}
		zone = name
	}
	if zone == "." || zone == "" {
		return ".", nil
	}
	if !isDomain(zone) {
		return "", fmt.Errorf("%s is not a domain such as lab.example", key)
	}
	return strings.TrimSuffix(zone, "."), nil
}

// corefileProblem makes an error of the parser readable.
func corefileProblem(err error) error {
	m := corefileError.FindStringSubmatch(err.Error())
	if m == nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	line, what := m[1], m[2]
	if unknown := unknownDirective.FindStringSubmatch(what); unknown != nil {
		what = fmt.Sprintf("there is no plugin %q in the image", unknown[1])
		if near := strict.Nearest(unknown[1], corednsPlugins); near != "" {
			what += fmt.Sprintf("; did you mean %q?", near)
		}
	}
	return fmt.Errorf("line %s: %s", line, what)
}
