package command

import (
	"bytes"
	"context"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/crypto/blake2b"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/coracle-os/coracle/images/slot/artifact"
	"github.com/coracle-os/coracle/images/slot/chunks"
	pb "github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/keys"
)

// restart is what a machine does once an upgrade was installed: it starts again.
func (f *fake) restart() {
	f.status.Started = timestamppb.New(f.status.Started.AsTime().Add(time.Hour))
}

func (f *fake) UploadUpgrade(_ context.Context, s *connect.ClientStream[pb.UploadUpgradeRequest]) (*connect.Response[pb.UploadUpgradeResponse], error) {
	var got bytes.Buffer
	for s.Receive() {
		if o := s.Msg().Options; o != nil {
			f.upgrade.options = o
		}
		got.Write(s.Msg().Data)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.upgrade.got = got.Bytes()
	f.restart()
	return connect.NewResponse(&pb.UploadUpgradeResponse{Result: f.upgrade.result}), s.Err()
}

func (f *fake) PullUpgrade(_ context.Context, r *connect.Request[pb.PullUpgradeRequest], s *connect.ServerStream[pb.PullUpgradeResponse]) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.upgrade.source = r.Msg.Source
	if r.Msg.At != nil {
		return nil
	}
	f.restart()
	s.Send(&pb.PullUpgradeResponse{Progress: &pb.UpgradeProgress{Step: "write", DoneBytes: 1, TotalBytes: 2}})
	return s.Send(&pb.PullUpgradeResponse{Result: f.upgrade.result})
}

func (f *fake) GetUpgrade(context.Context, *connect.Request[pb.GetUpgradeRequest]) (*connect.Response[pb.GetUpgradeResponse], error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return connect.NewResponse(f.upgrade.state), nil
}

func (f *fake) Rollback(context.Context, *connect.Request[pb.RollbackRequest]) (*connect.Response[pb.RollbackResponse], error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.restart()
	return connect.NewResponse(&pb.RollbackResponse{Result: f.upgrade.result}), nil
}

func (f *fake) CancelUpgrade(context.Context, *connect.Request[pb.CancelUpgradeRequest]) (*connect.Response[pb.CancelUpgradeResponse], error) {
	return connect.NewResponse(&pb.CancelUpgradeResponse{Cancelled: "staged"}), nil
}

// fakeUpgrade is what a fake machine does with upgrades.
type fakeUpgrade struct {
	result  *pb.UpgradeResult
	state   *pb.GetUpgradeResponse
	options *pb.UpgradeOptions
	source  string
	got     []byte
}

const digest = "0123456789abcdef"

func slotsOf(running string) []*pb.Slot {
	return []*pb.Slot{
		{Name: "a", Version: "0.1.0", State: map[bool]string{true: "running", false: "whole"}[running == "a"], Active: running == "a", Kubernetes: "v1.37.2"},
		{Name: "b", Version: "0.2.0", State: map[bool]string{true: "running", false: "whole"}[running == "b"], Active: running == "b", Digest: digest, Kubernetes: "v1.37.2"},
	}
}

func confirmedUpgrade() fakeUpgrade {
	return fakeUpgrade{
		result: &pb.UpgradeResult{Version: "0.2.0", Slot: "b", Digest: digest, Reboot: true, SignedBy: "SHA256:x", FetchedBytes: 1000, SavedBytes: 9000},
		state:  &pb.GetUpgradeResponse{Slots: slotsOf("b"), Last: &pb.UpgradeOutcome{Version: "0.2.0", Digest: digest, Result: "confirmed", Time: at}},
	}
}

func rolledBackUpgrade() fakeUpgrade {
	u := confirmedUpgrade()
	last := &pb.UpgradeOutcome{Version: "0.2.0", Digest: digest, Result: "rolled back", Reason: "kube does not answer", Time: at}
	u.state = &pb.GetUpgradeResponse{Slots: slotsOf("a"), Last: last, Refused: []*pb.UpgradeOutcome{last}}
	return u
}

// artifactFile makes an artifact, and the index of its chunks.
func (d *desk) artifactFile(name string) string {
	d.t.Helper()
	image := bytes.Repeat([]byte("slot"), 100_000)
	var packed, file bytes.Buffer
	index, err := chunks.Pack(&packed, bytes.NewReader(image))
	if err != nil {
		d.t.Fatal(err)
	}
	text, err := index.MarshalBinary()
	if err != nil {
		d.t.Fatal(err)
	}
	part := func(b []byte) artifact.Part {
		sum := blake2b.Sum256(b)
		return artifact.Part{Size: uint64(len(b)), Hash: hex.EncodeToString(sum[:])}
	}
	manifest, err := artifact.Manifest{
		Format: 1, Version: "0.2.0", Arch: "amd64", Kubernetes: "v1.37.2", Kernel: "6.12", Built: 1_790_000_000, DataFormat: 1,
		RootHash: strings.Repeat("0", 64), Image: part(image), Packed: part(packed.Bytes()), Index: part(text),
	}.Marshal()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := artifact.Write(&file, manifest, artifact.Sign(manifest, d.key), bytes.NewReader(packed.Bytes()), int64(packed.Len()), time.Unix(0, 0)); err != nil {
		d.t.Fatal(err)
	}
	d.file(name+artifact.IndexEnding, string(text))
	return d.file(name, file.String())
}

func TestUpgrade(t *testing.T) {
	for name, tc := range map[string]struct {
		args    string
		upgrade fakeUpgrade
		code    int
		stderr  []string
	}{
		"confirmed":        {"upgrade x.slot", confirmedUpgrade(), 0, []string{"is in slot b, signed by SHA256:x", "version 0.2.0 is confirmed"}},
		"rolled back":      {"upgrade x.slot", rolledBackUpgrade(), exitFailed, []string{"version 0.2.0 was rolled back: kube does not answer"}},
		"fetched":          {"upgrade https://h/x.slot", confirmedUpgrade(), 0, []string{"had 8.8 KiB already", "is confirmed"}},
		"later":            {"upgrade --at 2026-12-01T03:00:00Z https://h/x.slot", confirmedUpgrade(), 0, []string{"fetches https://h/x.slot at 2026-12-01"}},
		"not waited for":   {"upgrade --no-wait x.slot", rolledBackUpgrade(), 0, []string{"slots says how the trial goes"}},
		"back":             {"rollback", confirmedUpgrade(), 0, []string{"goes back to version 0.2.0", "is confirmed"}},
		"cancel":           {"upgrade cancel", confirmedUpgrade(), 0, []string{"the upgrade that was staged is cancelled"}},
		"later, of a file": {"upgrade --at 2026-12-01T03:00:00Z x.slot", confirmedUpgrade(), exitUsage, []string{"--at is for an address"}},
		"no time":          {"upgrade --at tonight https://h/x.slot", confirmedUpgrade(), exitUsage, []string{"is not a time"}},
		"no artifact":      {"upgrade not.slot", confirmedUpgrade(), exitUsage, []string{"make slot"}},
		"damaged":          {"upgrade damaged.slot", confirmedUpgrade(), exitUsage, []string{"damaged.slot: its image is", "get it again"}},
		"cut off":          {"upgrade short.slot", confirmedUpgrade(), exitUsage, []string{"short.slot", "get it again"}},
		"no file":          {"upgrade missing.slot", confirmedUpgrade(), exitUsage, []string{"missing.slot"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			f := newFake(t, "edge-1")
			f.upgrade = tc.upgrade
			d.know(map[string]*fake{"edge-1": f})
			file := d.artifactFile("x.slot")
			d.file("not.slot", strings.Repeat("no artifact", 100))
			whole, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			d.file("short.slot", string(whole[:inImage(whole)+20]))
			whole[inImage(whole)+20] ^= 1
			d.file("damaged.slot", string(whole))
			out, stderr, code := d.run(strings.Fields(tc.args)...)
			if code != tc.code || out != "" {
				t.Errorf("exit code %d, want %d; stdout %q, stderr:\n%s", code, tc.code, out, stderr)
			}
			for _, part := range tc.stderr {
				if !strings.Contains(stderr, part) {
					t.Errorf("stderr lacks %q:\n%s", part, stderr)
				}
			}
			if code == exitUsage && len(f.upgrade.got) > 0 {
				t.Errorf("%d bytes were sent", len(f.upgrade.got))
			}
			if want, _ := os.ReadFile(file); code == 0 && strings.HasSuffix(tc.args, " x.slot") && !bytes.Equal(f.upgrade.got, want) {
				t.Errorf("%d bytes arrived of %d", len(f.upgrade.got), len(want))
			}
		})
	}
}

// inImage is where an artifact's image begins: behind its header in the tar.
func inImage(whole []byte) int {
	return bytes.Index(whole, []byte(artifact.ImageName))/512*512 + 512
}

// One after the other, and none after one that fails.
func TestUpgradeInTurn(t *testing.T) {
	d := newDesk(t)
	one, two, three := newFake(t, "a"), newFake(t, "b"), newFake(t, "c")
	one.upgrade, two.upgrade, three.upgrade = confirmedUpgrade(), rolledBackUpgrade(), confirmedUpgrade()
	d.know(map[string]*fake{"a": one, "b": two, "c": three})
	d.artifactFile("x.slot")
	_, stderr, code := d.run("-n", "a,b,c", "upgrade", "--serial", "x.slot")
	if code != exitFailed || !strings.Contains(stderr, "c: nothing was done") || three.upgrade.got != nil || one.upgrade.got == nil {
		t.Errorf("exit code %d, stderr:\n%s", code, stderr)
	}
}

func TestSlots(t *testing.T) {
	d := newDesk(t)
	f := newFake(t, "edge-1")
	f.upgrade = rolledBackUpgrade()
	f.upgrade.state.Progress = &pb.UpgradeProgress{Step: "write", DoneBytes: 1 << 20, TotalBytes: 4 << 20}
	f.upgrade.state.TrialRemaining = durationpb.New(time.Minute)
	d.know(map[string]*fake{"edge-1": f})
	out := d.must("slots")
	for _, part := range []string{"a     0.1.0    running  yes", "under way  write 1.0 MiB of 4.0 MiB (25 %)", "rolled back in 1m", "refused", "kube does not answer"} {
		if !strings.Contains(out, part) {
			t.Errorf("no %q in:\n%s", part, out)
		}
	}
	if out := d.must("slots", "-o", "json"); !strings.Contains(out, `"state": "running"`) && !strings.Contains(out, `"state":"running"`) {
		t.Errorf("got:\n%s", out)
	}
}

func TestSlotFiles(t *testing.T) {
	d := newDesk(t)
	path := d.artifactFile("x.slot")
	trust := keys.Public(d.key).String()
	if out := d.must("slot", "inspect", path); !strings.Contains(out, "0.2.0") || !strings.Contains(out, keys.Public(d.key).Fingerprint()) {
		t.Errorf("got:\n%s", out)
	}
	if out := d.must("slot", "inspect", path, "-o", "json"); !strings.Contains(out, `"digest"`) || !strings.Contains(out, `"rootHash"`) {
		t.Errorf("got:\n%s", out)
	}
	d.file("keys", "# whom we trust\n"+trust+" releases\n")
	d.must("slot", "verify", path, "--trust", trust)
	d.must("slot", "verify", path, "--trust-file", "keys")
	stranger, err := keys.Generate()
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := inImage(whole) + 20
	for name, tc := range map[string]struct {
		trust  string
		change func(b []byte) []byte
		stderr string
	}{
		"nobody is trusted": {"", func(b []byte) []byte { return b }, "whose signature is trusted"},
		"a stranger":        {keys.Public(stranger).String(), func(b []byte) []byte { return b }, "signed by nobody who is trusted"},
		"damaged":           {trust, func(b []byte) []byte { b[at] ^= 1; return b }, "damaged|not the one that was signed"},
		"cut off":           {trust, func(b []byte) []byte { return b[:at] }, ""},
	} {
		changed := d.file("changed.slot", string(tc.change(bytes.Clone(whole))))
		args := []string{"slot", "verify", changed}
		if tc.trust != "" {
			args = append(args, "--trust", tc.trust)
		}
		_, stderr, code := d.run(args...)
		says := false
		for _, part := range strings.Split(tc.stderr, "|") {
			says = says || strings.Contains(stderr, part)
		}
		if code == 0 || !says {
			t.Errorf("%s: exit code %d, %s", name, code, stderr)
		}
	}
	d.file("x.slot.index", "another")
	if _, stderr, code := d.run("slot", "verify", path, "--trust", trust); code == 0 || !strings.Contains(stderr, filepath.Base(path)+".index is not the index") {
		t.Errorf("another index: exit code %d, %s", code, stderr)
	}
}
