package kernel

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coracle-os/coracle/tools/imager/debian"
)

// imagePrefix is what the name of a kernel package has before the release.
const imagePrefix = "linux-image-"

// folders are those of a kernel's packages that have anything but documentation.
var folders = []string{"boot", "usr/lib"}

// realPackage finds the versioned kernel package in a Depends field.
func realPackage(depends string) string {
	for _, name := range dependencies(depends) {
		if strings.HasPrefix(name, imagePrefix) {
			return name
		}
	}
	return ""
}

// dependencies are the names in a Depends field, of alternatives the first.
func dependencies(depends string) []string {
	var names []string
	for part := range strings.SplitSeq(depends, ",") {
		if words := strings.Fields(part); len(words) > 0 {
			names = append(names, words[0])
		}
	}
	return names
}

// parts are the packages that a kernel consists of: up to Linux 6.12 it is one; later the image, the modules, and the indexes with
// the device trees are in packages of their own, on which the first depends. Their names end in the kernel's release.
func parts(ctx context.Context, a archive, first, release string) ([]debian.Package, error) {
	var all []debian.Package
	for names := []string{first}; len(names) > 0; {
		found, err := a.Packages(ctx, names...)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
		names = nil
		for _, p := range found {
			for _, name := range dependencies(p.Depends) {
				known := slices.ContainsFunc(all, func(q debian.Package) bool { return q.Name == name }) || slices.Contains(names, name)
				if strings.HasPrefix(name, "linux-") && strings.HasSuffix(name, "-"+release) && !known {
					names = append(names, name)
				}
			}
		}
	}
	return slices.DeleteFunc(all, isEmpty), nil
}

// isEmpty is whether a package only depends on others.
func isEmpty(p debian.Package) bool {
	return !slices.ContainsFunc(folders, func(folder string) bool {
		_, err := os.Stat(filepath.Join(p.Root, folder))
		return err == nil
	})
}

// together is a folder with the files of all packages, which lasts as long as they do: depmod wants modules and indexes in one place.
func together(packages []debian.Package) (string, error) {
	switch len(packages) {
	case 0:
		return "", fmt.Errorf("none of its packages has a file in %s", strings.Join(folders, " or "))
	case 1:
		return packages[0].Root, nil
	}
	var sums []string
	for _, p := range packages {
		sums = append(sums, p.SHA256)
	}
	want := strings.Join(sums, "\n")
	root := packages[0].Root + ".together"
	marker := filepath.Join(root, ".sha256")
	if b, err := os.ReadFile(marker); err == nil && string(b) == want {
		return root, nil
	}
	if err := debian.Merge(root, packages, folders...); err != nil {
		return "", err
	}
	return root, os.WriteFile(marker, []byte(want), 0o644) // last: without it the folder is made again
}
