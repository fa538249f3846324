package update

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"time"

	"github.com/coracle-os/coracle/images/slot/artifact"
	"github.com/coracle-os/coracle/images/slot/chunks"
)

// Web is an artifact at an https:// or http:// address; it is signed, so either will do. The index of its chunks is
// expected at the same address with [artifact.IndexEnding] behind its path.
type Web struct {
	URL    *url.URL
	Client *http.Client
	tag    string // ETag or date of the file, so that parts are of the same
}

// headerWithin is how long a server may take to begin an answer.
const headerWithin = 30 * time.Second

// Open asks for a part of the file.
func (w *Web) Open(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL.String(), nil)
	if err != nil {
		return nil, permanent{err}
	}
	partial := offset > 0 || length > 0
	if partial {
		to := ""
		if length > 0 {
			to = fmt.Sprint(offset + length - 1)
		}
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-%s", offset, to))
		if w.tag != "" {
			r.Header.Set("If-Range", w.tag)
		}
	}
	a, err := w.Client.Do(r)
	if err != nil {
		return nil, err
	}
	if a.StatusCode == http.StatusPartialContent && partial || a.StatusCode == http.StatusOK && offset == 0 {
		if w.tag == "" {
			w.tag = strongTag(a.Header)
		}
		return a.Body, nil
	}
	a.Body.Close()
	switch {
	case a.StatusCode == http.StatusOK && w.tag != "":
		return nil, permanent{fmt.Errorf("%s changed while it was fetched, or its server does not send parts: start again", w.URL.Redacted())}
	case a.StatusCode == http.StatusOK:
		return nil, permanent{fmt.Errorf("the server of %s does not send parts", w.URL.Redacted())}
	case a.StatusCode >= 500 || a.StatusCode == http.StatusTooManyRequests:
		return nil, fmt.Errorf("%s: %s", w.URL.Redacted(), a.Status)
	}
	return nil, permanent{fmt.Errorf("%s: %s", w.URL.Redacted(), a.Status)}
}

// strongTag is what If-Range takes (RFC 9110, 13.1.5).
func strongTag(h http.Header) string {
	if tag := h.Get("ETag"); tag != "" && tag[0] == '"' {
		return tag
	}
	return h.Get("Last-Modified")
}

// Index fetches the index of chunks.
func (w *Web) Index(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	beside := *w.URL
	beside.Path += artifact.IndexEnding
	beside.RawPath = ""
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, beside.String(), nil)
	if err != nil {
		return nil, err
	}
	a, err := w.Client.Do(r)
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	switch a.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusForbidden, http.StatusGone:
		return nil, fmt.Errorf("%s: %s: %w", beside.Redacted(), a.Status, fs.ErrNotExist)
	default:
		return nil, fmt.Errorf("%s: %s", beside.Redacted(), a.Status)
	}
	b, err := io.ReadAll(io.LimitReader(a.Body, chunks.Most+1))
	if err == nil && len(b) > chunks.Most {
		err = errors.New("the index beside the artifact is too large")
	}
	return b, err
}
