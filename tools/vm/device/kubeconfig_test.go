package device

import (
	"strings"
	"testing"
)

func TestRedirect(t *testing.T) {
	in := `apiVersion: v1
kind: Config
clusters:
- name: coracle
  cluster:
    certificate-authority-data: Q0E=
    server: https://10.0.2.15:6443
users:
- name: admin
  user:
    client-key-data: S0VZ
`
	out, err := redirect([]byte(in), "https://127.0.0.1:40001")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"server: https://127.0.0.1:40001", "certificate-authority-data: Q0E=", "client-key-data: S0VZ", "kind: Config"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("lacks %q:\n%s", want, out)
		}
	}
	if strings.Contains(string(out), "10.0.2.15") {
		t.Errorf("keeps the old address:\n%s", out)
	}
}

func TestRedirectErrors(t *testing.T) {
	for name, in := range map[string]string{
		"not YAML":    "\t{",
		"no clusters": "kind: Config\n",
		"no settings": "clusters: [{name: a}]\n",
		"wrong type":  "clusters: [1]\n",
	} {
		if out, err := redirect([]byte(in), "https://127.0.0.1:1"); err == nil {
			t.Errorf("%s: no error, got %q", name, out)
		}
	}
}
