package update

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"

	"github.com/coracle-os/coracle/images/slot/chunks"
)

// Media types of the layers of an artifact in a registry.
const (
	SlotMediaType  = "application/vnd.coracle.slot.v1+tar"
	IndexMediaType = "application/vnd.coracle.slot.index.v1"
)

// Registry is where an artifact is pulled from: the registry of its name, or a mirror of that.
type Registry struct {
	Host      string // with the port
	PlainHTTP bool
	Client    *http.Client
	auth.Credential
}

// Pull finds an artifact, by tag or digest, in the first of the registries that has it.
func Pull(ctx context.Context, registries []Registry, repository, reference string) (Remote, error) {
	var problems []error
	for _, r := range registries {
		found, err := r.find(ctx, repository, reference)
		if err == nil {
			return found, nil
		}
		problems = append(problems, fmt.Errorf("%s: %w", r.Host, err))
	}
	return nil, fmt.Errorf("pull %s, %s: %w", repository, reference, errors.Join(problems...))
}

// pulled is an artifact in a registry.
type pulled struct {
	repository  *remote.Repository
	slot, index ocispec.Descriptor
}

// findWithin is how long it may take to look an artifact up.
const findWithin = time.Minute

// mostOfManifest is the most bytes that a manifest in a registry may have.
const mostOfManifest = 1 << 20

func (r Registry) find(ctx context.Context, repository, reference string) (*pulled, error) {
	repo, err := remote.NewRepository(r.Host + "/" + repository)
	if err != nil {
		return nil, err
	}
	repo.PlainHTTP = r.PlainHTTP
	repo.Client = &auth.Client{Client: r.Client, Cache: auth.NewCache(), Credential: auth.StaticCredential(repo.Reference.Host(), r.Credential)}
	ctx, cancel := context.WithTimeout(ctx, findWithin)
	defer cancel()
	_, body, err := repo.Manifests().FetchReference(ctx, reference)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, mostOfManifest))
	if err != nil {
		return nil, err
	}
	var m ocispec.Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("its manifest: %w", err)
	}
	p := &pulled{repository: repo}
	for _, layer := range m.Layers {
		switch layer.MediaType {
		case SlotMediaType:
			p.slot = layer
		case IndexMediaType:
			p.index = layer
		}
	}
	if p.slot.Digest == "" {
		return nil, fmt.Errorf("it has no layer of type %s: it is no upgrade of Coracle", SlotMediaType)
	}
	return p, nil
}

// Open asks for a part of the artifact.
func (p *pulled) Open(ctx context.Context, offset, length int64) (body io.ReadCloser, whole bool, err error) {
	blob := p.repository.Reference
	blob.Reference = p.slot.Digest.String()
	scheme := "https"
	if p.repository.PlainHTTP {
		scheme = "http"
	}
	address := fmt.Sprintf("%s://%s/v2/%s/blobs/%s", scheme, blob.Host(), blob.Repository, blob.Reference) // OCI distribution spec, "Pulling blobs"
	ctx = auth.AppendRepositoryScope(ctx, blob, auth.ActionPull)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, false, permanent{err}
	}
	askForPart(r, offset, length)
	a, err := p.repository.Client.Do(r)
	if err != nil {
		return nil, false, err
	}
	body, whole, err = part(a, offset)
	return body, whole, named(address, err)
}

// Index fetches the index of chunks.
func (p *pulled) Index(ctx context.Context) ([]byte, error) {
	if p.index.Digest == "" {
		return nil, fs.ErrNotExist
	}
	if p.index.Size > chunks.Most {
		return nil, errors.New("the index of the artifact is too large")
	}
	body, err := p.repository.Blobs().Fetch(ctx, p.index)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(io.LimitReader(body, chunks.Most))
}
