package config

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestParseServerBlocks(t *testing.T) {
	for name, tc := range map[string]struct{ in, want, err string }{
		"one":            {"lab.example {\n\ttemplate ANY ANY {\n\t\trcode NXDOMAIN\n\t}\n}\n", "lab.example", ""},
		"two":            {"a.example b.example:53 {\n errors\n}\ndns://C.example. {\n log\n}", "a.example b.example c.example", ""},
		"reverse":        {"192.0.2.0/24 {\n forward . 192.0.2.1\n}", "192.0.2.0/24", ""},
		"everything":     {".:53 {\n errors\n}", ".", ""},
		"unknown plugin": {"lab.example {\n errors\n forwrd . 192.0.2.1\n}", "", `line 3: there is no plugin "forwrd" in the image; did you mean "forward"?`},
		"another plugin": {"lab.example {\n route53\n}", "", `line 2: there is no plugin "route53" in the image`},
		"not closed":     {"lab.example {\n errors\n", "", "line 2: Unexpected token 'errors', expecting '}'"},
		"closed twice":   {"lab.example {\n errors\n}\n}\n", "", "the block of } is empty"},
		"import":         {"lab.example {\n import /etc/shadow\n}", "", "line 2: import is not allowed: there are no files to import"},
		"environment":    {"{$HOME} {\n errors\n}", "", "has an environment variable in it; CoreDNS has none of yours"},
		"other port":     {"lab.example:5353 {\n errors\n}", "", "lab.example:5353: only port 53 can be reached, which need not be written"},
		"TLS":            {"tls://lab.example {\n errors\n}", "", "tls://lab.example: only plain DNS is served"},
		"no block":       {"# nothing", "", "has no server block in it, such as lab.example { … }"},
		"empty block":    {"lab.example {\n}", "", "the block of lab.example is empty"},
		"binary":         {"\x00", "", "has control characters in it"},
	} {
		t.Run(name, func(t *testing.T) {
			zones, err := parseServerBlocks(tc.in)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tc.err || strings.Join(zones, " ") != tc.want {
				t.Errorf("got %q, %q", zones, got)
			}
		})
	}
}

// TestPlugins compares the list with what the image's CoreDNS is built from.
func TestPlugins(t *testing.T) {
	source, err := os.ReadFile("../../images/containers/coredns/main.go")
	if err != nil {
		t.Fatal(err)
	}
	var built []string
	for _, m := range regexp.MustCompile(`_ "github.com/coredns/coredns/plugin/(\w+)"`).FindAllStringSubmatch(string(source), -1) {
		name := m[1]
		if name == "metrics" {
			name = "prometheus" // the only one whose folder has another name
		}
		built = append(built, name)
	}
	slices.Sort(built)
	if !slices.Equal(built, corednsPlugins) {
		t.Errorf("the image has the plugins\n%q, the list says\n%q", built, corednsPlugins)
	}
}

func FuzzParseServerBlocks(f *testing.F) {
	f.Add("lab.example {\n\tforward . 192.0.2.1\n}")
	f.Add("(snippet) {\n errors\n}\na {\n\"quoted\n text\" \\\"\n}")
	f.Add("a, b,\nc {\n log {\n class all\n }\n}")
	f.Fuzz(func(t *testing.T, text string) {
		zones, err := parseServerBlocks(text)
		if err == nil && len(zones) == 0 {
			t.Errorf("accepted %q", text)
		}
	})
}
