package control

import "time"

// JoinToken is what may be known of a token with which agents join; GET /tokens answers with a list of them.
type JoinToken struct {
	ID          string    `json:"id"`
	Description string    `json:"description,omitempty"`
	Expires     time.Time `json:"expires,omitzero"` // zero: never
}

// NewToken is the body of POST /tokens.
type NewToken struct {
	TTL         time.Duration `json:"ttl"` // 0: it does not expire
	Description string        `json:"description,omitempty"`
}

// MadeToken is the answer to that. DELETE /tokens/ID answers with nothing.
type MadeToken struct {
	JoinToken
	Token    string `json:"token"`    // with its secret; it is not shown again
	Endpoint string `json:"endpoint"` // host:port, where agents reach the API
}
