package contexts

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const (
	print1 = "SHA256:Yw3NKWbEM2aRElRIu7JbT/QSpJxzLbLIq8G4WBvXEN0"
	print2 = "SHA256:jZ0KdO3rLr5YJ1yYgP2uP0m7Xb6iW1b3C0aXW6oQ3uI"
)

const text = `current: plant
machines:
  - {name: edge-1, address: 192.0.2.7, fingerprint: "` + print1 + `"}
  - {name: edge-2, address: "edge-2.example.com:50001", fingerprint: "` + print2 + `"}
groups:
  plant: [edge-1, edge-2]
`

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "coracle", "contexts.yaml")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestResolve(t *testing.T) {
	f, err := Load(write(t, text))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		names []string
		want  []string
		error string
	}{
		"the current group":        {nil, []string{"edge-1", "edge-2"}, ""},
		"a machine":                {[]string{"edge-2"}, []string{"edge-2"}, ""},
		"a group and one of it":    {[]string{"edge-2", "plant"}, []string{"edge-2", "edge-1"}, ""},
		"an address that is known": {[]string{"192.0.2.7:50000"}, []string{"edge-1"}, ""},
		"an address that is not":   {[]string{"192.0.2.8"}, []string{"192.0.2.8"}, ""},
		"a host name":              {[]string{"edge-3"}, []string{"edge-3"}, ""},
		"nonsense":                 {[]string{"edge 3"}, nil, "no machine or group"},
		"a port that is none":      {[]string{"edge-3:http"}, nil, "from 1 to 65535"},
	} {
		t.Run(name, func(t *testing.T) {
			list, err := f.Resolve(tc.names)
			if tc.error != "" {
				if err == nil || !strings.Contains(err.Error(), tc.error) {
					t.Fatalf("error %v, want one with %q", err, tc.error)
				}
				return
			}
			var got []string
			for _, m := range list {
				got = append(got, m.Name)
			}
			if err != nil || !slices.Equal(got, tc.want) {
				t.Errorf("got %v, %v, want %v", got, err, tc.want)
			}
		})
	}
}

func TestResolveWithoutCurrent(t *testing.T) {
	one := File{Machines: []Machine{{"edge-1", "192.0.2.7", print1}}}
	if list, err := one.Resolve(nil); err != nil || len(list) != 1 {
		t.Errorf("the only machine: %v, %v", list, err)
	}
	one.Put(Machine{"edge-2", "192.0.2.8", print2})
	if list, err := one.Resolve(nil); err != ErrNone {
		t.Errorf("two machines, none current: %v, %v", list, err)
	}
}

func TestLoadRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ text, error string }{
		"an unknown field":         {"machine: []", "not found"},
		"a short fingerprint":      {`machines: [{name: a, address: b, fingerprint: "SHA256:abc"}]`, "not a fingerprint"},
		"no fingerprint":           {`machines: [{name: a, address: b}]`, "not a fingerprint"},
		"a bad address":            {`machines: [{name: a, address: "b:0", fingerprint: "` + print1 + `"}]`, "machine a"},
		"one name twice":           {strings.Replace(text, "edge-2,", "edge-1,", 1), "twice"},
		"a member that is missing": {"groups: {plant: [edge-9]}", "no machine edge-9"},
		"a group named as machine": {strings.Replace(text, "plant: [", "edge-1: [", 1), "a machine and a group"},
		"a current that is none":   {"current: edge-9", "no machine or group edge-9"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Load(write(t, tc.text)); err == nil || !strings.Contains(err.Error(), tc.error) {
				t.Errorf("error %v, want one with %q", err, tc.error)
			}
		})
	}
	for _, empty := range []string{"", "# nothing\n"} {
		if f, err := Load(write(t, empty)); err != nil || len(f.Machines) > 0 {
			t.Errorf("an empty file: %v, %v", f, err)
		}
	}
}

func TestUpdate(t *testing.T) {
	path := write(t, text)
	if err := Update(path, func(f *File) error { return f.Remove("edge-2") }); err != nil {
		t.Fatal(err)
	}
	if err := Update(path, func(f *File) error { return f.Remove("edge-2") }); err == nil {
		t.Error("removed what is not there")
	}
	f, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	want := File{Current: "plant", Machines: []Machine{{"edge-1", "192.0.2.7", print1}}, Groups: map[string][]string{"plant": {"edge-1"}}}
	if !reflect.DeepEqual(f, want) {
		t.Errorf("got %+v, want %+v", f, want)
	}
	// The last member takes its group along, and the group that it is current.
	if err := Update(path, func(f *File) error { return f.Remove("edge-1") }); err != nil {
		t.Fatal(err)
	}
	if f, err := Load(path); err != nil || f.Current != "" || len(f.Groups) > 0 {
		t.Errorf("left %+v, %v", f, err)
	}
	before, _ := os.ReadFile(path)
	if err := Update(path, func(f *File) error { f.Put(Machine{Name: "x", Address: "y"}); return nil }); err == nil {
		t.Error("a machine without a fingerprint was stored")
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Error("the file was written all the same")
	}
}

func TestHostPort(t *testing.T) {
	for in, want := range map[string]string{
		"edge-1": "edge-1:50000", "192.0.2.7": "192.0.2.7:50000", "192.0.2.7:1": "192.0.2.7:1", "2001:db8::7": "[2001:db8::7]:50000",
		"[2001:db8::7]": "[2001:db8::7]:50000", "[2001:db8::7]:1": "[2001:db8::7]:1", "fe80::7%eth0": "[fe80::7%eth0]:50000",
		"": "", "a b": "", "edge-1:": "", "edge-1:70000": "", "https://edge-1": "", "-x": "", "a/b": "",
	} {
		if got, err := HostPort(in); got != want || (err == nil) != (want != "") {
			t.Errorf("HostPort(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(text))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := parse(b)
		if err != nil {
			return
		}
		written, err := yaml.Marshal(file)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := parse(written); err != nil || len(again.Machines) != len(file.Machines) || len(again.Groups) != len(file.Groups) {
			t.Errorf("read %+v, wrote and read %+v, %v", file, again, err)
		}
	})
}
