package update

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/coracle-os/coracle/images/slot/artifact"
	"github.com/coracle-os/coracle/images/slot/chunks"
)

// Source is where an artifact comes from.
type Source interface {
	// Artifact is the artifact from its start. It is closed when it was read, or is not wanted.
	Artifact(ctx context.Context) (io.ReadCloser, error)
}

// Stream is an artifact that somebody sends.
type Stream struct{ io.Reader }

// Artifact is the stream.
func (s Stream) Artifact(context.Context) (io.ReadCloser, error) { return io.NopCloser(s.Reader), nil }

// Remote is a file on a server, of which parts can be asked for.
type Remote interface {
	// Open reads from an offset in bytes on; length bytes, or to the end if it is 0. The reader may end early. whole is that it
	// is of the whole file instead, as the server does not send parts.
	Open(ctx context.Context, offset, length int64) (body io.ReadCloser, whole bool, err error)
	// Index is the index of chunks beside the artifact; fs.ErrNotExist: there is none.
	Index(ctx context.Context) ([]byte, error)
}

// fetched is an artifact on a server.
type fetched struct {
	remote Remote
	bytes  atomic.Uint64                    // that were fetched
	whole  bool                             // the server does not send parts
	pause  func(failures int) time.Duration // before another try
}

// Fetch is the artifact on a server.
func Fetch(r Remote) Source {
	return &fetched{remote: r, pause: func(failures int) time.Duration { return min(longestPause, time.Second<<(failures-1)) }}
}

// Artifact is the artifact, also when connections break.
func (f *fetched) Artifact(ctx context.Context) (io.ReadCloser, error) {
	r := f.section(ctx, 0, 0)
	r.head = headSize
	return r, nil
}

// headSize is how much is asked for at first, in bytes: the manifest says whether more is wanted.
const headSize = 32 << 10

// section is a part of the artifact.
func (f *fetched) section(ctx context.Context, offset, length int64) *resumed {
	return &resumed{ctx: ctx, from: f, offset: offset, length: length}
}

// resumed asks again for what is missing when a connection breaks.
type resumed struct {
	ctx            context.Context
	from           *fetched
	offset, length int64 // length 0: to the end
	head           int64 // how much is asked for at first; 0: all
	done           int64
	body           io.ReadCloser
	failures       int // since anything came
}

// What is tolerated of a connection that is bad.
const (
	mostFailures   = 8
	longestPause   = 30 * time.Second
	longestSilence = time.Minute
)

// permanent is an error at which there is no use in asking again.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

func (r *resumed) Read(p []byte) (int, error) {
	for {
		if r.length > 0 && r.done == r.length {
			return 0, io.EOF
		}
		n, err := r.read(p)
		r.done += int64(n)
		r.from.bytes.Add(uint64(n))
		if n > 0 {
			r.failures = 0
		}
		_, final := errors.AsType[permanent](err)
		switch {
		case err == nil || n > 0:
			return n, nil // an error comes again
		case errors.Is(err, io.EOF) && r.length == 0 && r.done != r.head, final, r.ctx.Err() != nil:
			return 0, err
		}
		r.Close()
		if errors.Is(err, io.EOF) && r.length == 0 {
			continue // the first part was read
		}
		r.failures++
		if r.failures > mostFailures {
			return 0, fmt.Errorf("after %d tries: %w", r.failures, err)
		}
		select {
		case <-time.After(r.from.pause(r.failures)):
		case <-r.ctx.Done():
			return 0, context.Cause(r.ctx)
		}
	}
}

func (r *resumed) read(p []byte) (int, error) {
	if r.body == nil {
		length := max(0, r.head-r.done)
		if r.length > 0 {
			length = r.length - r.done
		}
		body, whole, err := r.from.remote.Open(r.ctx, r.offset+r.done, length)
		if err != nil {
			return 0, err
		}
		if whole {
			r.from.whole = true
			if skip := r.offset + r.done; skip > 0 {
				body.Close()
				return 0, permanent{errors.New("the server does not send parts, so what is missing cannot be fetched: start again")}
			}
			r.head = 0
		}
		r.body = body
	}
	if r.length > 0 {
		p = p[:min(int64(len(p)), r.length-r.done)]
	}
	// A server that sends nothing for so long does not come back on this connection.
	body := r.body
	stalled := time.AfterFunc(longestSilence, func() { body.Close() })
	defer stalled.Stop()
	return body.Read(p)
}

func (r *resumed) Close() error {
	if r.body == nil {
		return nil
	}
	body := r.body
	r.body = nil
	return body.Close()
}

// unpack is a slot image from its packed form.
func unpack(packed io.Reader) (io.ReadCloser, error) {
	z, err := zstd.NewReader(packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(8<<20), zstd.WithDecoderMaxWindow(1<<20))
	if err != nil {
		return nil, err
	}
	return z.IOReadCloser(), nil
}

// index fetches the index of the chunks of an artifact. Without one, or with another than was signed, the artifact is
// fetched whole.
func (f *fetched) index(ctx context.Context, want artifact.Part) (chunks.Index, error) {
	if want == (artifact.Part{}) || want.Size > chunks.Most {
		return nil, fs.ErrNotExist
	}
	if f.whole {
		return nil, errors.New("the server does not send parts")
	}
	b, err := f.remote.Index(ctx)
	if err != nil {
		return nil, err
	}
	f.bytes.Add(uint64(len(b)))
	if got := chunks.Sum(b); uint64(len(b)) != want.Size || fmt.Sprintf("%x", got) != want.Hash {
		return nil, errors.New("the index beside the artifact is not the one that was signed")
	}
	return chunks.Parse(b)
}
