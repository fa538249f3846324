package update

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"oras.land/oras-go/v2/registry/remote/auth"

	"github.com/coracle-os/coracle/machined/storage/direct"
)

// web serves an artifact and its index. Each answer breaks off after most bytes, if that is not 0.
func web(t *testing.T, m *made, most int) (*Web, *atomic.Int64) {
	t.Helper()
	var sent atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content := m.file
		if strings.HasSuffix(r.URL.Path, ".index") {
			content = m.index
		}
		if content == nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(content)))
		http.ServeContent(&breaking{ResponseWriter: w, left: most, limited: most > 0, sent: &sent}, r, "", time.Time{}, bytes.NewReader(content))
	}))
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL + "/coracle.slot")
	if err != nil {
		t.Fatal(err)
	}
	return &Web{URL: address, Client: server.Client()}, &sent
}

// breaking is an answer whose connection breaks.
type breaking struct {
	http.ResponseWriter
	left    int
	limited bool
	sent    *atomic.Int64
}

func (b *breaking) Write(p []byte) (int, error) {
	if b.limited && len(p) > b.left {
		b.ResponseWriter.Write(p[:b.left])
		panic(http.ErrAbortHandler)
	}
	b.left -= len(p)
	b.sent.Add(int64(len(p)))
	return b.ResponseWriter.Write(p)
}

// fetchWithoutPauses is a source that asks again at once.
func fetchWithoutPauses(r Remote) Source {
	return &fetched{remote: r, pause: func(int) time.Duration { return 0 }}
}

func TestFetchGoesOnWhereItBroke(t *testing.T) {
	b := newBench(t)
	u, _ := b.started("a", "1.0.0", false)
	image := noise(2, imageSize)
	m := b.artifact("1.1.0", image)
	m.index = nil
	from, _ := web(t, &m, 400_000)
	r, err := u.Install(t.Context(), fetchWithoutPauses(from), Options{Stage: true}, func(Progress) {})
	if err != nil || !bytes.Equal(b.content("b"), image) {
		t.Fatal(err)
	}
	if r.Fetched < m.manifest.Packed.Size || r.Fetched > uint64(len(m.file)) || r.Saved != 0 {
		t.Errorf("fetched %d bytes of %d, saved %d", r.Fetched, len(m.file), r.Saved)
	}
}

// A file that becomes another while it is fetched is not put together of both.
func TestFetchOfAChangingFile(t *testing.T) {
	b := newBench(t)
	u, _ := b.started("a", "1.0.0", false)
	m := b.artifact("1.1.0", noise(2, imageSize))
	m.index = nil
	from, _ := web(t, &m, 400_000)
	swapping := &swapping{Web: from, swap: func() { m.file = b.artifact("1.2.0", noise(3, imageSize)).file }}
	_, err := u.Install(t.Context(), fetchWithoutPauses(swapping), Options{Stage: true}, func(Progress) {})
	if err == nil || !strings.Contains(err.Error(), "changed while it was fetched") {
		t.Error(err)
	}
}

// swapping is a file that becomes another after its first part.
type swapping struct {
	*Web
	swap  func()
	opens int
}

func (s *swapping) Open(ctx context.Context, offset, length int64) (io.ReadCloser, bool, error) {
	if s.opens++; s.opens == 2 {
		s.swap()
	}
	return s.Web.Open(ctx, offset, length)
}

func TestFetchGivesUp(t *testing.T) {
	for status, tries := range map[int]int64{http.StatusNotFound: 1, http.StatusServiceUnavailable: mostFailures + 1} {
		var asked atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.WriteHeader(status)
		}))
		address, _ := url.Parse(server.URL + "/coracle.slot")
		b := newBench(t)
		u, _ := b.started("a", "1.0.0", false)
		_, err := u.Install(t.Context(), fetchWithoutPauses(&Web{URL: address, Client: server.Client()}), Options{}, func(Progress) {})
		if err == nil || !strings.Contains(err.Error(), fmt.Sprint(status)) || asked.Load() != tries {
			t.Errorf("%d: asked %d times, want %d; %v", status, asked.Load(), tries, err)
		}
		server.Close()
	}
}

// Of a version that has nearly all in common with the one that runs, only what differs is fetched.
func TestDelta(t *testing.T) {
	image := noise(1, imageSize) // as slot a has it
	copy(image[1<<20:], noise(9, 100_000))
	for _, c := range []struct {
		name   string
		damage func(b *bench, m *made)
		saved  bool
	}{
		{"a chunk index", func(*bench, *made) {}, true},
		{"no index", func(_ *bench, m *made) { m.index = nil }, false},
		{"another index", func(_ *bench, m *made) { m.index[40] ^= 1 }, false},
		{"the slot that runs is damaged", func(b *bench, _ *made) {
			f, err := os.OpenFile(b.device("a"), os.O_RDWR, 0)
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			if _, err := f.WriteAt(noise(8, 4096), 3<<19); err != nil {
				b.Fatal(err)
			}
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			u, _ := b.started("a", "1.0.0", false)
			m := b.artifact("1.1.0", image)
			c.damage(b, &m)
			from, sent := web(t, &m, 0)
			r, err := u.Install(t.Context(), fetchWithoutPauses(from), Options{Stage: true}, func(Progress) {})
			if err != nil || !bytes.Equal(b.content("b"), image) {
				t.Fatalf("%v, or the slot is not the image", err)
			}
			t.Logf("fetched %d and saved %d of %d bytes; the server sent %d", r.Fetched, r.Saved, len(m.file), sent.Load())
			if few := r.Fetched < uint64(len(m.file)/3); few != c.saved || c.saved && r.Saved < uint64(len(m.file)/2) {
				t.Errorf("fetched %d, saved %d", r.Fetched, r.Saved)
			}
		})
	}
}

// registry is as much of one as is asked (OCI distribution spec), for one user.
func registry(t *testing.T, m *made) Registry {
	t.Helper()
	name := func(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }
	layer := func(kind string, b []byte) map[string]any {
		return map[string]any{"mediaType": kind, "digest": name(b), "size": len(b)}
	}
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"layers": []any{layer(SlotMediaType, m.file), layer(IndexMediaType, m.index)},
	})
	if err != nil {
		t.Fatal(err)
	}
	const path = "/v2/edge/coracle/"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != "edge" || password != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		content := map[string][]byte{
			path + "manifests/stable": manifest, path + "manifests/" + name(manifest): manifest,
			path + "blobs/" + name(m.file): m.file, path + "blobs/" + name(m.index): m.index,
		}[r.URL.Path]
		if content == nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		w.Header().Set("Docker-Content-Digest", name(content))
		w.Header().Set("Accept-Ranges", "bytes")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	}))
	t.Cleanup(server.Close)
	return Registry{
		Host: strings.TrimPrefix(server.URL, "http://"), PlainHTTP: true, Client: server.Client(),
		Credential: auth.Credential{Username: "edge", Password: "secret"},
	}
}

func TestRegistry(t *testing.T) {
	b := newBench(t)
	image := noise(1, imageSize)
	copy(image[1<<20:], noise(9, 100_000))
	m := b.artifact("1.1.0", image)
	good := registry(t, &m)
	stranger := good
	stranger.Credential = auth.EmptyCredential
	if _, err := Pull(t.Context(), []Registry{stranger}, "edge/coracle", "stable"); err == nil {
		t.Error("without a password: no error")
	}
	if _, err := Pull(t.Context(), []Registry{good}, "edge/coracle", "beta"); err == nil || !strings.Contains(err.Error(), "beta") {
		t.Errorf("a tag that is not there: %v", err)
	}
	u, _ := b.started("a", "1.0.0", false)
	remote, err := Pull(t.Context(), []Registry{stranger, good}, "edge/coracle", "stable") // the second has it
	if err != nil {
		t.Fatal(err)
	}
	r, err := u.Install(t.Context(), fetchWithoutPauses(remote), Options{Stage: true}, func(Progress) {})
	if err != nil || !bytes.Equal(b.content("b"), image) || r.Fetched > uint64(len(m.file)/3) {
		t.Errorf("%v; fetched %d of %d bytes", err, r.Fetched, len(m.file))
	}
}

// A server that does not send parts is good enough for a whole artifact.
func TestServerWithoutParts(t *testing.T) {
	b := newBench(t)
	image := noise(1, imageSize)
	copy(image[1<<20:], noise(9, 100_000))
	m := b.artifact("1.1.0", image)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".index") {
			w.Write(m.index)
			return
		}
		w.Write(m.file)
	}))
	defer server.Close()
	address, err := url.Parse(server.URL + "/coracle.slot")
	if err != nil {
		t.Fatal(err)
	}
	u, _ := b.started("a", "1.0.0", false)
	r, err := u.Install(t.Context(), fetchWithoutPauses(&Web{URL: address, Client: server.Client()}), Options{Stage: true}, func(Progress) {})
	if err != nil || !bytes.Equal(b.content("b"), image) || r.Saved != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// What cannot be read of the slot that runs is fetched.
func TestDeltaOfAFailingDisk(t *testing.T) {
	b := newBench(t)
	image := noise(1, imageSize)
	copy(image[1<<20:], noise(9, 100_000))
	m := b.artifact("1.1.0", image)
	u, _ := b.started("a", "1.0.0", false)
	open, reads := u.openSlot, 0
	u.openSlot = func(device string) (partition, int64, error) {
		p, size, err := open(device)
		if device == b.device("a") {
			p = failing{p, &reads}
		}
		return p, size, err
	}
	from, _ := web(t, &m, 0)
	r, err := u.Install(t.Context(), fetchWithoutPauses(from), Options{Stage: true}, func(Progress) {})
	if err != nil || !bytes.Equal(b.content("b"), image) || r.Saved == 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// failing is a disk of which some small reads fail.
type failing struct {
	partition
	reads *int
}

func (f failing) ReadAt(p []byte, at int64) (int, error) {
	if len(p) < direct.BlockSize && at > 0 && at < imageSize {
		if *f.reads++; *f.reads%3 == 0 {
			return 0, fmt.Errorf("read at %d: I/O error", at)
		}
	}
	return f.partition.ReadAt(p, at)
}
