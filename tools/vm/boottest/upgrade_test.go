package boottest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/images/slot/artifact"
	"github.com/coracle-os/coracle/machined/api/client"
	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/keys"
	"github.com/coracle-os/coracle/tools/vm/disk"
)

const (
	uploadWithin  = 10 * time.Minute // 120 MB through an emulated network card, and twice through a hash
	confirmWithin = 10 * time.Minute // the default deadline of a trial
)

// upload sends an artifact to the machine, as `coraclectl upgrade FILE` does.
func upload(ctx context.Context, api *client.Client, artifact io.Reader, o *machinepb.UpgradeOptions) (*machinepb.UpgradeResult, error) {
	stream := api.UploadUpgrade(ctx)
	message := &machinepb.UploadUpgradeRequest{Options: o}
	block := make([]byte, 256<<10)
	for {
		n, err := io.ReadFull(artifact, block)
		message.Data = block[:n]
		if sent := stream.Send(message); errors.Is(sent, io.EOF) {
			break // the machine has answered already
		} else if sent != nil {
			return nil, sent
		}
		message = &machinepb.UploadUpgradeRequest{}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	answer, err := stream.CloseAndReceive()
	if err != nil {
		return nil, err
	}
	return answer.Msg.Result, nil
}

// push uploads the artifact in a file.
func (l *lab) push(api *client.Client, path string, o *machinepb.UpgradeOptions) (*machinepb.UpgradeResult, error) {
	l.Helper()
	f, err := os.Open(path)
	if err != nil {
		l.Fatal(err)
	}
	defer f.Close()
	return upload(l.within(uploadWithin), api, f, o)
}

// upgradeTo pushes an artifact that the machine has to take, and waits until it has restarted into it.
func (l *lab) upgradeTo(api *client.Client, path string) *machinepb.UpgradeResult {
	l.Helper()
	began := time.Now()
	result, err := l.push(api, path, nil)
	if err != nil {
		l.Fatalf("upgrade with %s: %v", path, err)
	}
	l.Logf("version %s is in slot %s after %.1f s, signed by %s", result.Version, result.Slot, time.Since(began).Seconds(), result.SignedBy)
	if !result.Reboot {
		l.Errorf("the machine does not restart: %v", result)
	}
	l.restarted()
	return result
}

// restarted waits until the machine has restarted: QEMU ends then, with its disk as it was left.
func (l *lab) restarted() {
	l.Helper()
	select {
	case <-l.machine.Ended():
	case <-l.within(readyWithin).Done():
		l.Fatalf("the machine does not restart:\n%s", l.machine.Console.Tail(40))
	}
}

// upgradeState is what the machine says of its slots.
func (l *lab) upgradeState(api *client.Client) *machinepb.GetUpgradeResponse {
	l.Helper()
	answer, err := api.GetUpgrade(l.within(answerWithin), connect.NewRequest(&machinepb.GetUpgradeRequest{}))
	if err != nil {
		l.Fatal(err)
	}
	return answer.Msg
}

// confirmed waits until the running version is the active one.
func (l *lab) confirmed(api *client.Client, version string) {
	l.Helper()
	ctx := l.within(confirmWithin)
	for {
		s := l.upgradeState(api)
		if i := slices.IndexFunc(s.Slots, func(s *machinepb.Slot) bool { return s.State == "running" && s.Active && s.Version == version }); i >= 0 && s.TrialRemaining == nil {
			return
		}
		select {
		case <-time.After(2 * time.Second):
		case <-l.machine.Ended():
			l.Fatalf("the machine restarted and did not keep %s; last said: %v", version, s)
		case <-ctx.Done():
			l.Fatalf("%s is not confirmed: %v", version, s)
		}
	}
}

// rolledBack wants the machine to run version, and to say that it rolled back and why.
func (l *lab) rolledBack(api *client.Client, version string, reason *regexp.Regexp) {
	l.Helper()
	if s := l.status(api); s.Version != version {
		l.Errorf("the machine runs %s, want %s", s.Version, version)
	}
	s := l.upgradeState(api)
	if s.Last == nil || s.Last.Result != "rolled back" || !reason.MatchString(s.Last.Reason) {
		l.Errorf("the last upgrade ended with %v, want rolled back: %v", s.Last, reason)
	}
	l.Logf("rolled back: %s", s.Last.GetReason())
	l.says(`machined: .*[Rr]olled back`)
}

// TestUpgrade brings a machine with work on it to the next version, and not to those that are no good.
func TestUpgrade(t *testing.T) {
	trialLab(t, func(l *lab) {
		next := built(l.T, nextVersion)
		l.bootReady(l.standard())
		l.apply("workload.yaml")
		l.wait("rollout", "status", "deployment/writer")
		api := l.api()
		before := l.identity()
		l.sub("Refused", func(l *lab) { testRefusedArtifacts(l, api, next) })

		synced := l.syncedCount()
		l.upgradeTo(api, next.path)
		l.bootReady(l.standard())
		api = l.api()
		if s := l.status(api); s.Version != next.version || s.Slot != "b" {
			l.Fatalf("runs version %s in slot %s, want %s in b", s.Version, s.Slot, next.version)
		}
		l.confirmed(api, next.version)
		if after := l.identity(); after != before {
			l.Errorf("after the upgrade the identity is %+v, was %+v", after, before)
		}
		l.wait("rollout", "status", "deployment/writer")
		if n := l.syncedCount(); n < synced {
			l.Errorf("the writer had synced %d, and is at %d now", synced, n)
		}

		broken := remake(l.T, l.dev.Dir, next, "0.2.2", brokenRoot)
		l.upgradeTo(api, broken.path)
		l.boot(l.standard())
		l.restarted() // by itself
		l.boot(l.standard())
		api = l.api()
		l.rolledBack(api, next.version, regexp.MustCompile(`not what root hash|I/O error|corrupt`))
		_, err := l.push(api, broken.path, nil)
		l.refused("the artifact that was rolled back", err, connect.CodeFailedPrecondition, "rolled back")
	})
}

// syncedCount waits for the writer's count.
func (l *lab) syncedCount() (n int) {
	l.Helper()
	l.eventually("the writer's count", func() (err error) {
		n, err = l.count()
		return err
	})
	return n
}

// testRefusedArtifacts pushes what the machine must not take.
func testRefusedArtifacts(l *lab, api *client.Client, next candidate) {
	good, err := os.ReadFile(next.path)
	if err != nil {
		l.Fatal(err)
	}
	key := signer(l.T)
	stranger, err := keys.Generate()
	if err != nil {
		l.Fatal(err)
	}
	idle := func() string {
		p, err := disk.Partition(l.dev.Disk(), disk.SlotB)
		if err != nil {
			l.Fatal(err)
		}
		f, err := os.Open(l.dev.Disk())
		if err != nil {
			l.Fatal(err)
		}
		defer f.Close()
		return part(l.T, io.NewSectionReader(f, p.Start, p.Size)).Hash
	}
	before := idle()
	other := map[bool]string{true: "arm64", false: "amd64"}[l.arch == "amd64"]
	for _, c := range []struct {
		name, reason string
		writes       bool // it is found out when the slot is being written
		artifact     func() []byte
	}{
		{"flipped bit in the manifest", "", false, func() []byte { return flipped(good, 600) }},
		{"unsigned", "not signed", false, func() []byte { return l.changed(next, nil, func(*artifact.Manifest) {}) }},
		{"signed by a stranger", keys.Public(stranger).Fingerprint(), false, func() []byte { return l.changed(next, stranger, func(*artifact.Manifest) {}) }},
		{"other architecture", "for " + other, false, func() []byte { return l.changed(next, key, func(m *artifact.Manifest) { m.Arch = other }) }},
		{"other flavour", "of the image rpi5", false, func() []byte { return l.changed(next, key, func(m *artifact.Manifest) { m.Flavour = "rpi5" }) }},
		{"older version", "older", false, func() []byte { return l.changed(next, key, func(m *artifact.Manifest) { m.Version = "0.0.1" }) }},
		{"too large", "too large", false, func() []byte { return l.changed(next, key, func(m *artifact.Manifest) { m.Image.Size = 1 << 30 }) }},
		{"Kubernetes two versions on", "one minor version", false, func() []byte { return l.changed(next, key, func(m *artifact.Manifest) { m.Kubernetes = "v1.39.0" }) }},
		{"no artifact at all", "", false, func() []byte { return []byte(strings.Repeat("no artifact ", 10_000)) }},
		{"cut off", "ends early", true, func() []byte { return good[:len(good)/8] }},
		{"flipped bit in the image", "", true, func() []byte { return flipped(good, len(good)/8) }},
	} {
		_, err := upload(l.within(uploadWithin), api, bytes.NewReader(c.artifact()), nil)
		if err == nil || !strings.Contains(err.Error(), c.reason) {
			l.Errorf("%s: %v, want a refusal with %q", c.name, err, c.reason)
			continue
		}
		l.Logf("%s: %v", c.name, err)
		if !c.writes && idle() != before {
			l.Errorf("%s: the slot was written to", c.name)
		}
	}
	// What was cut off or damaged behind its signature left a slot that counts for nothing.
	s := l.upgradeState(api)
	if s.TrialRemaining != nil || len(s.Slots) != 2 || s.Slots[1].State != "empty" || s.Slots[0].State != "running" || !s.Slots[0].Active {
		l.Errorf("the slots are %v", s)
	}
}

func flipped(b []byte, at int) []byte {
	b = slices.Clone(b)
	b[at] ^= 1
	return b
}
