package update

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
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

// Open asks for a part of the file.
func (w *Web) Open(ctx context.Context, offset, length int64) (body io.ReadCloser, whole bool, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL.String(), nil)
	if err != nil {
		return nil, false, permanent{err}
	}
	askForPart(r, offset, length)
	if w.tag != "" {
		r.Header.Set("If-Range", w.tag)
	}
	a, err := w.Client.Do(r)
	if err != nil {
		return nil, false, err
	}
	known := w.tag
	body, whole, err = part(a, offset)
	if err == nil && known == "" {
		w.tag = strongTag(a.Header)
	}
	if err == nil && whole && known != "" && offset > 0 {
		body.Close()
		err = permanent{fmt.Errorf("%s changed while it was fetched, or its server does not send parts: start again", w.URL.Redacted())}
	}
	return body, whole, named(w.URL.Redacted(), err)
}

// askForPart makes r a request for length bytes from offset on; to the end if length is 0.
func askForPart(r *http.Request, offset, length int64) {
	switch {
	case length > 0:
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", offset, offset+length-1))
	case offset > 0:
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
}

// part is the body of an answer to [askForPart]. whole is that it is of the whole file.
func part(a *http.Response, offset int64) (body io.ReadCloser, whole bool, err error) {
	from := fmt.Sprintf("bytes %d-", offset)
	switch at := a.Header.Get("Content-Range"); {
	case a.StatusCode == http.StatusOK:
		return a.Body, true, nil
	case a.StatusCode == http.StatusPartialContent && strings.HasPrefix(at, from):
		return a.Body, false, nil
	case a.StatusCode == http.StatusPartialContent:
		err = permanent{fmt.Errorf("the server was asked for what is from byte %d on, and sends %q", offset, at)}
	case a.StatusCode >= 500 || a.StatusCode == http.StatusTooManyRequests:
		err = errors.New(a.Status)
	default:
		err = permanent{errors.New(a.Status)}
	}
	a.Body.Close()
	return nil, false, err
}

// named says what an error is about, and leaves it permanent if it is.
func named(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
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
