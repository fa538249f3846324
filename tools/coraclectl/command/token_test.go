package command

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	pb "github.com/coracle-os/coracle/machined/api/machinepb"
)

func (f *fake) CreateToken(_ context.Context, r *connect.Request[pb.CreateTokenRequest]) (*connect.Response[pb.CreateTokenResponse], error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.token = r.Msg
	return answer(&pb.CreateTokenResponse{Token: "coracle1.x", Endpoint: "192.0.2.7:6443", Info: &pb.JoinToken{Id: "abc123", Expires: at}})
}

func (f *fake) ListTokens(context.Context, *connect.Request[pb.ListTokensRequest]) (*connect.Response[pb.ListTokensResponse], error) {
	return answer(&pb.ListTokensResponse{Tokens: []*pb.JoinToken{{Id: "abc123", Expires: at, Description: "harbour"}, {Id: "def456"}}})
}

func (f *fake) DeleteToken(_ context.Context, r *connect.Request[pb.DeleteTokenRequest]) (*connect.Response[pb.DeleteTokenResponse], error) {
	if r.Msg.Id != "abc123" {
		return nil, connect.NewError(connect.CodeNotFound, errors.New("there is no token "+r.Msg.Id))
	}
	return answer(&pb.DeleteTokenResponse{})
}

// TestFirstConfigOfAgent: what a token is for.
func TestFirstConfigOfAgent(t *testing.T) {
	d := newDesk(t)
	join := "coracle1." + strings.Repeat("ab", 32) + ".abc123.0123456789abcdef"
	if out := d.must("config", "new", "--role", "agent", "--endpoint", "kube.example.com", "--token", join); !strings.Contains(out, "cluster:\n  endpoint: kube.example.com\n  token: "+join+"\n") {
		t.Errorf("got:\n%s", out)
	}
	if _, stderr, code := d.run("config", "new", "--role", "agent"); code != exitUsage || !strings.Contains(stderr, "cluster.token: is missing") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}

func TestToken(t *testing.T) {
	d := newDesk(t)
	f := newFake(t, "edge-1")
	d.know(map[string]*fake{"edge-1": f})
	out, stderr, code := d.run("token", "create", "--ttl", "2h", "--description", "harbour")
	if code != 0 || out != "coracle1.x\n" || !strings.Contains(stderr, "endpoint: 192.0.2.7:6443") {
		t.Errorf("exit code %d, printed %q\n%s", code, out, stderr)
	}
	if f.token.Ttl.AsDuration() != 2*time.Hour || f.token.Description != "harbour" {
		t.Errorf("asked for %v", f.token)
	}
	d.must("token", "create", "--ttl", "0")
	if f.token.Ttl == nil || f.token.Ttl.AsDuration() != 0 {
		t.Errorf("for ever: asked for %v", f.token)
	}
	if out := d.must("token", "create", "-o", "json"); !strings.Contains(out, `"token": "coracle1.x"`) {
		t.Errorf("got:\n%s", out)
	}
	golden(t, "tokens", d.must("token", "list"))
	d.must("token", "delete", "abc123")
	if _, stderr, code := d.run("token", "delete", "gone00"); code != exitFailed || !strings.Contains(stderr, "no token gone00") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}
