package control

import "testing"

func TestParseEndpoint(t *testing.T) {
	for text, want := range map[string]string{
		"kube.example.com":      "kube.example.com:6443",
		"kube.example.com:443":  "kube.example.com:443",
		"edge-1":                "edge-1:6443",
		"192.0.2.7":             "192.0.2.7:6443",
		"192.0.2.7:7443":        "192.0.2.7:7443",
		"2001:db8::7":           "[2001:db8::7]:6443",
		"[2001:db8::7]:7443":    "[2001:db8::7]:7443",
		"":                      "",
		"https://kube.example":  "",
		"kube.example.com:":     "",
		"kube.example.com:0":    "",
		"kube.example.com:port": "",
		"kube.example.com/path": "",
		"192.0.2":               "",
		"192.0.2.300:6443":      "",
		"0.0.0.0":               "",
		"fe80::1%eth0":          "",
		"[::1":                  "",
		"a:b:c":                 "",
		"-a":                    "",
	} {
		if got := HostPort(text); got != want {
			t.Errorf("%q gave %q, want %q", text, got, want)
		}
	}
}
