// Package fat makes FAT file systems whose bytes depend on nothing but what they are told to hold.
//
// They are made by mkfs.fat and mtools: firmware, GRUB, Windows and Linux all have to read them, and a person writes
// machine.yaml to one from any computer. No root and no loop device is needed.
package fat

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Tools runs mkfs.vfat, mmd and mcopy.
type Tools interface {
	Command(ctx context.Context, name string, args ...string) *exec.Cmd
}

// File is one file of a file system. Its content is Data, or that of the file Source when that is set.
type File struct {
	Path   string // slash-separated and relative, such as EFI/BOOT/BOOTX64.EFI; its folders are made
	Source string
	Data   []byte
}

// Spec describes a file system.
type Spec struct {
	Size    int64     // bytes, a multiple of 1 KiB
	Label   string    // at most 11 characters, upper case
	ID      uint32    // volume serial number
	Cluster int       // bytes in a cluster: 512 to 65536, a power of two; 0: 512, for FAT32 as the UEFI specification has it
	Time    time.Time // date of all files, not before 1980
	Files   []File
}

// epoch is the first date that FAT can hold.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// Make writes the file system to the file name, which it replaces.
func Make(ctx context.Context, tools Tools, name string, s Spec) error {
	if err := s.check(); err != nil {
		return fmt.Errorf("make FAT file system %s: %w", name, err)
	}
	m := maker{ctx, tools, name, s}
	if err := m.format(); err != nil {
		return err
	}
	staging, err := os.MkdirTemp(filepath.Dir(name), ".fat-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(staging)
	made := map[string]bool{".": true}
	for i, f := range s.Files {
		if err := m.folders(path.Dir(f.Path), made); err != nil {
			return err
		}
		if err := m.copy(f, filepath.Join(staging, fmt.Sprint(i))); err != nil {
			return fmt.Errorf("copy %s into FAT file system %s: %w", f.Path, name, err)
		}
	}
	return nil
}

func (s *Spec) check() error {
	if s.Cluster == 0 {
		s.Cluster = 512
	}
	seen := map[string]bool{}
	for _, f := range s.Files {
		clean := path.Clean(f.Path)
		if clean != f.Path || path.IsAbs(clean) || clean == "." || strings.HasPrefix(clean, "..") {
			return fmt.Errorf("%q is no relative path", f.Path)
		}
		if folded := strings.ToLower(clean); seen[folded] {
			return fmt.Errorf("%s is there twice", f.Path)
		} else {
			seen[folded] = true
		}
	}
	switch {
	case s.Size <= 0 || s.Size%1024 != 0:
		return fmt.Errorf("size %d is not a positive multiple of 1024", s.Size)
	case s.Cluster < 512 || s.Cluster > 65536 || s.Cluster&(s.Cluster-1) != 0:
		return fmt.Errorf("cluster size %d is not a power of two from 512 to 65536", s.Cluster)
	case len(s.Label) > 11 || s.Label != strings.ToUpper(s.Label):
		return fmt.Errorf("label %q is longer than 11 characters or has lower-case ones", s.Label)
	case s.Time.Before(epoch):
		return fmt.Errorf("date %s is before 1980, which FAT cannot hold", s.Time.Format(time.DateOnly))
	}
	need, err := s.Need()
	if err != nil {
		return err
	}
	if need > s.Size {
		return fmt.Errorf("its files need %d bytes, it has %d", need, s.Size)
	}
	return nil
}

// Need is the least size in bytes, rounded up a little, of a file system that holds the Files.
func (s Spec) Need() (int64, error) {
	cluster := int64(max(s.Cluster, 512))
	clusters := int64(1) // the root folder
	folders := map[string]bool{}
	for _, f := range s.Files {
		size := int64(len(f.Data))
		if f.Source != "" {
			st, err := os.Stat(f.Source)
			if err != nil {
				return 0, err
			}
			size = st.Size()
		}
		clusters += (size + cluster - 1) / cluster
		for d := path.Dir(f.Path); d != "."; d = path.Dir(d) {
			folders[d] = true
		}
	}
	clusters += int64(len(folders))
	const reserved = 32 * 512
	table := (clusters*4 + 511 + cluster) / 512 * 512
	return reserved + 2*table + (clusters+1)*cluster, nil
}

type maker struct {
	ctx   context.Context
	tools Tools
	image string
	Spec
}

func (m maker) format() error {
	os.Remove(m.image)
	f, err := os.Create(m.image)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(m.Size), f.Close()); err != nil {
		return fmt.Errorf("size %s: %w", m.image, err)
	}
	// -a: no alignment of structures, so that Need is right for any cluster size. --invariant sets an ID of its own, so -i comes after it.
	args := []string{"-F", "32", "-a", "-S", "512", "-s", fmt.Sprint(m.Cluster / 512), "--invariant", "-i", fmt.Sprintf("%08x", m.ID)}
	if m.Label != "" {
		args = append(args, "-n", m.Label)
	}
	return m.run("mkfs.vfat", append(args, m.image)...)
}

// folders makes dir and those above it, once.
func (m maker) folders(dir string, made map[string]bool) error {
	if made[dir] {
		return nil
	}
	if err := m.folders(path.Dir(dir), made); err != nil {
		return err
	}
	made[dir] = true
	return m.run("mmd", "-i", m.image, "::/"+dir)
}

// copy goes through a staged file because mcopy takes the date of the file that it reads.
func (m maker) copy(f File, staged string) error {
	data := f.Data
	if f.Source != "" {
		var err error
		if data, err = os.ReadFile(f.Source); err != nil {
			return err
		}
	}
	if err := os.WriteFile(staged, data, 0o644); err != nil {
		return err
	}
	defer os.Remove(staged)
	if err := os.Chtimes(staged, m.Time, m.Time); err != nil {
		return err
	}
	return m.run("mcopy", "-m", "-i", m.image, staged, "::/"+f.Path)
}

func (m maker) run(name string, args ...string) error {
	cmd := m.tools.Command(m.ctx, name, args...)
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	// mtools dates folders by SOURCE_DATE_EPOCH and converts dates with the time zone; a user's settings must not matter.
	cmd.Env = append(slices.Clone(cmd.Env), fmt.Sprintf("SOURCE_DATE_EPOCH=%d", m.Time.Unix()), "TZ=UTC",
		"LC_ALL=C", "MTOOLSRC=/dev/null", "MTOOLS_SKIP_CHECK=1", "MTOOLS_NO_VFAT=0", "MTOOLS_LOWER_CASE=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
