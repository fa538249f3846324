package logs

import (
	"errors"
	"log/slog"
	"testing"
	"time"
)

func TestLine(t *testing.T) {
	r := slog.NewRecord(time.Time{}, slog.LevelWarn, "kube ended", 0)
	r.AddAttrs(slog.Int("pid", 7), slog.Any("error", errors.New("why")))
	if got, want := (Handler{}).line(r), "kube ended: pid 7, why"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	h := Handler{}.WithAttrs([]slog.Attr{slog.String("interface", "eth0")}).(Handler)
	if got, want := h.line(slog.NewRecord(time.Time{}, 0, "up", 0)), "up: interface eth0"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestParseRecord(t *testing.T) {
	for name, tc := range map[string]struct {
		in   string
		want string // as text; empty: no record
		ours bool
	}{
		"kernel":          {"6,339,5140900,-;NET: Registered PF_INET\n SUBSYSTEM=x\n", "[    5.140900] NET: Registered PF_INET\n", false},
		"ours":            {"13,340,12345678,-;machined: milestone config\n", "[   12.345678] machined: milestone config\n", true},
		"kernel about us": {"6,1,0,-;machined: x\n", "[    0.000000] machined: x\n", false},
		"escaped":         {`14,1,0,-;machined: \xe2\x80\xa6` + "\n", "[    0.000000] machined: …\n", true},
		"a later flag":    {"6,1,0,-,caller=T1;x\n", "[    0.000000] x\n", false},
		"nonsense":        {"x", "", false},
		"no number":       {"a,b,c,-;x", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			r, ok := parseRecord(tc.in)
			if ok != (tc.want != "") || ok && (r.String() != tc.want || r.ours() != tc.ours) {
				t.Errorf("%q, ours %v, %v", r.String(), r.ours(), ok)
			}
		})
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add("6,339,5140900,-;text\n A=b\n")
	f.Add(`14,1,0,-;\x`)
	f.Fuzz(func(t *testing.T, s string) { parseRecord(s) })
}
