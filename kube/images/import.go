// Package images brings the container images that are in the root image, or on an attached medium, into containerd.
//
// They are pinned: the kubelet's garbage collection must not delete what can only come back with a reboot. At later
// starts only the index.json of each archive is read and compared.
package images

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"path/filepath"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/diff"
	ctdimages "github.com/containerd/containerd/v2/core/images"
	ctdarchive "github.com/containerd/containerd/v2/core/images/archive"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/platforms"
)

// Images that Coracle builds from source and has in its root.
const (
	Pause   = "coracle.local/pause:1"
	CoreDNS = "coracle.local/coredns:v1.15.0"
)

const (
	namespace   = "k8s.io" // where CRI looks
	snapshotter = "overlayfs"
)

// Small is the size of archives, in bytes, that are worth importing before anything else when a machine starts: a second's
// work even on a slow one.
const Small = 8 << 20

// All is for [Import] when archives of any size are wanted.
const All = math.MaxInt64

// Import brings every archive (*.tar, *.tar.gz, *.tgz, *.tar.zst) of at most largest bytes in dirs into containerd, unless
// the same image is there already: Pause first, because every pod waits for it, then by size. An archive that cannot be
// imported does not stop the others; the error has all of them, each with its path. A folder that does not exist is no error.
func Import(ctx context.Context, socket string, dirs []string, largest int64) error {
	client, err := containerd.New(socket, containerd.WithDefaultNamespace(namespace))
	if err != nil {
		return fmt.Errorf("import images: connect to containerd: %w", err)
	}
	defer client.Close()
	imp := &importer{client: client, platform: platforms.Default()}
	ctx = namespaces.WithNamespace(ctx, namespace)

	var (
		errs     []error
		archives []archive
		complete []string // folders of which every archive could be read
	)
	for _, dir := range dirs {
		found, err := scan(dir, imp.platform)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			complete = append(complete, dir)
		}
		errs = append(errs, err)
		archives = append(archives, found...)
	}
	inOrder(archives)
	for _, a := range archives {
		if ctx.Err() != nil {
			return fmt.Errorf("import images: %w", ctx.Err())
		}
		if a.size > largest && !a.hasPause() {
			continue
		}
		if err := imp.archive(ctx, a); err != nil {
			errs = append(errs, fmt.Errorf("import images of %s: %w", a.path, err))
		}
	}
	errs = append(errs, imp.unpinGone(ctx, archives, complete))
	if imp.imported {
		errs = append(errs, imp.collect(ctx))
	}
	return errors.Join(errs...)
}

type importer struct {
	client   *containerd.Client
	platform platforms.MatchComparer
	imported bool // anything
}

// archive imports those images of a that are absent or differ. An image becomes visible to CRI, by its record in the
// image store, only once it is unpacked and on disk, so neither a pod nor a power cut can find half of one.
func (imp *importer) archive(ctx context.Context, a archive) error {
	var absent []image
	for _, i := range a.images {
		there, err := imp.has(ctx, i)
		if err != nil {
			return fmt.Errorf("look up %s: %w", i.name, err)
		}
		if !there {
			absent = append(absent, i)
		}
	}
	if len(absent) == 0 {
		return nil
	}
	start := time.Now()
	ctx, release, err := imp.client.WithLease(ctx) // against containerd's garbage collection until there are records
	if err != nil {
		return err
	}
	defer release(context.WithoutCancel(ctx))

	r, err := open(a.path)
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := ctdarchive.ImportIndex(ctx, imp.client.ContentStore(), r); err != nil {
		return err
	}
	for _, i := range absent {
		if err := imp.add(ctx, i, filepath.Dir(a.path)); err != nil {
			return fmt.Errorf("%s: %w", i.name, err)
		}
		imp.imported = true
		slog.Info("image imported", "image", i.name, "from", a.path, "took", time.Since(start).Round(time.Millisecond))
	}
	return nil
}

func (imp *importer) add(ctx context.Context, i image, from string) error {
	cs := imp.client.ContentStore()
	// Labels that keep the manifest and config from being collected, but not the layers: unpacked, they are of no use.
	keep := ctdimages.SetChildrenMappedLabels(cs, ctdimages.FilterPlatforms(ctdimages.ChildrenHandler(cs), imp.platform),
		ctdimages.ChildGCLabelsFilterLayers)
	if err := ctdimages.WalkNotEmpty(ctx, keep, i.target); err != nil {
		return err
	}
	record := ctdimages.Image{
		Name:   i.name,
		Target: i.target,
		Labels: map[string]string{labelManaged: "managed", labelPinned: "pinned", labelFrom: from},
	}
	img := containerd.NewImage(imp.client, record)
	// Files are on disk before the snapshot is recorded: after a power cut it is whole or absent.
	err := img.Unpack(ctx, snapshotter, containerd.WithUnpackApplyOpts(diff.WithSyncFs(true)))
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	config, err := img.Config(ctx)
	if err != nil {
		return err
	}
	// CRI knows an image by the digest of its config, too; it would add this record itself, without the pin.
	byID := record
	byID.Name = config.Digest.String()
	if _, err := imp.put(ctx, byID); err != nil {
		return err
	}
	oldID, err := imp.put(ctx, record)
	if err != nil {
		return err
	}
	if oldID != "" && oldID != byID.Name {
		imp.forget(ctx, i.name, oldID)
	}
	return nil
}

// collect removes the layers that were unpacked, and what else nobody refers to. Left to itself, containerd would do it
// after a hundred more changes.
func (imp *importer) collect(ctx context.Context) error {
	manager := imp.client.LeasesService()
	lease, err := manager.Create(ctx, leases.WithRandomID())
	if err == nil {
		err = manager.Delete(ctx, lease, leases.SynchronousDelete)
	}
	if err != nil {
		return fmt.Errorf("collect unpacked layers: %w", err)
	}
	return nil
}
