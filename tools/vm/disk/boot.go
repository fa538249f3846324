package disk

import (
	"fmt"
	"io"
	"os"

	"github.com/diskfs/go-diskfs"
	"github.com/diskfs/go-diskfs/filesystem"
	"github.com/diskfs/go-diskfs/filesystem/fat32"
)

// ConfigName is the machine config's name on the BOOT partition, and on a volume labelled CORACLE.
const ConfigName = "machine.yaml"

// openBoot opens the file system of the BOOT partition.
func openBoot(path string, mode diskfs.OpenModeOption) (filesystem.FileSystem, func() error, error) {
	p, err := Partition(path, Boot)
	if err != nil {
		return nil, nil, err
	}
	d, err := diskfs.Open(path, diskfs.WithOpenMode(mode))
	if err != nil {
		return nil, nil, fmt.Errorf("open disk %s: %w", path, err)
	}
	fs, err := fat32.Read(d.Backend, p.Size, p.Start, 0)
	if err != nil {
		d.Close()
		return nil, nil, fmt.Errorf("disk %s: partition %s is not FAT32: %w", path, Boot, err)
	}
	return fs, d.Close, nil
}

// WriteBootFile puts a file on the BOOT partition of the disk at path, as a person would do with the card in a reader.
func WriteBootFile(path, name string, content []byte) error {
	fs, closeDisk, err := openBoot(path, diskfs.ReadWrite)
	if err != nil {
		return err
	}
	defer closeDisk()
	if err := writeFile(fs, name, content); err != nil {
		return fmt.Errorf("disk %s: partition %s: %w", path, Boot, err)
	}
	return nil
}

// BootFiles lists the names in the top folder of the BOOT partition.
func BootFiles(path string) ([]string, error) {
	fs, closeDisk, err := openBoot(path, diskfs.ReadOnly)
	if err != nil {
		return nil, err
	}
	defer closeDisk()
	entries, err := fs.ReadDir(".")
	if err != nil {
		return nil, fmt.Errorf("disk %s: list partition %s: %w", path, Boot, err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

func writeFile(fs filesystem.FileSystem, name string, content []byte) error {
	f, err := fs.OpenFile(name, os.O_CREATE|os.O_RDWR|os.O_TRUNC)
	if err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	if _, err := f.Write(content); err != nil {
		f.Close()
		return fmt.Errorf("write %s: %w", name, err)
	}
	return f.Close()
}

// RemoveBootFile takes a file off the BOOT partition of the disk at path.
func RemoveBootFile(path, name string) error {
	fs, closeDisk, err := openBoot(path, diskfs.ReadWrite)
	if err != nil {
		return err
	}
	defer closeDisk()
	if err := fs.Remove(name); err != nil {
		return fmt.Errorf("disk %s: partition %s: %w", path, Boot, err)
	}
	return nil
}

// ReadBootFile reads a file of the BOOT partition of the disk at path.
func ReadBootFile(path, name string) ([]byte, error) {
	fs, closeDisk, err := openBoot(path, diskfs.ReadOnly)
	if err != nil {
		return nil, err
	}
	defer closeDisk()
	f, err := fs.OpenFile(name, os.O_RDONLY)
	if err != nil {
		return nil, fmt.Errorf("disk %s: partition %s: %w", path, Boot, err)
	}
	defer f.Close()
	return io.ReadAll(f)
}
