package openapi

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/munnerz/goautoneg"
)

// document is one OpenAPI document, built when it is asked for the first time.
type document struct {
	path       string
	etag       string
	mediaTypes []mediaType
	build      func() ([]byte, error)            // as JSON
	toProtobuf func(json []byte) ([]byte, error) //

	mu       sync.Mutex
	json     []byte // compressed; nil: not built yet
	protobuf []byte // compressed; nil: not converted yet
}

// mediaType is one that a document can be had in.
type mediaType struct {
	accepted []string // what a client may ask for, without the "application/"
	returned string   // what the answer is called
	protobuf bool
}

// mediaTypes are upstream's for OpenAPI "v2" or "v3", best first. The name with an @ is deprecated, and not a valid one.
func mediaTypes(openapi string) []mediaType {
	name := "com.github.proto-openapi.spec." + openapi
	return []mediaType{
		{accepted: []string{"json"}, returned: "application/json"},
		{accepted: []string{name + ".v1.0+protobuf", name + "@v1.0+protobuf"}, returned: "application/" + name + ".v1.0+protobuf", protobuf: true},
	}
}

// building is held while a document is built: one at a time, because each takes up to 30 MiB for a moment.
var building sync.Mutex

// get returns the document, compressed.
func (d *document) get(protobuf bool) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.json == nil {
		if err := d.buildJSON(); err != nil {
			return nil, err
		}
	}
	if !protobuf {
		return d.json, nil
	}
	if d.protobuf == nil {
		json, err := decompress(d.json)
		if err != nil {
			return nil, err
		}
		converted, err := d.toProtobuf(json)
		if err != nil {
			return nil, fmt.Errorf("convert OpenAPI document %s: %w", d.path, err)
		}
		d.protobuf = compress(converted)
	}
	return d.protobuf, nil
}

func (d *document) buildJSON() error {
	building.Lock()
	defer building.Unlock()
	json, err := d.build()
	if err != nil {
		return err
	}
	d.json = compress(json)
	return nil
}

// ServeHTTP answers as upstream's handlers do.
func (d *document) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Accept, Accept-Encoding")
	chosen, ok := negotiate(r.Header.Get("Accept"), d.mediaTypes)
	if !ok {
		w.WriteHeader(http.StatusNotAcceptable)
		return
	}
	content, err := d.get(chosen.protobuf)
	if err != nil {
		slog.Error("cannot serve an OpenAPI document", "path", d.path, "error", err)
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", chosen.returned)
	w.Header().Set("Etag", strconv.Quote(d.etag))
	if hash := r.URL.Query().Get("hash"); hash != "" {
		if hash != d.etag {
			http.Redirect(w, r, d.path+"?hash="+d.etag, http.StatusMovedPermanently)
			return
		}
		// The address has the hash of the content, so the answer may be kept for ever.
		w.Header().Set("Cache-Control", "public, immutable")
		w.Header().Set("Expires", time.Now().AddDate(1, 0, 0).Format(time.RFC1123))
	}
	if acceptsGzip(r.Header.Get("Accept-Encoding")) {
		w.Header().Set("Content-Encoding", "gzip")
	} else if content, err = decompress(content); err != nil {
		slog.Error("cannot serve an OpenAPI document", "path", d.path, "error", err)
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// negotiate chooses the first of the client's media types that there is.
func negotiate(accept string, available []mediaType) (mediaType, bool) {
	if accept == "" {
		accept = "*/*"
	}
	for _, clause := range goautoneg.ParseAccept(accept) {
		if clause.Type != "application" && clause.Type != "*" {
			continue
		}
		for _, candidate := range available {
			for _, subType := range candidate.accepted {
				if clause.SubType == subType || clause.SubType == "*" {
					return candidate, true
				}
			}
		}
	}
	return mediaType{}, false
}

func acceptsGzip(header string) bool {
	for coding := range strings.SplitSeq(header, ",") {
		name, quality, _ := strings.Cut(strings.TrimSpace(coding), ";")
		if name == "gzip" && strings.TrimSpace(quality) != "q=0" {
			return true
		}
	}
	return false
}

func compress(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(data) // a bytes.Buffer takes everything
	_ = w.Close()
	return bytes.Clone(b.Bytes())
}

func decompress(data []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
