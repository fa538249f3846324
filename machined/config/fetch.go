package config

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// fetchTimeout bounds one try.
const fetchTimeout = 30 * time.Second

// fetch gets a config from an http: or https: URL. shown is what errors call it.
func fetch(ctx context.Context, from, shown string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil { // which holds parts of the URL
		return nil, fmt.Errorf("fetch the machine config from %s: it cannot be read as a URL", shown)
	}
	client := &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true, Proxy: nil},
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			if len(via) > 5 {
				return errors.New("more than 5 redirects")
			}
			if via[0].URL.Scheme == "https" && next.URL.Scheme != "https" {
				return errors.New("redirected from https to " + next.URL.Scheme)
			}
			return nil
		},
	}
	resp, err := client.Do(req)
	if err != nil {
		if of, ok := errors.AsType[*url.Error](err); ok {
			err = of.Err // without the URL
		}
		return nil, fmt.Errorf("fetch the machine config from %s: %w", shown, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetch the machine config from %s: the server answers %s", shown, resp.Status)
	}
	text, err := readAtMost(resp.Body, MaxSize+1)
	if err != nil {
		return nil, fmt.Errorf("fetch the machine config from %s: %w", shown, err)
	}
	return text, nil
}

// ShownURL is raw without what may be secret: user, password, query. The status of a machine without a config is for anybody
// to read.
func ShownURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return "the kernel argument " + Argument
	}
	shown := (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	return strings.NewReplacer("%7B", "{", "%7D", "}").Replace(shown) // placeholders
}

func readAtMost(r io.Reader, n int64) ([]byte, error) { return io.ReadAll(io.LimitReader(r, n)) }

// decodeDataURL reads a data: URL (RFC 2397): data:[type][;base64],content.
func decodeDataURL(s string) ([]byte, error) {
	head, body, found := strings.Cut(strings.TrimPrefix(s, "data:"), ",")
	if !found {
		return nil, errors.New("the data: URL has no comma before its content")
	}
	text, err := url.PathUnescape(body)
	if err != nil {
		return nil, fmt.Errorf("the data: URL: %w", err)
	}
	if !strings.HasSuffix(head, ";base64") {
		return []byte(text), nil
	}
	// Padding is optional here: = at the end of a kernel argument is easily lost.
	decoded, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil, fmt.Errorf("the data: URL: %w", err)
	}
	return decoded, nil
}
