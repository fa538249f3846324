package manifests

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/machined/atomicfile"
)

const (
	// maxSize of a file that is fetched, in bytes. The largest that are in common use have 2 MiB; it is held in memory.
	maxSize      = 4 << 20
	fetchTimeout = time.Minute
)

// source gets the content of manifests.
type source struct {
	dir     string // of files that were fetched
	http    *http.Client
	maxSize int64
}

func newSource(dir string) *source {
	return &source{dir: dir, maxSize: maxSize, http: &http.Client{Timeout: fetchTimeout, CheckRedirect: keepSecure}}
}

// keepSecure follows ten redirects, as usual, but not from https:// to what anybody on the way could change.
func keepSecure(request *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("it redirects too often")
	}
	if via[0].URL.Scheme == "https" && request.URL.Scheme != "https" {
		return fmt.Errorf("it redirects to %s, which is not https://", request.URL.Redacted())
	}
	return nil
}

// content of a manifest. A file that cannot be fetched is the one that was fetched before, if there is one: then there are
// both content and an error.
func (s *source) content(ctx context.Context, m control.Manifest) ([]byte, error) {
	if m.URL == "" {
		return []byte(m.Content), nil
	}
	path := filepath.Join(s.dir, fileOf(m))
	kept, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if m.SHA256 != "" && len(kept) > 0 {
		if strings.EqualFold(digestOf(kept), m.SHA256) {
			return kept, nil
		}
		kept = nil // torn
	}
	fresh, err := s.fetch(ctx, m)
	switch {
	case err != nil && len(kept) > 0:
		return kept, fmt.Errorf("%w; the file that was fetched before is used", err)
	case err != nil:
		return nil, err
	case !bytes.Equal(fresh, kept):
		if err := os.MkdirAll(s.dir, 0o700); err != nil {
			return fresh, err
		}
		return fresh, atomicfile.Write(path, fresh, 0o600)
	}
	return fresh, nil
}

func (s *source) fetch(ctx context.Context, m control.Manifest) ([]byte, error) {
	fail := func(err error) ([]byte, error) {
		if request, ok := errors.AsType[*url.Error](err); ok {
			err = request.Err // without the URL, which may have a password in it
		}
		return nil, fmt.Errorf("fetch its file: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.URL, nil)
	if err != nil {
		return fail(err)
	}
	response, err := s.http.Do(request)
	if err != nil {
		return fail(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fail(fmt.Errorf("%s says %s", request.URL.Host, response.Status))
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, s.maxSize+1))
	switch digest := digestOf(data); {
	case err != nil:
		return fail(err)
	case int64(len(data)) > s.maxSize:
		return fail(fmt.Errorf("it is larger than %d bytes", s.maxSize))
	case len(data) == 0:
		return fail(errors.New("it is empty"))
	case m.SHA256 != "" && !strings.EqualFold(digest, m.SHA256):
		return fail(fmt.Errorf("its digest is %s, not the one in the config; correct sha256 if the file was meant to change", digest))
	}
	return data, nil
}

// prune removes files that no manifest of the list has.
func (s *source) prune(list []control.Manifest) error {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if !slices.ContainsFunc(list, func(m control.Manifest) bool { return m.URL != "" && fileOf(m) == e.Name() }) {
			errs = append(errs, os.Remove(filepath.Join(s.dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}

// fileOf is the name of a fetched file: that of another URL is another file.
func fileOf(m control.Manifest) string { return m.Name + "-" + digestOf([]byte(m.URL))[:16] + ".yaml" }

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
