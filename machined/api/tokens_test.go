package api_test

import (
	"strings"
	"testing"

	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/state"
)

func TestTokens(t *testing.T) {
	m := start(t)
	admin := plain(t, m.allow(t)[types.Admin])
	for name, tc := range map[string]struct {
		method, body string
		status       int
		answer       string // part of it
		asked        string // of the machine; empty: nothing
	}{
		"a day":             {"CreateToken", `{"description":"harbour"}`, 200, `"coracle1.x"`, `create token "harbour" for 24h0m0s`},
		"an hour":           {"CreateToken", `{"ttl":"3600s"}`, 200, `"192.0.2.7:6443"`, `create token "" for 1h0m0s`},
		"for ever":          {"CreateToken", `{"ttl":"0s"}`, 200, `"abc123"`, `create token "" for 0s`},
		"negative":          {"CreateToken", `{"ttl":"-1s"}`, 400, "for ever", ""},
		"too short":         {"CreateToken", `{"ttl":"1s"}`, 400, "a minute", ""},
		"a long story":      {"CreateToken", `{"description":"` + strings.Repeat("x", 257) + `"}`, 400, "256", ""},
		"list":              {"ListTokens", `{}`, 200, `"abc123"`, ""},
		"delete":            {"DeleteToken", `{"id":"abc123"}`, 200, "{}", "delete token abc123"},
		"not there":         {"DeleteToken", `{"id":"gone00"}`, 404, "there is none", "delete token gone00"},
		"no ID":             {"DeleteToken", `{"id":"../healthz"}`, 400, "six", ""},
		"the whole token":   {"DeleteToken", `{"id":"coracle1.x.abc123.y"}`, 400, "six", ""},
		"nothing in the ID": {"DeleteToken", `{}`, 400, "six", ""},
	} {
		t.Run(name, func(t *testing.T) {
			m.note("")
			status, answer := m.post(t, admin, tc.method, tc.body)
			if status != tc.status || !strings.Contains(answer, tc.answer) || m.last() != tc.asked {
				t.Errorf("%d %s, asked %q", status, answer, m.last())
			}
		})
	}
	m.store.Update(func(s *state.Machine) { s.Role = "agent" })
	for _, method := range []string{"CreateToken", "ListTokens", "GetKubeconfig"} {
		if status, answer := m.post(t, admin, method, "{}"); status != 400 || !strings.Contains(answer, "failed_precondition") || !strings.Contains(answer, "agent") {
			t.Errorf("%s of an agent: %d %s", method, status, answer)
		}
	}
}
