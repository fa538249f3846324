package boottest

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/coracle-os/coracle/machined/api/client"
	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/keys"
	"github.com/coracle-os/coracle/tools/vm/device"
)

// answerWithin is how long a machine without acceleration may take to answer a call.
const answerWithin = time.Minute

// api is the owner's connection to the machine.
func (l *lab) api() *client.Client {
	l.Helper()
	api, err := l.dev.API(l.within(readyWithin), l.machine)
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(api.Close)
	return api
}

// applyConfig applies a config, whatever comes of it.
func applyConfig(ctx context.Context, api *client.Client, r *machinepb.ApplyConfigRequest) (*machinepb.ApplyConfigResponse, error) {
	answer, err := api.ApplyConfig(ctx, connect.NewRequest(r))
	if err != nil {
		return nil, err
	}
	return answer.Msg, nil
}

// patch changes the config, and the change has to be accepted.
func (l *lab) patch(api *client.Client, patch string) *machinepb.ApplyConfigResponse {
	l.Helper()
	began := time.Now()
	answer, err := api.PatchConfig(l.within(answerWithin), connect.NewRequest(&machinepb.PatchConfigRequest{Patch: []byte(patch)}))
	if err != nil {
		l.Fatalf("%s: %v", patch, err)
	}
	l.Logf("%s: applied in %.2f s, effects %q", patch, time.Since(began).Seconds(), answer.Msg.Effects)
	return answer.Msg
}

func (l *lab) status(api *client.Client) *machinepb.Status {
	l.Helper()
	answer, err := api.GetStatus(l.within(answerWithin), connect.NewRequest(&machinepb.GetStatusRequest{}))
	if err != nil {
		l.Fatal(err)
	}
	return answer.Msg.Status
}

// refused wants a call to end with an error of that code, with part in its text.
func (l *lab) refused(what string, err error, code connect.Code, part string) {
	l.Helper()
	if connect.CodeOf(err) != code || !strings.Contains(fmt.Sprint(err), part) {
		l.Errorf("%s: %v; want %v with %q", what, err, code, part)
	}
}

// TestMachineConfig owns a machine over its API alone, from the first contact on.
func TestMachineConfig(t *testing.T) {
	newLab(t, diskSize, func(l *lab) {
		l.boot(l.standard())
		api := l.api()
		l.sub("FirstContact", func(l *lab) { testFirstContact(l, api) })
		l.milestone("node-ready", readyWithin)
		l.fetchKubeconfig()
		l.apply("workload.yaml")
		l.wait("wait", "--for=condition=Ready", "pod/client")
		for _, part := range []struct {
			name string
			test func(*lab, *client.Client)
		}{
			{"Live", testLiveChanges},
			{"Refused", testRefusedConfigs},
			{"Try", testTry},
			{"Hostile", testHostileCallers},
		} {
			l.sub(part.name, func(l *lab) { part.test(l, api) })
		}
		testStaged(l, api)
		testReset(l)
	})
}

// testFirstContact gives a machine that has no config its first.
func testFirstContact(l *lab, api *client.Client) {
	ctx := l.within(answerWithin)
	address := l.machine.Address(device.APIPort)
	blind, err := client.New(client.Options{Address: address, Key: l.dev.Key, Fingerprint: "SHA256:" + strings.Repeat("A", 43)})
	if err != nil {
		l.Fatal(err)
	}
	defer blind.Close()
	_, err = blind.GetStatus(ctx, connect.NewRequest(&machinepb.GetStatusRequest{}))
	if err == nil || !strings.Contains(err.Error(), client.ErrOtherMachine.Error()) {
		l.Errorf("another machine than the one that was meant: %v", err)
	}
	if s := l.status(api); s.Config.Source != "" || len(s.Config.Sources) < 5 || slices.ContainsFunc(s.Config.Sources, func(s *machinepb.ConfigSource) bool { return s.Why == "" }) {
		l.Errorf("sources of a machine without a config: %v", s.Config)
	}
	config := l.dev.ServerConfig("")
	_, err = applyConfig(ctx, api, &machinepb.ApplyConfigRequest{Config: bytes.Replace(config, []byte("role: server"), []byte("rolle: server"), 1)})
	l.refused("a misspelt field", err, connect.CodeInvalidArgument, `did you mean "role"?`)
	dry, err := applyConfig(ctx, api, &machinepb.ApplyConfigRequest{Config: config, DryRun: true})
	if err != nil || len(dry.Changes) == 0 || l.status(api).Role != "" {
		l.Errorf("dry run: %v, %v", dry, err)
	}
	if _, err := applyConfig(ctx, api, &machinepb.ApplyConfigRequest{Config: config}); err != nil {
		l.Fatal(err)
	}
	if s := l.status(api); s.Role != "server" || s.Config.Source == "" {
		l.Errorf("status after the first config: %v", s)
	}
	stranger := l.stranger()
	defer stranger.Close()
	_, err = applyConfig(ctx, stranger, &machinepb.ApplyConfigRequest{Config: config})
	l.refused("a stranger's config", err, connect.CodeUnauthenticated, "")
}

// stranger is a connection of somebody whose key the machine does not know.
func (l *lab) stranger() *client.Client {
	l.Helper()
	key, err := keys.Generate()
	if err != nil {
		l.Fatal(err)
	}
	c, err := client.New(client.Options{Address: l.machine.Address(device.APIPort), Key: key})
	if err != nil {
		l.Fatal(err)
	}
	return c
}

// testLiveChanges changes what needs no reboot, and looks for it on the machine.
func testLiveChanges(l *lab, api *client.Client) {
	started := l.status(api).Started.AsTime()
	inMachine := func(command, want string) {
		l.Helper()
		l.eventually(command, func() error {
			got, err := l.inPod("sh", "-c", command)
			if err == nil && strings.TrimSpace(got) != want {
				err = fmt.Errorf("%q, want %q", got, want)
			}
			return err
		})
	}
	l.patch(api, "machine: {sysctls: {vm.swappiness: 7}}")
	inMachine("cat /proc/sys/vm/swappiness", "7")
	l.patch(api, "machine: {sysctls: null}")
	inMachine("cat /proc/sys/vm/swappiness", "60")

	l.patch(api, "machine: {network: {interfaces: [{name: 'e*', dhcp: true, addresses: [192.0.2.77/24]}]}}")
	l.eventually("the static address", func() error {
		if s := l.status(api); !slices.ContainsFunc(s.Addresses, func(a *machinepb.Address) bool { return a.Prefix == "192.0.2.77/24" }) {
			return fmt.Errorf("addresses %v", s.Addresses)
		}
		return nil
	})

	reader, err := keys.Generate()
	if err != nil {
		l.Fatal(err)
	}
	l.patch(api, fmt.Sprintf("machine: {api: {keys: [{name: vm, role: admin, key: %q}, {name: guest, role: reader, key: %q}]}}", keys.Public(l.dev.Key), keys.Public(reader)))
	guest, err := client.New(client.Options{Address: l.machine.Address(device.APIPort), Key: reader})
	if err != nil {
		l.Fatal(err)
	}
	defer guest.Close()
	l.status(guest)
	_, err = guest.Reboot(l.within(answerWithin), connect.NewRequest(&machinepb.RebootRequest{}))
	l.refused("a reader's reboot", err, connect.CodePermissionDenied, "operator")
	l.patch(api, fmt.Sprintf("machine: {api: {keys: [{name: vm, role: admin, key: %q}]}}", keys.Public(l.dev.Key)))
	_, err = guest.GetStatus(l.within(answerWithin), connect.NewRequest(&machinepb.GetStatusRequest{}))
	l.refused("a key that was taken away", err, connect.CodeUnauthenticated, "")

	before := l.runs()
	l.patch(api, "machine: {labels: {example.com/site: harbour}}")
	l.eventually("the label", func() error {
		got, err := l.try("get", "nodes", "-l", "example.com/site=harbour", "-o", "name")
		if err == nil && strings.TrimSpace(got) == "" {
			err = fmt.Errorf("no node has it")
		}
		return err
	})
	after, compared := l.runs(), 0
	for run, was := range before {
		if !strings.HasPrefix(run, "default/client/") {
			continue
		}
		compared++
		if is := after[run]; is != was {
			l.Errorf("%s was %+v and is %+v", run, was, is)
		}
	}
	if compared == 0 {
		l.Errorf("the pod client has no container: %v", before)
	}
	if now := l.status(api).Started.AsTime(); now.Sub(started).Abs() > time.Minute {
		l.Errorf("the machine rebooted: started %v, then %v", started, now)
	}
}

func testRefusedConfigs(l *lab, api *client.Client) {
	for what, tc := range map[string]struct{ patch, part string }{
		"another pod network":        {"cluster: {podCIDR: 10.99.0.0/16}", "cluster.podCIDR cannot change"},
		"another architecture":       {"machine: {arch: arm64}", "the config is for arm64 machines"},
		"no admin any more":          {"machine: {api: {keys: []}}", "no admin any more"},
		"a sysctl that is no number": {"machine: {sysctls: {vm.swappiness: plenty}}", "the one before is in force again"},
	} {
		before := l.status(api).Config.Digest
		_, err := api.PatchConfig(l.within(answerWithin), connect.NewRequest(&machinepb.PatchConfigRequest{Patch: []byte(tc.patch)}))
		if err == nil || !strings.Contains(err.Error(), tc.part) {
			l.Errorf("%s: %v, want %q", what, err, tc.part)
		}
		if after := l.status(api).Config.Digest; after != before {
			l.Errorf("%s: the config was %s and is %s", what, before, after)
		}
	}
}

// testTry tries a config that cuts the network off. Nobody can confirm it, so it is taken back.
func testTry(l *lab, api *client.Client) {
	before := l.status(api).Config.Digest
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second) // the answer does not arrive
	defer cancel()
	api.PatchConfig(ctx, connect.NewRequest(&machinepb.PatchConfigRequest{
		Patch: []byte("machine: {network: {interfaces: [{name: none0, dhcp: true}]}}"),
		Mode:  machinepb.ApplyMode_APPLY_MODE_TRY, TryFor: durationpb.New(20 * time.Second),
	}))
	l.says(`machined: .*the config that was tried is taken back`)
	l.eventually("the machine on the network again", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		s, err := api.GetStatus(ctx, connect.NewRequest(&machinepb.GetStatusRequest{}))
		if err == nil && s.Msg.Status.Config.Digest != before {
			err = fmt.Errorf("the config is %s, was %s", s.Msg.Status.Config.Digest, before)
		}
		return err
	})
	if _, err := api.PatchConfig(l.within(answerWithin), connect.NewRequest(&machinepb.PatchConfigRequest{
		Patch: []byte("machine: {sysctls: {vm.swappiness: 9}}"), Mode: machinepb.ApplyMode_APPLY_MODE_TRY, TryFor: durationpb.New(10 * time.Minute),
	})); err != nil {
		l.Fatal(err)
	}
	if l.status(api).Config.Trying == nil {
		l.Error("the status does not say that a config is tried")
	}
	if _, err := api.ConfirmConfig(l.within(answerWithin), connect.NewRequest(&machinepb.ConfirmConfigRequest{})); err != nil {
		l.Error(err)
	}
	if s := l.status(api).Config; s.Trying != nil || s.Digest == before {
		l.Errorf("after the confirmation: %v", s)
	}
}

// testHostileCallers has strangers send and hold what they can, while the owner works.
func testHostileCallers(l *lab, api *client.Client) {
	address := l.machine.Address(device.APIPort)
	var idle []net.Conn
	defer func() {
		for _, c := range idle {
			c.Close()
		}
	}()
	dialled := make(chan net.Conn)
	for range 50 {
		go func() {
			for range 20 {
				c, _ := net.DialTimeout("tcp", address, 5*time.Second)
				dialled <- c
			}
		}()
	}
	for range 50 * 20 {
		if c := <-dialled; c != nil {
			idle = append(idle, c)
		}
	}
	if len(idle) < 500 { // some are closed before they are made: others took their places
		l.Errorf("only %d connections could be made", len(idle))
	}
	l.eventually("an answer beside 1000 idle connections", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_, err := api.GetVersion(ctx, connect.NewRequest(&machinepb.GetVersionRequest{}))
		return err
	})
	stranger := l.stranger()
	defer stranger.Close()
	_, err := applyConfig(l.within(workWithin), stranger, &machinepb.ApplyConfigRequest{Config: make([]byte, 100<<20)})
	if err == nil {
		l.Error("a stranger's config of 100 MB was taken")
	}
	if conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}); err == nil {
		fmt.Fprintf(conn, "POST /coracle.machine.v1alpha1.MachineService/ApplyConfig HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"conf")
		conn.Close()
	}
	l.status(api)
	l.eventually("Kubernetes is well", func() error { // its check of the datastore has two seconds, few on a busy host
		_, err := l.try("get", "--raw", "/readyz")
		return err
	})
}

// testStaged has a config take effect at the next boot.
func testStaged(l *lab, api *client.Client) {
	if _, err := api.PatchConfig(l.within(answerWithin), connect.NewRequest(&machinepb.PatchConfigRequest{
		Patch: []byte("machine: {sysctls: {vm.swappiness: 11}}"), Mode: machinepb.ApplyMode_APPLY_MODE_STAGED,
	})); err != nil {
		l.Fatal(err)
	}
	staged := l.status(api).Config.StagedDigest
	if staged == "" {
		l.Fatal("the status does not say that a config is staged")
	}
	l.machine.PullPlug()
	l.boot(l.standard())
	l.sub("Staged", func(l *lab) {
		if s := l.status(l.api()).Config; s.Digest != staged || s.StagedDigest != "" {
			l.Errorf("after the boot: %v, want %s", s, staged)
		}
	})
}

// testReset takes the machine's config away.
func testReset(l *lab) {
	api := l.api()
	name := l.status(api).Name
	_, err := api.Reset(l.within(answerWithin), connect.NewRequest(&machinepb.ResetRequest{Name: "another", WipeData: true}))
	l.refused("the reset of another machine", err, connect.CodeInvalidArgument, "give the machine's name")
	if _, err := api.Reset(l.within(answerWithin), connect.NewRequest(&machinepb.ResetRequest{Name: name, WipeData: true, Shutdown: true})); err != nil {
		l.Fatal(err)
	}
	select {
	case <-l.machine.Ended():
	case <-l.within(shutDownIn).Done():
		l.Fatal("the machine does not power off")
	}
	l.boot(l.standard())
	l.sub("Reset", func(l *lab) {
		l.says(`machined: making the file system of`)
		if s := l.status(l.api()); s.Role != "" {
			l.Errorf("after the reset: %v", s)
		}
	})
}

// TestPulledWhileApplying pulls the plug at random moments while configs are applied. The machine has the last that it
// confirmed, or the one after that, whole.
func TestPulledWhileApplying(t *testing.T) {
	n := 3
	inLab, hardware := serverLab, (*lab).standard
	if all() { // many, and with the light image, in which a boot takes seconds
		n, inLab, hardware = 50, lightLab, (*lab).small
	}
	inLab(t, func(l *lab) {
		l.boot(hardware(l))
		api := l.api()
		last, configs := l.status(api).Config.Digest, 0
		for pull := range pulls(t, n) {
			ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond+rand.N(1500*time.Millisecond))
			next := ""
			for ctx.Err() == nil {
				configs++
				config := l.dev.ServerConfig(fmt.Sprintf("  sysctls: {vm.swappiness: %d}\n", configs%100))
				dry, err := applyConfig(ctx, api, &machinepb.ApplyConfigRequest{Config: config, DryRun: true})
				if err != nil {
					break
				}
				next = dry.Digest
				if _, err := applyConfig(ctx, api, &machinepb.ApplyConfigRequest{Config: config}); err != nil {
					break
				}
				last = next
			}
			cancel()
			l.machine.PullPlug()
			l.boot(hardware(l))
			api = l.api()
			s := l.status(api).Config
			if s.Digest != last && s.Digest != next {
				l.Fatalf("pull %d: the config is %s, the last that was confirmed %s, the one after that %s", pull, s.Digest, last, next)
			}
			l.Logf("pull %d after %d configs: %s", pull, configs, map[bool]string{true: "the last", false: "the next"}[s.Digest == last])
			last = s.Digest
		}
	})
}
