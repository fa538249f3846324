package command

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/machined/keys"
	"github.com/coracle-os/coracle/tools/coraclectl/contexts"
)

// silent is an address at which nothing answers.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

const otherPrint = "SHA256:Yw3NKWbEM2aRElRIu7JbT/QSpJxzLbLIq8G4WBvXEN0"

func TestExitCodes(t *testing.T) {
	d := newDesk(t)
	good, denied, sick, forbidden := newFake(t, "good"), newFake(t, "denied"), newFake(t, "sick"), newFake(t, "forbidden")
	denied.deny = connect.NewError(connect.CodeUnauthenticated, errors.New("the key is not among machine.api.keys"))
	forbidden.deny = connect.NewError(connect.CodePermissionDenied, errors.New("needs the role admin"))
	sick.healthy = []bool{false}
	d.know(map[string]*fake{"good": good, "denied": denied, "sick": sick, "forbidden": forbidden})
	gone := silent(t)
	d.must("contexts", "add", "gone", gone, "--fingerprint", otherPrint)
	d.must("contexts", "add", "other", good.address, "--fingerprint", otherPrint)
	d.must("contexts", "group", "all", "good", "gone")

	for name, tc := range map[string]struct {
		args   string
		code   int
		stderr string
	}{
		"good":                          {"-n good status", exitOK, ""},
		"no such command":               {"stauts", exitUsage, "unknown command"},
		"no such subcommand":            {"services restat kube", exitUsage, "unknown command"},
		"no such flag":                  {"status --foo", exitUsage, "--help"},
		"no such format":                {"-n good status -o xml", exitUsage, "table, wide, json and yaml"},
		"no machine named":              {"status", exitUsage, "-n NAME"},
		"too many arguments":            {"-n good status now", exitUsage, ""},
		"not trusted blindly":           {"-n 192.0.2.7 status", exitUsage, "read the fingerprint on its console"},
		"a fingerprint that is none":    {"-n 192.0.2.7 --fingerprint abc status", exitUsage, "not a fingerprint"},
		"one fingerprint of two":        {"-n good,sick --fingerprint " + otherPrint + " status", exitUsage, "of one machine"},
		"a key that is not there":       {"-n good --key none status", exitUsage, "none"},
		"unreachable":                   {"-n gone status", exitUnreachable, "coraclectl discover"},
		"unreachable, a stream":         {"-n gone logs kube", exitUnreachable, "does not answer"},
		"not allowed":                   {"-n denied status", exitNotAllowed, keys.Public(d.key).String()},
		"not allowed, a stream":         {"-n denied logs kube", exitNotAllowed, "machine.api.keys"},
		"a role that is too small":      {"-n forbidden kubeconfig", exitNotAllowed, "another role"},
		"not healthy":                   {"-n sick health", exitUnhealthy, "not healthy"},
		"not healthy in time":           {"-n sick health --wait --timeout 100ms", exitUnhealthy, "node is not Ready"},
		"gone while waited for":         {"-n gone health --wait --timeout 100ms", exitUnhealthy, "not healthy after"},
		"another machine":               {"-n other status", exitOtherKey, "do not go on"},
		"another machine, a stream":     {"-n other logs kube", exitOtherKey, "contexts add other"},
		"another fingerprint is pinned": {"-n other --fingerprint " + good.fingerprint + " status", exitOtherKey, "is known with"},
		"one of two is gone":            {"-n all status", exitUnreachable, "gone: does not answer"},
		"two fail differently":          {"-n gone,denied status", exitFailed, "denied:"},
		"a bad config":                  {"config validate bad.yaml", exitUsage, "bad.yaml:3: machine.rolle"},
		"one machine at a time":         {"-n all apply -f good.yaml", exitUsage, "one machine at a time"},
	} {
		t.Run(name, func(t *testing.T) {
			d.t = t
			d.file("bad.yaml", "apiVersion: coracle/v1alpha1\nkind: MachineConfig\nmachine: {rolle: server}\n")
			d.file("good.yaml", "apiVersion: coracle/v1alpha1\nkind: MachineConfig\nmachine: {role: server}\n")
			_, stderr, code := d.run(strings.Fields(tc.args)...)
			if code != tc.code || !strings.Contains(stderr, tc.stderr) {
				t.Errorf("exit code %d, want %d; stderr, which should have %q:\n%s", code, tc.code, tc.stderr, stderr)
			}
		})
	}
}

func TestOthersAreShownWhenOneFails(t *testing.T) {
	d := newDesk(t)
	d.know(map[string]*fake{"good": newFake(t, "good")})
	d.must("contexts", "add", "gone", silent(t), "--fingerprint", otherPrint)
	stdout, stderr, code := d.run("-n", "gone,good", "services")
	if code != exitUnreachable || !strings.Contains(stdout, "good     kube") || strings.Contains(stdout, "gone") || !strings.Contains(stderr, "gone: does not answer") {
		t.Errorf("exit code %d\n%s\n%s", code, stdout, stderr)
	}
	stdout, _, _ = d.run("-n", "gone,good", "services", "-o", "json")
	if !strings.HasPrefix(stdout, "{\n  \"good\": {") {
		t.Errorf("got:\n%s", stdout)
	}
}

func TestFirstContact(t *testing.T) {
	d := newDesk(t)
	f := newFake(t, "coracle-0a0a0a")
	if _, stderr, code := d.run("-n", f.address, "--fingerprint", otherPrint, "status"); code != exitOtherKey {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	if f.called != nil {
		t.Errorf("a machine that is not the one was asked %v", f.called)
	}
	if _, err := os.Stat(filepath.Join(d.home, "coracle", "contexts.yaml")); err == nil {
		t.Error("it was remembered")
	}
	_, stderr, code := d.run("-n", f.address, "--fingerprint", f.fingerprint, "status")
	if code != exitOK || !strings.Contains(stderr, "remembered as coracle-0a0a0a") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	if f.caller != keys.Public(d.key) {
		t.Errorf("called as %v", f.caller)
	}
	d.must("-n", "coracle-0a0a0a", "status") // by its name
	d.must("-n", f.address, "status")        // by its address
	d.must("status")                         // as the only one

	// Another machine of the same name is remembered by its address.
	g := newFake(t, "coracle-0a0a0a")
	d.must("-n", g.address, "--fingerprint", g.fingerprint, "services")
	known, err := contexts.Load(filepath.Join(d.home, "coracle", "contexts.yaml"))
	if err != nil || len(known.Machines) != 2 || known.Machines[1].Name != "127.0.0.1" || known.Machines[1].Fingerprint != g.fingerprint {
		t.Errorf("known are %+v, %v", known.Machines, err)
	}
}
