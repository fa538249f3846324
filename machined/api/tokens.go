package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/token"
	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/events"
	"github.com/coracle-os/coracle/machined/services"
	"github.com/coracle-os/coracle/machined/state"
)

// tokenTTL is how long a token is good that is made without a time; longestTTL the longest time, beside for ever.
const (
	tokenTTL   = 24 * time.Hour
	longestTTL = 10 * 365 * 24 * time.Hour
)

// longestTokenDescription in bytes.
const longestTokenDescription = 256

// CreateToken makes a token with which agents join.
func (s service) CreateToken(ctx context.Context, r *connect.Request[machinepb.CreateTokenRequest]) (*connect.Response[machinepb.CreateTokenResponse], error) {
	ttl := tokenTTL
	if r.Msg.Ttl != nil {
		ttl = r.Msg.Ttl.AsDuration()
	}
	switch {
	case ttl < 0 || ttl > longestTTL || ttl > 0 && ttl < time.Minute:
		return nil, failure(connect.CodeInvalidArgument, "ttl is "+ttl.String()+"; a token is good for a minute to ten years, or with 0 for ever")
	case len(r.Msg.Description) > longestTokenDescription:
		return nil, failure(connect.CodeInvalidArgument, "the description is longer than 256 bytes")
	}
	tokens, err := s.tokens()
	if err != nil {
		return nil, err
	}
	made, err := tokens.CreateToken(ctx, control.NewToken{TTL: ttl, Description: r.Msg.Description})
	if err != nil {
		return nil, tokenError(err)
	}
	s.Backend.Events.Add(events.Event{Kind: events.Token, Severity: state.Info, Message: "the join token " + made.ID + " was made", By: callerOf(ctx).by()})
	return connect.NewResponse(&machinepb.CreateTokenResponse{Token: made.Token, Endpoint: made.Endpoint, Info: toJoinToken(made.JoinToken)}), nil
}

// ListTokens lists them, without their secrets.
func (s service) ListTokens(ctx context.Context, _ *connect.Request[machinepb.ListTokensRequest]) (*connect.Response[machinepb.ListTokensResponse], error) {
	tokens, err := s.tokens()
	if err != nil {
		return nil, err
	}
	list, err := tokens.ListTokens(ctx)
	if err != nil {
		return nil, tokenError(err)
	}
	answer := &machinepb.ListTokensResponse{}
	for _, t := range list {
		answer.Tokens = append(answer.Tokens, toJoinToken(t))
	}
	return connect.NewResponse(answer), nil
}

// DeleteToken takes a token back.
func (s service) DeleteToken(ctx context.Context, r *connect.Request[machinepb.DeleteTokenRequest]) (*connect.Response[machinepb.DeleteTokenResponse], error) {
	if !token.IsID(r.Msg.Id) {
		return nil, failure(connect.CodeInvalidArgument, "id is not that of a token: six lower-case letters and digits, as ListTokens has them")
	}
	tokens, err := s.tokens()
	if err != nil {
		return nil, err
	}
	if err := tokens.DeleteToken(ctx, r.Msg.Id); err != nil {
		return nil, tokenError(err)
	}
	s.Backend.Events.Add(events.Event{Kind: events.Token, Severity: state.Info, Message: "the join token " + r.Msg.Id + " was deleted", By: callerOf(ctx).by()})
	return connect.NewResponse(&machinepb.DeleteTokenResponse{}), nil
}

// tokens are the server's; an agent has none.
func (s service) tokens() (Tokens, error) {
	if m, _ := s.Backend.Store.Get(); m.Role == string(types.Agent) {
		return nil, failure(connect.CodeFailedPrecondition, "this machine is an agent; tokens are made on a server")
	}
	if s.Backend.Tokens == nil {
		return nil, noBackend
	}
	return s.Backend.Tokens, nil
}

// tokenError gives an error of Kubernetes its kind.
func tokenError(err error) error {
	if refused, ok := errors.AsType[*services.Refused](err); ok && refused.Status == http.StatusNotFound {
		return failure(connect.CodeNotFound, refused.Why)
	}
	return connect.NewError(connect.CodeUnavailable, err) // it starts, perhaps
}

func toJoinToken(t control.JoinToken) *machinepb.JoinToken {
	return &machinepb.JoinToken{Id: text(t.ID), Description: text(t.Description), Expires: timestamp(t.Expires)}
}
