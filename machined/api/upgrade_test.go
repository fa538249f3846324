package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/update"
)

// upgrader notes what is asked of it. It reads what is uploaded, as far as it wants.
type upgrader struct {
	*machine
	want int64 // bytes that it reads before it refuses; 0: all, and it does not refuse
	got  int64
}

func (u *upgrader) Install(ctx context.Context, s update.Source, o update.Options, report func(update.Progress)) (update.Result, error) {
	body, err := s.Artifact(ctx)
	if err != nil {
		return update.Result{}, err
	}
	if u.want > 0 {
		u.got, _ = io.CopyN(io.Discard, body, u.want)
		return update.Result{}, &update.Refusal{Check: "signature", Why: "the artifact is not signed"}
	}
	u.got, err = io.Copy(io.Discard, body)
	u.note(fmt.Sprintf("install by %s, stage %v, force %v", o.By, o.Stage, o.Force))
	return update.Result{Version: "0.2.0", Slot: "b", Reboot: !o.Stage}, err
}

func (u *upgrader) Pull(_ context.Context, source string, at time.Time, o update.Options, report func(update.Progress)) (update.Result, error) {
	report(update.Progress{Step: update.StepWrite, Done: 1, Total: 2})
	u.note(fmt.Sprintf("pull %s by %s, later %v", source, o.By, !at.IsZero()))
	return update.Result{Version: "0.2.0", Fetched: 7, Saved: 9}, nil
}

func (u *upgrader) Rollback(_ context.Context, o update.Options) (update.Result, error) {
	return update.Result{}, update.ErrOnTrial
}

func (u *upgrader) Cancel() (string, error) {
	return "", errors.New("no upgrade is staged or scheduled")
}

func (u *upgrader) Status() (update.Status, error) {
	return update.Status{
		Slots:     []update.Slot{{Name: "a", Version: "0.1.0", State: update.SlotTrial, Active: true}},
		Remaining: time.Minute, Last: &update.Outcome{Version: "0.2.0", Result: update.ResultRolledBack, Reason: "it hung"},
	}, nil
}

func startUpgradable(t *testing.T) (*machine, *upgrader) {
	m := start(t)
	u := &upgrader{machine: m}
	m.server.Backend.Upgrade = u
	return m, u
}

func TestUpload(t *testing.T) {
	m, u := startUpgradable(t)
	private := m.allow(t)
	const size = 5 << 20 // far more than any other request may have
	for role, tc := range map[types.KeyRole]struct {
		options *machinepb.UpgradeOptions
		code    string
	}{
		types.Reader:   {nil, "permission_denied"},
		types.Operator: {&machinepb.UpgradeOptions{Force: true}, "permission_denied"},
		types.Admin:    {&machinepb.UpgradeOptions{Force: true, Stage: true}, ""},
	} {
		u.got = 0
		answer, err := upload(m.client(t, private[role]).UploadUpgrade(t.Context()), size, tc.options)
		if err == nil && tc.code != "" || err != nil && code(err) != tc.code {
			t.Errorf("%s: %v, want %s", role, err, tc.code)
		}
		if tc.code == "" && (u.got != size || answer.Result.GetVersion() != "0.2.0" || m.last() != "install by anna, stage true, force true") {
			t.Errorf("%s: %d bytes arrived, asked %q, answer %v", role, u.got, m.last(), answer)
		}
	}
}

// A caller who still sends hears why nothing is wanted of it.
func TestUploadIsRefusedEarly(t *testing.T) {
	m, u := startUpgradable(t)
	u.want = 1000
	_, err := upload(m.client(t, m.allow(t)[types.Operator]).UploadUpgrade(t.Context()), 20<<20, nil)
	if code(err) != "failed_precondition" || !strings.Contains(err.Error(), "is not signed") {
		t.Errorf("%v", err)
	}
}

// upload sends so many bytes.
func upload(stream *connect.ClientStreamForClient[machinepb.UploadUpgradeRequest, machinepb.UploadUpgradeResponse], size int, o *machinepb.UpgradeOptions) (*machinepb.UploadUpgradeResponse, error) {
	block := make([]byte, 256<<10)
	for sent := 0; sent < size; sent += len(block) {
		r := &machinepb.UploadUpgradeRequest{Data: block}
		if sent == 0 {
			r.Options = o
		}
		if err := stream.Send(r); err != nil {
			break
		}
	}
	answer, err := stream.CloseAndReceive()
	if err != nil {
		return nil, err
	}
	return answer.Msg, nil
}

func TestPullAndStatus(t *testing.T) {
	m, _ := startUpgradable(t)
	private := m.allow(t)
	c := m.client(t, private[types.Operator])
	stream, err := c.PullUpgrade(t.Context(), connect.NewRequest(&machinepb.PullUpgradeRequest{Source: "https://h/x.slot"}))
	if err != nil {
		t.Fatal(err)
	}
	var last *machinepb.PullUpgradeResponse
	messages := 0
	for stream.Receive() {
		last = stream.Msg()
		messages++
	}
	if stream.Err() != nil || messages != 2 || last.Result.GetSavedBytes() != 9 {
		t.Errorf("%d messages, the last %v, %v", messages, last, stream.Err())
	}
	later, err := c.PullUpgrade(t.Context(), connect.NewRequest(&machinepb.PullUpgradeRequest{Source: "https://h/x.slot", At: timestamppb.Now()}))
	if err != nil {
		t.Fatal(err)
	}
	for later.Receive() {
		if later.Msg().Result != nil {
			t.Errorf("an upgrade that is to come has a result: %v", later.Msg())
		}
	}
	if later.Err() != nil || m.last() != "pull https://h/x.slot by otto, later true" {
		t.Errorf("asked %q, %v", m.last(), later.Err())
	}
	u, err := m.client(t, private[types.Reader]).GetUpgrade(t.Context(), connect.NewRequest(&machinepb.GetUpgradeRequest{}))
	if err != nil || u.Msg.TrialRemaining.AsDuration() != time.Minute || u.Msg.Last.GetReason() != "it hung" || u.Msg.Slots[0].State != "trial" {
		t.Errorf("%v, %v", u, err)
	}
	if _, err := c.Rollback(t.Context(), connect.NewRequest(&machinepb.RollbackRequest{})); code(err) != "aborted" {
		t.Errorf("back during a trial: %v", err)
	}
}
