package command

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/discovery"
	"github.com/coracle-os/coracle/machined/keys"
	"github.com/coracle-os/coracle/tools/coraclectl/contexts"
	"github.com/coracle-os/coracle/tools/coraclectl/output"
)

const smallConfig = "apiVersion: coracle/v1alpha1\nkind: MachineConfig\nmachine: {role: server, name: edge-9}\n"

func TestInit(t *testing.T) {
	d := newDesk(t)
	if err := os.Remove(filepath.Join(d.home, "coracle", "key")); err != nil {
		t.Fatal(err)
	}
	out := d.must("init", "--name", "edge-1")
	key, err := keys.Load(filepath.Join(d.home, "coracle", "key"))
	if err != nil || out != keys.Public(key).String()+"\n" {
		t.Fatalf("%v, printed %q", err, out)
	}
	if info, err := os.Stat(filepath.Join(d.home, "coracle", "key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key has %v, %v", info.Mode(), err)
	}
	d.must("config", "validate", "machine.yaml")
	first, _ := os.ReadFile("machine.yaml")
	if !strings.Contains(string(first), out[:len(out)-1]) || !strings.Contains(string(first), "name: edge-1") {
		t.Errorf("the config is:\n%s", first)
	}
	if again := d.must("init"); again != out {
		t.Errorf("the key became %s", again)
	}
	if second, _ := os.ReadFile("machine.yaml"); string(second) != string(first) {
		t.Error("the config was overwritten")
	}
	if got := d.must("config", "new", "--name", "edge-1"); got != string(first) {
		t.Errorf("config new prints:\n%s", got)
	}
	if _, stderr, code := d.run("init", "--role", "boss", "other.yaml"); code != exitUsage || !strings.Contains(stderr, "machine.role") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	d.must("keygen", "monitoring.key")
	if _, _, code := d.run("keygen", "monitoring.key"); code != exitUsage {
		t.Errorf("a key was overwritten: exit code %d", code)
	}
}

func TestConfigCommands(t *testing.T) {
	d := newDesk(t)
	if got := d.must("config", "schema"); !strings.HasPrefix(got, "{") {
		t.Errorf("the schema begins with %.20q", got)
	}
	names := strings.Fields(d.must("config", "example"))
	if len(names) < 3 {
		t.Errorf("examples %v", names)
	}
	for _, name := range names {
		text := d.must("config", "example", name)
		if _, stderr, code := d.feed(text, "config", "validate", "-"); code != 0 {
			t.Errorf("example %s: %s", name, stderr)
		}
	}
	if _, stderr, code := d.run("config", "example", "none"); code != exitUsage || !strings.Contains(stderr, smallest) {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}

func TestApply(t *testing.T) {
	change := &pb.ApplyConfigResponse{
		Changes: []*pb.ConfigChange{{Path: "machine.name", Before: "edge-1", After: "edge-9", TakesEffect: "reboot"}, {Path: "machine.labels.site", After: "harbour", TakesEffect: "now"}},
		Effects: []string{"write the config", "set labels"}, Digest: "abc",
	}
	for name, tc := range map[string]struct {
		args    string
		answer  *pb.ApplyConfigResponse
		code    int
		stderr  string
		request *pb.ApplyConfigRequest
	}{
		"apply":              {"apply -f c.yaml", change, 0, "", &pb.ApplyConfigRequest{Mode: pb.ApplyMode_APPLY_MODE_AUTO}},
		"apply-dry-run":      {"apply -f c.yaml --dry-run", change, 0, "", &pb.ApplyConfigRequest{Mode: pb.ApplyMode_APPLY_MODE_AUTO, DryRun: true}},
		"apply-nothing":      {"apply -f c.yaml --mode no-reboot", &pb.ApplyConfigResponse{}, 0, "", &pb.ApplyConfigRequest{Mode: pb.ApplyMode_APPLY_MODE_NO_REBOOT}},
		"apply-reboot":       {"apply -f c.yaml", &pb.ApplyConfigResponse{Reboot: true, Changes: change.Changes}, 0, "health --wait", &pb.ApplyConfigRequest{Mode: pb.ApplyMode_APPLY_MODE_AUTO}},
		"apply-try":          {"apply -f c.yaml --mode try --try-for 2m", &pb.ApplyConfigResponse{TryFor: durationpb.New(2 * time.Minute)}, 0, "apply confirm", &pb.ApplyConfigRequest{Mode: pb.ApplyMode_APPLY_MODE_TRY, TryFor: durationpb.New(2 * time.Minute)}},
		"apply.json":         {"apply -f c.yaml -o json --mode staged", change, 0, "", &pb.ApplyConfigRequest{Mode: pb.ApplyMode_APPLY_MODE_STAGED}},
		"apply-invalid":      {"apply -f invalid.yaml", change, exitUsage, "did you mean", nil},
		"apply-no-file":      {"apply", change, exitUsage, "-f FILE", nil},
		"apply-no-mode":      {"apply -f c.yaml --mode now", change, exitUsage, "auto, no-reboot, staged and try", nil},
		"apply-try-for-what": {"apply -f c.yaml --try-for 2m", change, exitUsage, "--mode try", nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			f := newFake(t, "edge-1")
			f.answer = tc.answer
			d.know(map[string]*fake{"edge-1": f})
			d.file("c.yaml", smallConfig)
			d.file("invalid.yaml", "invalid")
			out, stderr, code := d.run(strings.Fields(tc.args)...)
			if code != tc.code || !strings.Contains(stderr, tc.stderr) {
				t.Fatalf("exit code %d, want %d; stderr, which should have %q:\n%s", code, tc.code, tc.stderr, stderr)
			}
			if tc.request == nil {
				if out != "" {
					t.Errorf("stdout has:\n%s", out)
				}
				return
			}
			golden(t, name, out)
			if r := f.apply; string(r.Config) != smallConfig || r.Mode != tc.request.Mode || r.DryRun != tc.request.DryRun || r.TryFor.AsDuration() != tc.request.TryFor.AsDuration() {
				t.Errorf("the request was %v", r)
			}
		})
	}
}

func TestApplyToNewMachine(t *testing.T) {
	d := newDesk(t)
	f := newFake(t, "coracle-0a0a0a")
	d.file("c.yaml", smallConfig)
	d.must("-n", f.address, "--fingerprint", f.fingerprint, "apply", "-f", "c.yaml", "--dry-run")
	d.must("contexts", "remove", "coracle-0a0a0a")
	d.must("-n", f.address, "--fingerprint", f.fingerprint, "apply", "-f", "c.yaml")
	d.must("-n", "edge-9", "apply", "confirm") // by the name that its config has
	if _, stderr, code := d.run("-n", "edge-9", "apply", "cancel"); code != 0 || !strings.Contains(stderr, "took back the config that was tried") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}

func TestPatch(t *testing.T) {
	d := newDesk(t)
	one, two := newFake(t, "edge-1"), newFake(t, "edge-2")
	d.know(map[string]*fake{"edge-1": one, "edge-2": two})
	out := d.must("-n", "edge-1,edge-2", "patch", "-p", "machine: {labels: {a: b}}", "--mode", "no-reboot")
	if out != "edge-1\nnothing changes\nedge-2\nnothing changes\n" || string(one.patch.Patch) != "machine: {labels: {a: b}}" || two.patch.Mode != pb.ApplyMode_APPLY_MODE_NO_REBOOT {
		t.Errorf("got:\n%s\nrequest %v", out, one.patch)
	}
	for _, args := range []string{"patch", "patch -p a -f b"} {
		if _, _, code := d.run(append([]string{"-n", "edge-1"}, strings.Fields(args)...)...); code != exitUsage {
			t.Errorf("%s: exit code %d", args, code)
		}
	}
}

func TestGetConfig(t *testing.T) {
	d := newDesk(t)
	f := newFake(t, "edge-1")
	d.know(map[string]*fake{"edge-1": f})
	if _, stderr, code := d.run("get", "config"); code != exitFailed || !strings.Contains(stderr, "apply -f") {
		t.Errorf("without a config: exit code %d\n%s", code, stderr)
	}
	f.config, f.staged = "token: REDACTED # keep\n", "token: new\n"
	for args, want := range map[string]string{
		"get config": "token: REDACTED # keep\n", "get config --secrets": "token: hunter2 # keep\n", "get config --staged": "token: new\n",
		"get config -o json": "{\n  \"token\": \"REDACTED\"\n}\n",
	} {
		if got := d.must(strings.Fields(args)...); got != want {
			t.Errorf("%s: got %q", args, got)
		}
	}
}

func TestEdit(t *testing.T) {
	if windows {
		t.Skip("the editor of this test is a shell script")
	}
	d := newDesk(t)
	f := newFake(t, "edge-1")
	f.config = "token: REDACTED\n"
	d.know(map[string]*fake{"edge-1": f})
	script := func(text string) {
		path := d.file("editor", "#!/bin/sh\n"+text+"\n")
		if err := os.Chmod(path, 0o700); err != nil {
			t.Fatal(err)
		}
		d.env["EDITOR"] = path
	}
	script(`exit 0`)
	if _, stderr, code := d.run("edit"); code != 0 || !strings.Contains(stderr, "nothing was changed") || f.apply != nil {
		t.Errorf("exit code %d, applied %v\n%s", code, f.apply, stderr)
	}
	script(`echo "more: true" >> "$1"`)
	d.must("edit", "--mode", "no-reboot")
	if r := f.apply; string(r.Config) != "token: hunter2\nmore: true\n" || r.IfDigest != "abc" || r.Mode != pb.ApplyMode_APPLY_MODE_NO_REBOOT {
		t.Errorf("applied %v", r)
	}
	script(`echo invalid > "$1"`)
	_, stderr, code := d.run("edit")
	if _, rest, ok := strings.Cut(stderr, "what you wrote is in "); code != exitUsage || !ok {
		t.Errorf("exit code %d\n%s", code, stderr)
	} else {
		path, _, _ := strings.Cut(rest, ",")
		if text, err := os.ReadFile(path); err != nil || string(text) != "invalid\n" {
			t.Errorf("what was written is lost: %q, %v", text, err)
		}
		os.RemoveAll(filepath.Dir(path))
	}
	script(`exit 3`)
	if _, stderr, code := d.run("edit"); code != exitFailed || !strings.Contains(stderr, "EDITOR") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}

func TestHealthWait(t *testing.T) {
	d := newDesk(t)
	f := newFake(t, "edge-1")
	f.healthy, f.torn = []bool{false, false, true}, true // it is asked again when the stream ends
	d.know(map[string]*fake{"edge-1": f})
	out, stderr, code := d.run("health", "--wait", "--timeout", "1m")
	if code != 0 || !strings.Contains(out, "node    ok") || strings.Count(stderr, "edge-1: node: the node is not Ready") != 2 {
		t.Errorf("exit code %d\n%s\n%s", code, out, stderr)
	}
}

func TestKubeconfig(t *testing.T) {
	d := newDesk(t)
	d.know(map[string]*fake{"edge-1": newFake(t, "edge-1"), "edge-2": newFake(t, "edge-2")})
	d.must("-n", "edge-1", "kubeconfig")
	text, err := os.ReadFile(filepath.Join(d.home, ".kube", "config"))
	if err != nil || !strings.Contains(string(text), "https://127.0.0.1:6443") || !strings.Contains(string(text), "current-context: edge-1") {
		t.Errorf("%v, got:\n%s", err, text)
	}
	d.env["KUBECONFIG"] = filepath.Join(d.home, "mine")
	d.must("-n", "edge-1", "kubeconfig")
	d.must("-n", "edge-2", "kubeconfig", "--use=false")
	if text, err := os.ReadFile("mine"); err != nil || !strings.Contains(string(text), "name: edge-2") || !strings.Contains(string(text), "current-context: edge-1") {
		t.Errorf("%v, got:\n%s", err, text)
	}
	d.must("-n", "edge-1,edge-2", "kubeconfig", "-o", "both")
	if printed := d.must("-n", "edge-1,edge-2", "kubeconfig", "--print"); !strings.Contains(printed, "name: edge-2") {
		t.Errorf("printed:\n%s", printed)
	} else if text, err := os.ReadFile("both"); err != nil || string(text) != printed {
		t.Errorf("%v, got:\n%s", err, text)
	}
	behind := newFake(t, "edge-3")
	behind.endpoint = "10.0.2.15" // as the kubeconfig of the fake has it
	d.know(map[string]*fake{"edge-3": behind})
	if printed := d.must("-n", "edge-3", "kubeconfig", "--print"); !strings.Contains(printed, `server: "https://10.0.2.15:6443"`) {
		t.Errorf("with an endpoint:\n%s", printed)
	}
}

func TestPower(t *testing.T) {
	d := newDesk(t)
	f := newFake(t, "edge-1")
	d.know(map[string]*fake{"edge-1": f})
	if _, stderr, code := d.run("reboot", "--wait"); code != 0 || !strings.Contains(stderr, "edge-1 is back") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	d.must("shutdown")
	d.must("services", "restart", "kube")
	for args, want := range map[string]int{
		"reset edge-1": exitUsage, "reset --wipe-data --keep-data edge-1": exitUsage, "reset --keep-data": exitUsage,
		"reset --keep-data edge-2": exitUsage, "reset --keep-data edge-1": 0,
	} {
		if _, stderr, code := d.run(strings.Fields(args)...); code != want {
			t.Errorf("%s: exit code %d, want %d\n%s", args, code, want, stderr)
		}
	}
}

func TestBooted(t *testing.T) {
	before := fakeStatus("edge-1")
	later := fakeStatus("edge-1")
	later.Started.Seconds += 100
	down := fakeStatus("edge-1")
	down.Started.Seconds, down.ShuttingDown = down.Started.Seconds+100, "reboot"
	for name, tc := range map[string]struct {
		now  *pb.Status
		want bool
	}{"the same": {before, false}, "started later": {later, true}, "its clock was set while it goes down": {down, false}} {
		if got := booted(before, tc.now); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestBundle(t *testing.T) {
	d := newDesk(t)
	f := newFake(t, "edge-1")
	d.know(map[string]*fake{"edge-1": f})
	if got := d.must("bundle", "-o", "-"); got != "bundle" {
		t.Errorf("got %q", got)
	}
	name := strings.TrimSpace(d.must("bundle"))
	if text, err := os.ReadFile(name); err != nil || string(text) != "bundle" || !strings.HasPrefix(name, "coracle-edge-1-") {
		t.Errorf("%s: %q, %v", name, text, err)
	}
	f.deny = errNotAsked
	if _, _, code := d.run("bundle", "-o", "x"); code == 0 {
		t.Error("no error")
	}
	if left, _ := filepath.Glob(".coraclectl-*"); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	if _, err := os.Stat("x"); err == nil {
		t.Error("a file that is not whole")
	}
	for in, want := range map[string]string{"edge-1": "edge-1", "../../x": "x", "": "machine", "/": "machine"} {
		if got := fileName(in); got != want {
			t.Errorf("fileName(%q) = %q", in, got)
		}
	}
}

func TestContextsCommands(t *testing.T) {
	d := newDesk(t)
	for _, name := range []string{"edge-1", "edge-2"} {
		d.must("contexts", "add", name, name+".example.com", "--fingerprint", otherPrint)
	}
	d.must("contexts", "group", "plant", "edge-1", "edge-2")
	d.must("contexts", "use", "plant")
	golden(t, "contexts", d.must("contexts", "list"))
	golden(t, "contexts.json", d.must("contexts", "list", "-o", "json"))
	for _, args := range []string{"contexts add x y", "contexts use nobody", "contexts remove nobody", "contexts group g nobody", "contexts add plant h --fingerprint " + otherPrint} {
		if _, stderr, code := d.run(strings.Fields(args)...); code != exitUsage || stderr == "" {
			t.Errorf("%s: exit code %d\n%s", args, code, stderr)
		}
	}
	d.must("contexts", "remove", "edge-1", "plant")
}

func TestVersionCommand(t *testing.T) {
	d := newDesk(t)
	f := newFake(t, "edge-1")
	f.deny = errNotAsked // it tells anybody
	d.know(map[string]*fake{"edge-1": f})
	if got := d.must("version"); !strings.HasPrefix(got, "coraclectl dev ") {
		t.Errorf("got %q", got)
	}
	if got := d.must("-n", "edge-1", "version"); !strings.Contains(got, "0.2.0") || !strings.Contains(got, "6.12.9") {
		t.Errorf("got:\n%s", got)
	}
}

func TestFlashAsksBefore(t *testing.T) {
	d := newDesk(t)
	d.file("text.img", "no image")
	if _, stderr, code := d.run("flash", "text.img", "vm.img"); code != exitUsage || !strings.Contains(stderr, "not a disk image") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	d.file("bad.yaml", "kind: MachineConfig\n")
	if _, stderr, code := d.run("flash", "text.img", "vm.img", "--config", "bad.yaml"); code != exitUsage || !strings.Contains(stderr, "bad.yaml") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	if _, err := os.Stat("vm.img"); err == nil {
		t.Error("something was written")
	}
}

func TestSightings(t *testing.T) {
	d := newDesk(t)
	d.must("contexts", "add", "gateway", "h", "--fingerprint", otherPrint)
	known, err := contexts.Load(filepath.Join(d.home, "coracle", "contexts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]discovery.Machine{}
	for _, m := range []discovery.Machine{
		{Info: discovery.Info{Name: "edge-1", Fingerprint: otherPrint, Version: "0.2.0", State: discovery.Configured},
			Addresses: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.7:50000"), netip.MustParseAddrPort("[fe80::7%eth0]:50000")}},
		{Info: discovery.Info{Name: "coracle-0a0a0a", Fingerprint: "SHA256:x", Version: "0.2.0", State: discovery.Maintenance},
			Addresses: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.8:50001")}},
	} {
		found[m.Fingerprint] = m
	}
	for name, format := range map[string]output.Format{"discover": output.Wide, "discover.json": output.JSON} {
		var out, hints bytes.Buffer
		a := &app{Environment: Environment{Out: &out, Err: &hints}, format: format}
		if err := a.writeFound(sightings(found, known)); err != nil {
			t.Fatal(err)
		}
		golden(t, name, out.String())
		if format == output.Wide && !strings.Contains(hints.String(), "console") {
			t.Errorf("no hint in %q", hints.String())
		}
	}
}

func TestCompletionOfMachines(t *testing.T) {
	d := newDesk(t)
	d.must("contexts", "add", "edge-1", "h", "--fingerprint", otherPrint)
	if got := d.must("__complete", "status", "-n", "ed"); !strings.Contains(got, "edge-1\n") {
		t.Errorf("got:\n%s", got)
	}
	if got := d.must("completion", "bash"); !strings.Contains(got, "coraclectl") {
		t.Error("no completion")
	}
}
