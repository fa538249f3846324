package kubeconfig

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// machines is a kubeconfig as a machine gives it.
const machines = `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: Q0E=
    server: https://10.0.2.15:6443
  name: coracle
contexts:
- context:
    cluster: coracle
    user: admin
  name: coracle
current-context: coracle
kind: Config
users:
- name: admin
  user:
    client-certificate-data: Q0VSVA==
    client-key-data: S0VZ
`

const renamed = `apiVersion: v1
clusters:
  - cluster:
      certificate-authority-data: Q0E=
      server: https://192.0.2.7:6443
      tls-server-name: kubernetes
    name: edge-1
contexts:
  - context:
      cluster: edge-1
      user: edge-1
    name: edge-1
current-context: edge-1
kind: Config
users:
  - name: edge-1
    user:
      client-certificate-data: Q0VSVA==
      client-key-data: S0VZ
`

// operators is one that a person has: another cluster, an extension, a field that no kubectl knows yet, a comment.
const operators = `# mine
apiVersion: v1
kind: Config
preferences: {colors: true}
clusters:
  - name: cloud
    cluster:
      server: https://cloud.example.com
      proxy-url: http://proxy:3128 # at work
  - name: edge-1
    cluster:
      server: https://192.0.2.99:6443
      certificate-authority-data: T0xE
users:
  - name: cloud
    user:
      exec: {apiVersion: client.authentication.k8s.io/v1, command: cloud-login, args: [--quiet]}
contexts:
  - name: cloud
    context: {cluster: cloud, user: cloud, namespace: "1234"}
current-context: cloud
later: {some: field}
`

const merged = `# mine
apiVersion: v1
kind: Config
preferences: {colors: true}
clusters:
  - name: cloud
    cluster:
      server: https://cloud.example.com
      proxy-url: http://proxy:3128 # at work
  - cluster:
      certificate-authority-data: Q0E=
      server: https://192.0.2.7:6443
      tls-server-name: kubernetes
    name: edge-1
users:
  - name: cloud
    user:
      exec: {apiVersion: client.authentication.k8s.io/v1, command: cloud-login, args: [--quiet]}
  - name: edge-1
    user:
      client-certificate-data: Q0VSVA==
      client-key-data: S0VZ
contexts:
  - name: cloud
    context: {cluster: cloud, user: cloud, namespace: "1234"}
  - context:
      cluster: edge-1
      user: edge-1
    name: edge-1
current-context: CURRENT
later: {some: field}
`

func TestRename(t *testing.T) {
	got, err := Rename([]byte(machines), "edge-1", "192.0.2.7")
	if err != nil || string(got) != renamed {
		t.Errorf("%v, got:\n%s", err, got)
	}
	for _, host := range []string{"10.0.2.15", ""} {
		same, err := Rename([]byte(machines), "edge-1", host)
		if err != nil || strings.Contains(string(same), "tls-server-name") || !strings.Contains(string(same), "server: https://10.0.2.15:6443") {
			t.Errorf("at its own address, %q: %v, got:\n%s", host, err, same)
		}
	}
	for host, want := range map[string]string{"2001:db8::7": "server: https://[2001:db8::7]:6443", "edge-1.example.com": "server: https://edge-1.example.com:6443"} {
		if got, err := Rename([]byte(machines), "1e3", host); err != nil || !strings.Contains(string(got), want) || !strings.Contains(string(got), `name: "1e3"`) {
			t.Errorf("%s: %v, got:\n%s", host, err, got)
		}
	}
}

func TestRenameRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ text, error string }{
		"nothing":      {"", "exactly one"},
		"no YAML":      {"a: b: c", "kubeconfig"},
		"a list":       {"[1]", "not a kubeconfig"},
		"no server":    {strings.Replace(machines, "server: https://10.0.2.15:6443", "x: y", 1), "no server"},
		"no URL":       {strings.Replace(machines, "https://10.0.2.15:6443", "x", 1), "no URL"},
		"two clusters": {strings.Replace(machines, "clusters:", "clusters:\n- {name: other}", 1), "exactly one of its clusters"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Rename([]byte(tc.text), "edge-1", "192.0.2.7"); err == nil || !strings.Contains(err.Error(), tc.error) {
				t.Errorf("error %v, want one with %q", err, tc.error)
			}
		})
	}
}

func TestMerge(t *testing.T) {
	for name, tc := range map[string]struct {
		into string
		use  bool
		want string
	}{
		"into nothing":               {"", true, "apiVersion: v1\nkind: Config\n" + sections(renamed, "clusters:", "users:", "contexts:") + "current-context: edge-1\n"},
		"into one with others":       {operators, true, strings.Replace(merged, "CURRENT", "edge-1", 1)},
		"the current context stays":  {operators, false, strings.Replace(merged, "CURRENT", "cloud", 1)},
		"again":                      {renamed, true, renamed},
		"into what kubectl leaves":   {"apiVersion: v1\nkind: Config\nclusters: []\nusers: null\ncurrent-context: \"\"\n", false, "apiVersion: v1\nkind: Config\n" + sections(renamed, "clusters:", "users:") + "current-context: edge-1\n" + sections(renamed, "contexts:")},
		"into a file with a comment": {"# later\n", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Merge([]byte(tc.into), []byte(renamed), tc.use)
			if err != nil {
				t.Fatal(err)
			}
			if tc.want != "" && string(got) != tc.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tc.want)
			}
			twice, err := Merge(got, []byte(renamed), tc.use)
			if err != nil || string(twice) != string(got) {
				t.Errorf("the second time: %v, got:\n%s", err, twice)
			}
		})
	}
}

// sections are parts of a file, each from its heading to the next line that is not indented.
func sections(text string, headings ...string) string {
	var out string
	for _, h := range headings {
		_, rest, _ := strings.Cut("\n"+text, "\n"+h+"\n")
		out += h + "\n"
		for line := range strings.Lines(rest) {
			if line[0] != ' ' {
				break
			}
			out += line
		}
	}
	return out
}

func TestMergeRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ into, error string }{
		"no YAML":       {"clusters: [", "line 1"},
		"a list":        {"- 1", "not a kubeconfig"},
		"no list":       {"clusters: {a: b}", "clusters is not a list"},
		"two documents": {"a: b\n---\nc: d", "several"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config")
			if err := os.WriteFile(path, []byte(tc.into), 0o644); err != nil {
				t.Fatal(err)
			}
			err := MergeFile(path, []byte(renamed), true)
			if err == nil || !strings.Contains(err.Error(), tc.error) || !strings.Contains(err.Error(), "nothing was changed") {
				t.Errorf("error %v, want one with %q", err, tc.error)
			}
			if after, _ := os.ReadFile(path); string(after) != tc.into {
				t.Errorf("the file is now %q", after)
			}
		})
	}
}

func TestMergeFile(t *testing.T) {
	dir := t.TempDir()
	link, real := filepath.Join(dir, "link"), filepath.Join(dir, "a", "config")
	if err := MergeFile(real, []byte(renamed), true); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(real); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a new file has %v, %v", info.Mode(), err)
	}
	if err := os.Chmod(real, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	if err := MergeFile(link, []byte(strings.ReplaceAll(renamed, "edge-1", "edge-2")), false); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(real)
	if err != nil || !strings.Contains(string(text), "name: edge-1") || !strings.Contains(string(text), "name: edge-2") {
		t.Errorf("%v, got:\n%s", err, text)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link became %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(real); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode became %v, %v", info.Mode(), err)
	}
}

func TestPath(t *testing.T) {
	sep := string(filepath.ListSeparator)
	home := filepath.Join("home", "me")
	for env, want := range map[string]string{
		"": filepath.Join(home, ".kube", "config"), "a": "a", "a" + sep + "b": "a", sep + "b": "b", sep: filepath.Join(home, ".kube", "config"),
	} {
		if got := Path(env, home); got != want {
			t.Errorf("Path(%q) = %q, want %q", env, got, want)
		}
	}
}

func FuzzMerge(f *testing.F) {
	f.Add(operators)
	f.Add(machines)
	f.Fuzz(func(t *testing.T, into string) {
		got, err := Merge([]byte(into), []byte(renamed), true)
		if err != nil {
			return
		}
		again, err := Merge(got, []byte(renamed), true)
		if err != nil {
			t.Fatalf("what was merged cannot be merged: %v\n%s", err, got)
		}
		if string(again) != string(got) {
			t.Errorf("merged twice it changes:\n%s\n---\n%s", got, again)
		}
	})
}
