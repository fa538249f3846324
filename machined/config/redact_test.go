package config

import (
	"bytes"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/machined/config/strict"
	"github.com/coracle-os/coracle/machined/config/types"
)

// public are fields that sound like a secret and are none.
var public = []string{
	"machine.api.keys", "machine.api.keys[].key", // public keys
	"machine.upgrade.keys", "machine.upgrade.keys[].key",
}

// TestSecretsAreTagged fails when a field is added that sounds like a secret and would be shown.
func TestSecretsAreTagged(t *testing.T) {
	sounds := regexp.MustCompile(`(?i)token|passw|passphrase|secret|private|psk|credential|key`)
	strict.Walk(reflect.TypeFor[types.MachineConfig](), func(path string, f strict.Field) {
		if sounds.MatchString(f.Name) && !f.Secret && !slices.Contains(public, path) {
			t.Errorf(`%s: tag it secret:"true", or it is shown wherever a config is`, path)
		}
		of := f.Type
		for !strict.IsText(of) && slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Map}, of.Kind()) {
			of = of.Elem()
		}
		if f.Secret && (strict.IsText(of) || of.Kind() != reflect.String) {
			t.Errorf("%s: only text is redacted, and lists and maps of text; it is a %s", path, f.Type)
		}
	})
}

func TestRedact(t *testing.T) {
	const head = "apiVersion: coracle/v1alpha1\nkind: MachineConfig\n"
	for name, tc := range map[string]struct{ in, want string }{
		"none": {"", ""},
		"nothing secret stays as it is": {
			head + "\nmachine:   {role: server} # a server\n\n# the end\n",
			head + "\nmachine:   {role: server} # a server\n\n# the end\n",
		},
		"secrets, comments and order": {
			head + "# all of it\nmachine:\n  network: # of the plant\n    proxy:\n      https: 'http://me:hunter2@p' # ours\n      http: \"http://me:hunter2@p\"\n  role: server\n",
			head + "# all of it\nmachine:\n  network: # of the plant\n    proxy:\n      https: REDACTED # ours\n      http: REDACTED\n  role: server\n",
		},
		"in a map": {
			"machine:\n  registries:\n    hosts:\n      r.example.com: {username: edge, password: hunter2}\n",
			"machine:\n  registries:\n    hosts:\n      r.example.com: {username: edge, password: REDACTED}\n",
		},
		"many lines":        {"machine:\n  network:\n    proxy:\n      http: |\n        hunter2\n        hunter3\n  name: x\n", "machine:\n  network:\n    proxy:\n      http: REDACTED\n  name: x\n"},
		"empty":             {"machine: {network: {proxy: {http: '', https: ~}}}\n", "machine: {network: {proxy: {http: '', https: ~}}}\n"},
		"null with a value": {"machine: {network: {proxy: {http: !!null hunter2}}}\n", "machine: {network: {proxy: {http: REDACTED}}}\n"},
		"unknown field":     {"machine:\n  passwrod: hunter2\n  name: x\n", "machine:\n  passwrod: REDACTED\n  name: x\n"},
		"wrong kind":        {"machine:\n  name: [hunter2]\n  network: hunter2\n", "machine:\n  name: REDACTED\n  network: REDACTED\n"},
		"not a group":       {"hunter2\n", "REDACTED\n"},
		"an anchor":         {"machine:\n  name: &x hunter2\n  network: {proxy: {http: *x}}\n", "machine:\n  name: &x REDACTED\n  network: {proxy: {http: *x}}\n"},
		"in a comment too":  {"# not hunter2 again\nmachine: {network: {proxy: {http: hunter2}}}\n", "# not REDACTED again\nmachine: {network: {proxy: {http: REDACTED}}}\n"},
		"commented out":     {"machine:\n  name: x\n  # password: hunter2\n", "machine:\n  name: x\n  # password: REDACTED\n"},
		"a URL in a comment": {
			"# from https://me:hunter2@example.com/x\nmachine: {name: x}\n", "# from https://REDACTED@example.com/x\nmachine: {name: x}\n",
		},
		"a URL": {
			"cluster: {manifests: [{url: 'https://me:hunter2@example.com/x'}]}\n", "cluster: {manifests: [{url: 'https://REDACTED@example.com/x'}]}\n",
		},
		"not YAML":      {"machine: {password: hunter2", notShown},
		"two documents": {"machine: {}\n---\npassword: hunter2\n", notShown},
		"too large":     {strings.Repeat("#hunter2", 1<<18), notShown},
		"a circle":      {"machine: &m {network: *m}\n", "machine: &m REDACTED\n"},
		"line ends":     {"machine:\r\n  network: {proxy: {http: hunter2}} # a\r\n", "machine:\n  network: {proxy: {http: REDACTED}} # a\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := string(Redact([]byte(tc.in))); got != tc.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tc.want)
			}
		})
	}
}

// secrets are the strings of a config that must not be shown.
func secrets(v reflect.Value, secret bool) (list []string) {
	switch t := v.Type(); {
	case strict.IsText(t):
	case t.Kind() == reflect.Pointer:
		if !v.IsNil() {
			return secrets(v.Elem(), secret)
		}
	case t.Kind() == reflect.Struct:
		for _, f := range strict.Fields(t) {
			list = append(list, secrets(f.Of(v), secret || f.Secret)...)
		}
	case t.Kind() == reflect.Slice:
		for i := range v.Len() {
			list = append(list, secrets(v.Index(i), secret)...)
		}
	case t.Kind() == reflect.Map:
		for _, element := range v.Seq2() {
			list = append(list, secrets(element, secret)...)
		}
	case t.Kind() == reflect.String:
		if s := v.String(); secret && s != "" && s != strict.Redacted || strict.WithoutUser(s) != s {
			list = append(list, s)
		}
	}
	return list
}

func FuzzRedact(f *testing.F) {
	f.Add([]byte(smallest))
	f.Add([]byte("machine: {network: &n {proxy: {http: hunter2}}, x: *n} # hunter2\n"))
	f.Add([]byte("# a\n? [hunter2]\n: b\nmachine:\n- hunter2 # c\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		out := Redact(in)
		if bytes.Equal(out, []byte(notShown)) {
			return
		}
		if again := Redact(out); !bytes.Equal(out, again) {
			t.Errorf("redacted again it is another:\n%q\n%q", out, again)
		}
		var c types.MachineConfig
		if _, err := strict.Decode("", out, &c); err == nil {
			if left := secrets(reflect.ValueOf(c), false); len(left) > 0 {
				t.Errorf("%q became %q, with secrets in it: %q", in, out, left)
			}
		}
	})
}
