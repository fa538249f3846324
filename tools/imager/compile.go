package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/coracle-os/coracle/tools/imager/definition"
)

// initPath is what the kernel runs in the initramfs.
const initPath = "/init"

// allPrograms are those of the root, and the initramfs's.
func (b *builder) allPrograms() []definition.Program {
	return append([]definition.Program{{Path: initPath, Package: b.definition.Initramfs.Init}}, b.definition.Go...)
}

// compile builds one Go program; Go's own cache makes that quick when nothing changed.
func (b *builder) compile(ctx context.Context, p definition.Program) (string, error) {
	out := filepath.Join(b.inWork("bin"), p.Path)
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return "", err
	}
	if err := b.source.Build(ctx, b.arch, p, b.inWork("sysroot"), out); err != nil {
		return "", err
	}
	info, err := os.Stat(out)
	if err != nil {
		return "", err
	}
	b.programs[p.Path] = out
	return size(info.Size()), nil
}
