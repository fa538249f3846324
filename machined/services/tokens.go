package services

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/coracle-os/coracle/kube/control"
)

// tokenTimeout is how long a token may take to be made: kube waits until its apiserver serves.
const tokenTimeout = 20 * time.Second

// CreateToken makes a token with which agents join.
func (c Control) CreateToken(ctx context.Context, n control.NewToken) (made control.MadeToken, err error) {
	body, err := json.Marshal(n)
	if err != nil {
		return made, err
	}
	client := *c.http
	client.Timeout = tokenTimeout
	answer, err := send(ctx, &client, http.MethodPost, "tokens", bytes.NewReader(body))
	if err == nil {
		err = json.Unmarshal(answer, &made)
	}
	if err != nil {
		return made, fmt.Errorf("make a join token: %w", err)
	}
	return made, nil
}

// ListTokens lists them, without their secrets.
func (c Control) ListTokens(ctx context.Context) (list []control.JoinToken, err error) {
	answer, err := do(ctx, c.http, http.MethodGet, "tokens")
	if err == nil {
		err = json.Unmarshal(answer, &list)
	}
	if err != nil {
		return nil, fmt.Errorf("list join tokens: %w", err)
	}
	return list, nil
}

// DeleteToken takes one back.
func (c Control) DeleteToken(ctx context.Context, id string) error {
	_, err := do(ctx, c.http, http.MethodDelete, "tokens/"+id)
	return err
}
