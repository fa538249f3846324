package images

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	containerd "github.com/containerd/containerd/v2/client"
	ctdimages "github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
)

// Labels of the records in containerd's image store.
const (
	labelManaged = "io.cri-containerd.image"  // "managed": CRI need not write its own label
	labelPinned  = "io.cri-containerd.pinned" // "pinned": reported to the kubelet, which then never deletes it
	labelFrom    = "coracle.dev/imported-from"
)

// has says whether an image is there, of this digest, unpacked and pinned.
func (imp *importer) has(ctx context.Context, i image) (bool, error) {
	record, err := imp.client.ImageService().Get(ctx, i.name)
	if errdefs.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if record.Target.Digest != i.target.Digest || record.Labels[labelPinned] != "pinned" {
		return false, nil
	}
	unpacked, err := containerd.NewImage(imp.client, record).IsUnpacked(ctx, snapshotter)
	if errdefs.IsNotFound(err) { // its config or manifest is gone
		return false, nil
	}
	return unpacked, err
}

// put creates or replaces the record of an image. It returns the ID of the image that was replaced, if one was.
func (imp *importer) put(ctx context.Context, r ctdimages.Image) (oldID string, err error) {
	store := imp.client.ImageService()
	if _, err = store.Create(ctx, r); err == nil || !errdefs.IsAlreadyExists(err) {
		return "", err
	}
	old, err := store.Get(ctx, r.Name)
	if err != nil {
		return "", err
	}
	// Before the update: afterwards the old content may be collected at any time.
	if config, err := containerd.NewImage(imp.client, old).Config(ctx); err == nil {
		oldID = config.Digest.String()
	}
	_, err = store.Update(ctx, r, "target", "labels")
	return oldID, err
}

// forget removes the record by ID of an image whose name now stands for another: it is pinned and would stay for ever.
// Containers that run from it are not disturbed, they hold its snapshot.
func (imp *importer) forget(ctx context.Context, name, id string) {
	if err := imp.client.ImageService().Delete(ctx, id); err != nil && !errdefs.IsNotFound(err) {
		slog.Warn("replaced image not removed", "image", name, "id", id, "error", err)
	}
}

// unpinGone leaves images to the kubelet's garbage collection when the folder that they came from is there, but no
// longer has them: after an upgrade, the add-ons of the version before. Images of a medium that was taken out stay.
func (imp *importer) unpinGone(ctx context.Context, archives []archive, dirs []string) error {
	if len(dirs) == 0 {
		return nil
	}
	store := imp.client.ImageService()
	records, err := store.List(ctx, `labels."`+labelFrom+`"`)
	if err != nil {
		return fmt.Errorf("list imported images: %w", err)
	}
	var errs []error
	for _, r := range gone(records, archives, dirs) {
		r.Labels[labelPinned] = ""
		if _, err := store.Update(ctx, r, "labels."+labelPinned); err != nil {
			errs = append(errs, fmt.Errorf("unpin image %s: %w", r.Name, err))
		}
	}
	return errors.Join(errs...)
}

// gone returns the pinned records that came from one of dirs and whose image no archive has any more.
func gone(records []ctdimages.Image, archives []archive, dirs []string) []ctdimages.Image {
	have := make(map[string]bool)
	for _, a := range archives {
		for _, i := range a.images {
			have[i.name], have[i.target.Digest.String()] = true, true
		}
	}
	var out []ctdimages.Image
	for _, r := range records {
		if r.Labels[labelPinned] != "pinned" || !slices.Contains(dirs, r.Labels[labelFrom]) || have[r.Name] {
			continue
		}
		// A record by ID belongs to the image with the same target.
		if strings.HasPrefix(r.Name, "sha256:") && have[r.Target.Digest.String()] {
			continue
		}
		out = append(out, r)
	}
	return out
}
