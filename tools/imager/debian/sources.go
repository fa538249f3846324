package debian

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
)

// Entry is one deb line of apt's sources, or one URI of a deb822 stanza.
type Entry struct {
	URI        string
	Suites     []string
	Components []string
	SignedBy   string // keyring path or an embedded key; empty when the entry names none
}

// codenames are the suites that make an entry one of Debian's own, and not, for example, Ubuntu's.
var codenames = map[string]bool{
	"bullseye": true, "bookworm": true, "trixie": true, "forky": true, "duke": true, "sid": true,
	"oldstable": true, "stable": true, "testing": true, "unstable": true,
}

// Mirrors are the places that Debian packages come from.
type Mirrors struct {
	Main     string // suites such as trixie and trixie-updates
	Security string // suite such as trixie-security
}

// errNoMirror is what a person reads on a host whose apt knows no Debian mirror.
var errNoMirror = errors.New("no Debian mirror in this host's apt sources: " +
	"set DEBIAN_MIRROR to the URL of one, with the path that holds its dists folder (usually …/debian)")

// HostMirrors finds the mirrors to use: DEBIAN_MIRROR and DEBIAN_SECURITY_MIRROR of the environment,
// else those of the host's apt sources, else the default that an installed debootstrap names.
func HostMirrors() (Mirrors, error) { return hostMirrors("/etc/apt", "/usr/sbin/debootstrap") }

func hostMirrors(etc, debootstrap string) (Mirrors, error) {
	m := Mirrors{Main: os.Getenv("DEBIAN_MIRROR"), Security: os.Getenv("DEBIAN_SECURITY_MIRROR")}
	if m.Main == "" {
		entries, err := readSources(etc)
		if err != nil {
			return m, err
		}
		found := debianMirrors(entries)
		m.Main = found.Main
		if m.Security == "" {
			m.Security = found.Security
		}
	}
	if m.Main == "" {
		m.Main = debootstrapDefault(debootstrap)
	}
	if m.Main == "" {
		return m, errNoMirror
	}
	if m.Security == "" {
		security, ok := securityBeside(m.Main)
		if !ok {
			return m, fmt.Errorf("no mirror of Debian's security suite is known beside %s: set DEBIAN_SECURITY_MIRROR", m.Main)
		}
		m.Security = security
	}
	return m, nil
}

// readSources parses sources.list and everything in sources.list.d, in apt's order.
func readSources(etc string) ([]Entry, error) {
	files, err := filepath.Glob(filepath.Join(etc, "sources.list.d", "*"))
	if err != nil {
		return nil, err
	}
	sort.Strings(files)
	files = append([]string{filepath.Join(etc, "sources.list")}, files...)
	var entries []Entry
	for _, name := range files {
		var parse func(string) []Entry
		switch filepath.Ext(name) {
		case ".list":
			parse = ParseList
		case ".sources":
			parse = ParseStanzas
		default:
			continue
		}
		b, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read apt sources: %w", err)
		}
		entries = append(entries, parse(string(b))...)
	}
	return entries, nil
}

// debianMirrors picks the first mirror of Debian's main archive, and of its security suite.
func debianMirrors(entries []Entry) Mirrors {
	var m Mirrors
	for _, e := range entries {
		if !isDebian(e) {
			continue
		}
		for _, suite := range e.Suites {
			switch name, pocket, _ := strings.Cut(suite, "-"); {
			case !codenames[name]:
			case pocket == "security" && m.Security == "":
				m.Security = e.URI
			case pocket == "" && m.Main == "":
				m.Main = e.URI
			}
		}
	}
	return m
}

// isDebian tells Debian's own archive from third parties that name their suites after Debian's:
// it has the component main, is signed with Debian's keys if a key is named, and its path ends in debian….
func isDebian(e Entry) bool {
	if e.SignedBy != "" && !strings.Contains(e.SignedBy, "debian-archive") {
		return false
	}
	if !strings.HasPrefix(path.Base(strings.TrimRight(e.URI, "/")), "debian") {
		return false
	}
	for _, c := range e.Components {
		if c == "main" {
			return true
		}
	}
	return false
}

// securityBeside is the usual place of the security mirror: beside the main one, as debian-security.
func securityBeside(main string) (string, bool) {
	trimmed := strings.TrimRight(main, "/")
	if strings.HasPrefix(main, "mirror+") || !strings.HasSuffix(trimmed, "/debian") {
		return "", false
	}
	return trimmed + "-security", true
}

// debootstrapDefault reads DEF_MIRROR from the debootstrap script; Ubuntu has it, and no Debian in its sources.
func debootstrapDefault(script string) string {
	b, err := os.ReadFile(script)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "DEF_MIRROR="); ok {
			if v = strings.Trim(v, `"'`); strings.HasSuffix(strings.TrimRight(v, "/"), "/debian") {
				return v
			}
		}
	}
	return ""
}

// ParseList reads the one-line format of sources.list(5). Lines that it does not understand are left out,
// since only apt has to understand them all.
func ParseList(text string) []Entry {
	var entries []Entry
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		rest, ok := strings.CutPrefix(line, "deb")
		if !ok || rest == "" || (rest[0] != ' ' && rest[0] != '\t') {
			continue
		}
		rest = strings.TrimSpace(rest)
		var e Entry
		if strings.HasPrefix(rest, "[") {
			options, after, ok := strings.Cut(rest[1:], "]")
			if !ok {
				continue
			}
			for _, option := range strings.Fields(options) {
				if v, ok := strings.CutPrefix(option, "signed-by="); ok {
					e.SignedBy = v
				}
			}
			rest = after
		}
		words := strings.Fields(rest)
		if len(words) < 3 {
			continue
		}
		e.URI, e.Suites, e.Components = words[0], words[1:2], words[2:]
		entries = append(entries, e)
	}
	return entries
}

// ParseStanzas reads the deb822 format of sources.list(5).
func ParseStanzas(text string) []Entry {
	var entries []Entry
	for _, s := range stanzas(text) {
		if s["enabled"] == "no" || s["enabled"] == "false" {
			continue
		}
		isDeb := false
		for _, t := range strings.Fields(s["types"]) {
			isDeb = isDeb || t == "deb"
		}
		if !isDeb {
			continue
		}
		for _, uri := range strings.Fields(s["uris"]) {
			entries = append(entries, Entry{
				URI: uri, Suites: strings.Fields(s["suites"]),
				Components: strings.Fields(s["components"]), SignedBy: s["signed-by"],
			})
		}
	}
	return entries
}

// stanzas splits deb822 text into its paragraphs; field names are lower case, continuation lines joined by \n.
func stanzas(text string) []map[string]string {
	var all []map[string]string
	var current map[string]string
	var field string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.TrimSpace(line) == "":
			current, field = nil, ""
		case line[0] == ' ' || line[0] == '\t':
			if field != "" {
				current[field] = strings.TrimSpace(current[field] + "\n" + strings.TrimSpace(line))
			}
		default:
			name, value, ok := strings.Cut(line, ":")
			if !ok {
				field = ""
				continue
			}
			if current == nil {
				current = map[string]string{}
				all = append(all, current)
			}
			field = strings.ToLower(strings.TrimSpace(name))
			current[field] = strings.TrimSpace(value)
		}
	}
	return all
}
