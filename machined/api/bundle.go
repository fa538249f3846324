package api

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/coracle-os/coracle/machined/api/machinepb"
)

const (
	// maxBundleFile bounds each file of a support bundle, in bytes. Logs are bounded by maxTail.
	maxBundleFile = 2 << 20
	// bundleChunk is how much of a bundle is sent at once, in bytes.
	bundleChunk = 32 << 10
)

// bundleFile is a file of a support bundle. None may have a secret in it: the config is redacted, and arguments of
// processes are left out.
type bundleFile struct {
	name string
	make func(service, context.Context) ([]byte, error)
}

// bundleFiles are all there are, what helps most first: a bundle that is cut off helps too.
var bundleFiles = []bundleFile{
	{"status.json", inJSON(service.GetStatus)},
	{"release.json", func(s service, _ context.Context) ([]byte, error) {
		return json.MarshalIndent(s.Backend.Release, "", "  ")
	}},
	{"config.yaml", func(s service, ctx context.Context) ([]byte, error) {
		if s.Backend.Config == nil {
			return nil, noBackend
		}
		f, err := s.Backend.Config.GetConfig(ctx, false)
		return f.YAML, err
	}},
	{"events.jsonl", bundleEvents},
	{"services.json", inJSON(service.ListServices)},
	{"time.json", inJSON(service.GetTime)},
	{"network.json", inJSON(service.GetNetwork)},
	{"disks.json", inJSON(service.ListDisks)},
	{"mounts.json", inJSON(service.ListMounts)},
	{"memory.json", inJSON(service.GetMemory)},
	{"processes.json", func(s service, _ context.Context) ([]byte, error) {
		p, err := s.processes(false)
		return marshal(p, err)
	}},
	{"connections.json", inJSON(service.ListConnections)},
	{"logs/machined.log", bundleLog(MachinedLog)},
	{"logs/kernel.log", bundleLog(KernelLog)},
	{"logs/kube.log", bundleLog(KubeLog)},
}

// inJSON is the answer of a method.
func inJSON[Q, A any](method func(service, context.Context, *connect.Request[Q]) (*connect.Response[A], error)) func(service, context.Context) ([]byte, error) {
	return func(s service, ctx context.Context) ([]byte, error) {
		answer, err := method(s, ctx, connect.NewRequest(new(Q)))
		if err != nil {
			return nil, err
		}
		message, _ := any(answer.Msg).(proto.Message)
		return marshal(message, nil)
	}
}

func marshal(m proto.Message, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return protojson.MarshalOptions{Multiline: true}.Marshal(m)
}

func bundleEvents(s service, _ context.Context) ([]byte, error) {
	var b bytes.Buffer
	list, _, _ := s.Backend.Events.After(0)
	for _, e := range list {
		line, err := protojson.Marshal(toEvent(e))
		if err != nil {
			return nil, err
		}
		b.Write(append(line, '\n'))
	}
	return b.Bytes(), nil
}

func bundleLog(name string) func(service, context.Context) ([]byte, error) {
	return func(s service, ctx context.Context) ([]byte, error) {
		source, known := s.Backend.Logs[name]
		if !known {
			return nil, errors.New("there is no such log")
		}
		var b bytes.Buffer
		err := source.copy(ctx, math.MaxInt64, time.Time{}, false, func(p []byte) error { b.Write(p); return nil })
		return b.Bytes(), err
	}
}

// GetSupportBundle sends a gzip-compressed tar.
func (s service) GetSupportBundle(ctx context.Context, _ *connect.Request[machinepb.GetSupportBundleRequest], stream *connect.ServerStream[machinepb.GetSupportBundleResponse]) error {
	send := &chunkWriter{func(b []byte) error { return stream.Send(&machinepb.GetSupportBundleResponse{Data: b}) }, nil}
	compressed, err := gzip.NewWriterLevel(send, gzip.BestSpeed) // the least memory
	if err != nil {
		return err
	}
	if err := s.writeBundle(ctx, compressed); err != nil {
		return err
	}
	return errors.Join(compressed.Close(), send.flush())
}

// writeBundle writes the tar. A file that could not be made says why.
func (s service) writeBundle(ctx context.Context, w io.Writer) error {
	m, _ := s.Backend.Store.Get()
	now := time.Now().UTC()
	dir := fmt.Sprintf("%s-%s/", m.Name, now.Format("20060102-150405"))
	archive := tar.NewWriter(w)
	for _, f := range bundleFiles {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := f.name
		content, err := f.make(s, ctx)
		if err != nil {
			name, content = name+".error", []byte(err.Error()+"\n")
		}
		content = content[:min(len(content), maxBundleFile)]
		header := &tar.Header{Name: dir + name, Mode: 0o644, Size: int64(len(content)), ModTime: now, Typeflag: tar.TypeReg}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(content); err != nil {
			return err
		}
	}
	return archive.Close()
}

// chunkWriter sends what is written some at a time.
type chunkWriter struct {
	send    func([]byte) error
	pending []byte
}

func (c *chunkWriter) Write(p []byte) (int, error) {
	c.pending = append(c.pending, p...)
	for len(c.pending) >= bundleChunk {
		if err := c.send(c.pending[:bundleChunk]); err != nil {
			return 0, err
		}
		c.pending = c.pending[bundleChunk:]
	}
	return len(p), nil
}

func (c *chunkWriter) flush() error {
	if len(c.pending) == 0 {
		return nil
	}
	return c.send(c.pending)
}
