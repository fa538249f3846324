package api_test

import (
	"crypto/ed25519"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/keys"
	"github.com/coracle-os/coracle/machined/state"
)

// healthy is a machine that is well.
func healthy() state.Machine {
	return state.Machine{
		Name: "pi", Role: "server", Data: state.Disk{Ready: true}, Addresses: []state.Address{{Interface: "eth0", Prefix: "192.0.2.7/24"}},
		Kube: state.Kube{Phase: state.Ready, PID: 7, Status: &control.Status{APIReady: true, NodeReady: true}},
	}
}

// leastRoles is what a reader, an operator and an admin may each do. It is written down here a second time, so that a role
// is not changed by mistake.
var leastRoles = map[string]types.KeyRole{
	"GetVersion": "",
	"GetStatus":  types.Reader, "WatchStatus": types.Reader, "WatchHealth": types.Reader, "GetConfig": types.Reader, "ListServices": types.Reader,
	"GetLogs": types.Reader, "GetEvents": types.Reader, "ListProcesses": types.Reader, "GetMemory": types.Reader, "ListMounts": types.Reader,
	"ListDisks": types.Reader, "GetNetwork": types.Reader, "ListConnections": types.Reader, "GetTime": types.Reader,
	"ConfirmConfig": types.Operator, "CancelConfig": types.Operator, "RestartService": types.Operator, "GetSupportBundle": types.Operator,
	"Reboot": types.Operator, "Shutdown": types.Operator,
	"GetUpgrade": types.Reader, "UploadUpgrade": types.Operator, "PullUpgrade": types.Operator, "CancelUpgrade": types.Operator, "Rollback": types.Operator,
	"ApplyConfig": types.Admin, "PatchConfig": types.Admin, "GetKubeconfig": types.Admin,
	"CreateToken": types.Admin, "ListTokens": types.Admin, "DeleteToken": types.Admin, "Reset": types.Admin,
}

var rank = map[types.KeyRole]int{"": 0, types.Reader: 1, types.Operator: 2, types.Admin: 3}

// watching are the methods whose streams would not end here, and UploadUpgrade, which is called with a stream: TestUpload does.
var watching = map[string]bool{"WatchStatus": true, "WatchHealth": true, "UploadUpgrade": true}

// allMethods are those of the service's definition.
func allMethods() (names []string) {
	list := machinepb.File_coracle_machine_v1alpha1_machine_proto.Services().Get(0).Methods()
	for i := range list.Len() {
		names = append(names, string(list.Get(i).Name()))
	}
	return names
}

func TestRoles(t *testing.T) {
	m := start(t)
	private := m.allow(t)
	for name, tc := range map[string]struct {
		key    ed25519.PrivateKey
		role   types.KeyRole
		denied int // HTTP status
	}{
		"admin":    {private[types.Admin], types.Admin, 403},
		"operator": {private[types.Operator], types.Operator, 403},
		"reader":   {private[types.Reader], types.Reader, 403},
		"stranger": {generate(t), "", 401},
		"no key":   {nil, "", 401},
	} {
		t.Run(name, func(t *testing.T) {
			c := plain(t, tc.key)
			for _, method := range allMethods() {
				least, known := leastRoles[method]
				may := rank[tc.role] >= rank[least]
				if !known {
					t.Errorf("this test does not know %s", method)
				}
				if may && watching[method] || method == "UploadUpgrade" {
					continue
				}
				status, answer := m.post(t, c, method, "{}")
				refused := status == 401 || status == 403
				if refused == may || refused && status != tc.denied {
					t.Errorf("%s: %d %s", method, status, answer)
				}
			}
		})
	}
}

// TestMoreForMore: some methods answer more to a higher role.
func TestMoreForMore(t *testing.T) {
	m := start(t)
	private := m.allow(t)
	reader, operator, admin := plain(t, private[types.Reader]), plain(t, private[types.Operator]), plain(t, private[types.Admin])
	if _, answer := m.post(t, reader, "ListProcesses", "{}"); !strings.Contains(answer, `"command":"init"`) || strings.Contains(answer, "hidden") {
		t.Errorf("processes for a reader: %s", answer)
	}
	if _, answer := m.post(t, operator, "ListProcesses", "{}"); !strings.Contains(answer, "hidden") {
		t.Errorf("processes for an operator: %s", answer)
	}
	if status, answer := m.post(t, operator, "GetConfig", `{"secrets":true}`); status != 403 || strings.Contains(answer, "c2VjcmV0") {
		t.Errorf("config for an operator: %d %s", status, answer)
	}
	if status, answer := m.post(t, admin, "GetConfig", `{"secrets":true}`); status != 200 || !strings.Contains(answer, "dG9rZW46IHNlY3JldAo=") { // token: secret
		t.Errorf("config for an admin: %d %s", status, answer)
	}
	if status, answer := m.post(t, reader, "GetLogs", `{"container":"a/b"}`); status != 403 {
		t.Errorf("a container's log for a reader: %d %s", status, answer)
	}
	if status, answer := m.post(t, operator, "GetLogs", `{"container":"a/b"}`); status != 404 {
		t.Errorf("a container's log for an operator: %d %s", status, answer)
	}
}

// TestStrangersLearnLittle: the version and the fingerprint.
func TestStrangersLearnLittle(t *testing.T) {
	m := start(t)
	private := m.allow(t)
	_, answer := m.post(t, plain(t, nil), "GetVersion", "{}")
	if want := `{"version":"0.1.0","fingerprint":"` + m.fingerprint + `"}`; strings.ReplaceAll(answer, " ", "") != want {
		t.Errorf("%s, want %s", answer, want)
	}
	if _, answer := m.post(t, plain(t, private[types.Reader]), "GetVersion", "{}"); !strings.Contains(answer, "6.12") {
		t.Errorf("%s", answer)
	}
}

func TestAKeyThatIsTakenAwayIsRefusedAtOnce(t *testing.T) {
	m := start(t)
	c := m.client(t, m.allow(t)[types.Reader])
	status, err := c.WatchStatus(t.Context(), connect.NewRequest(&machinepb.WatchStatusRequest{}))
	if err != nil || !status.Receive() {
		t.Fatal(err, status.Err())
	}
	m.server.Allow(nil, true)
	if status.Receive() || code(status.Err()) != "unauthenticated" {
		t.Errorf("a stream that is open goes on: %v", status.Err())
	}
	if _, err := c.GetStatus(t.Context(), connect.NewRequest(&machinepb.GetStatusRequest{})); code(err) != "unauthenticated" {
		t.Errorf("it still works, on the connection that is open: %v", err)
	}
}

func TestKeylessOnlyBeforeTheConfig(t *testing.T) {
	m := start(t)
	m.server.Allow(nil, false)
	c := plain(t, nil)
	open := map[string]bool{"GetVersion": true, "GetStatus": true, "WatchStatus": true, "WatchHealth": true, "ApplyConfig": true, "ListDisks": true, "GetNetwork": true}
	for _, method := range allMethods() {
		if watching[method] {
			continue
		}
		if status, answer := m.post(t, c, method, "{}"); (status != 401) != open[method] {
			t.Errorf("%s: %d %s", method, status, answer)
		}
	}
	if status, answer := m.post(t, c, "ApplyConfig", `{"config":"eA==","dryRun":true}`); status != 200 || m.last() != "apply x auto by somebody without a key" {
		t.Errorf("%d %s, asked %q", status, answer, m.last())
	}
	m.server.Allow([]types.Key{{Name: "a", Role: types.Admin, Key: keys.Public(generate(t))}}, true)
	for method := range open {
		if status, answer := m.post(t, c, method, "{}"); (status == 401) != (method != "GetVersion") {
			t.Errorf("with a config, %s: %d %s", method, status, answer)
		}
	}
}

// TestTwoFirstConfigs: of two callers without a key, who come at once, one is the first.
func TestTwoFirstConfigs(t *testing.T) {
	m := start(t)
	m.server.Allow(nil, false)
	m.config.release = make(chan struct{})
	statuses := make(chan int, 2)
	apply := func() {
		status, _ := m.post(t, plain(t, nil), "ApplyConfig", `{"config":"eA=="}`)
		statuses <- status
	}
	go apply()
	<-m.config.entered
	go apply()
	m.server.Allow([]types.Key{{Name: "a", Role: types.Admin, Key: keys.Public(generate(t))}}, true) // what the first one does
	close(m.config.release)
	if a, b := <-statuses, <-statuses; a+b != 200+401 {
		t.Errorf("%d and %d", a, b)
	}
}

func TestStreamsOfOneCaller(t *testing.T) {
	m := start(t)
	private := m.allow(t)
	c := m.client(t, private[types.Reader])
	begin := func() error {
		s, err := c.WatchStatus(t.Context(), connect.NewRequest(&machinepb.WatchStatusRequest{}))
		if err != nil {
			return err
		}
		t.Cleanup(func() { s.Close() })
		s.Receive()
		return s.Err()
	}
	for range 8 {
		if err := begin(); err != nil {
			t.Fatal(err)
		}
	}
	if err := begin(); code(err) != "resource_exhausted" {
		t.Errorf("a ninth stream: %v", err)
	}
	c = m.client(t, private[types.Admin])
	if err := begin(); err != nil {
		t.Errorf("another caller: %v", err)
	}
}
