package rootfs

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/coracle-os/coracle/tools/imager/command"
	"github.com/coracle-os/coracle/tools/imager/definition"
)

// Packages are the Debian packages whose programs [Tree.Pack] runs.
var Packages = []string{"squashfs-tools", "erofs-utils"}

// Tools runs programs of [Packages].
type Tools interface {
	Command(ctx context.Context, name string, args ...string) *exec.Cmd
}

// Pack writes the tree as a file system to the file out, everything owned by root and dated to at. digest is the tree's.
func (t *Tree) Pack(ctx context.Context, tools Tools, r definition.Root, digest string, at time.Time, out string) error {
	if err := os.RemoveAll(out); err != nil { // mksquashfs would append
		return err
	}
	var cmd *exec.Cmd
	switch r.Format {
	case "squashfs":
		cmd = tools.Command(ctx, "mksquashfs", squashfsArgs(t.Dir, out, r, at)...)
	case "erofs":
		cmd = tools.Command(ctx, "mkfs.erofs", erofsArgs(t.Dir, out, r, digest, at)...)
	default:
		return fmt.Errorf("root format %q is not known", r.Format)
	}
	if _, err := command.Output(cmd); err != nil {
		return fmt.Errorf("pack the root: %w", err)
	}
	info, err := os.Stat(out)
	if err != nil {
		return err
	}
	if info.Size() > int64(r.Limit) {
		return fmt.Errorf("the root has %d bytes, more than its limit of %s: raise root.limit in the image definition, or take something out",
			info.Size(), r.Limit)
	}
	return nil
}

func squashfsArgs(dir, out string, r definition.Root, at time.Time) []string {
	date := strconv.FormatInt(at.Unix(), 10)
	compression := map[string]string{"zstd": "zstd", "xz": "xz", "lz4hc": "lz4"}[r.Compression]
	args := []string{
		dir, out, "-noappend", "-all-root", "-no-xattrs", "-no-exports", "-quiet", "-no-progress",
		"-mkfs-time", date, "-all-time", date, "-b", strconv.FormatInt(int64(r.Block), 10), "-comp", compression,
	}
	switch {
	case r.Compression == "lz4hc":
		args = append(args, "-Xhc")
	case r.Compression == "zstd" && r.Level > 0:
		args = append(args, "-Xcompression-level", strconv.Itoa(r.Level))
	}
	return args
}

func erofsArgs(dir, out string, r definition.Root, digest string, at time.Time) []string {
	compression := r.Compression
	if r.Level > 0 {
		compression += ",level=" + strconv.Itoa(r.Level)
	}
	id := sha256.Sum256([]byte("coracle root " + digest))
	return []string{
		"-T", strconv.FormatInt(at.Unix(), 10), "--all-root", "-x-1", "--quiet",
		"-U", fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:16]),
		"-z", compression, "-C", strconv.FormatInt(int64(r.Block), 10), "-E", "fragments,dedupe", out, dir,
	}
}
