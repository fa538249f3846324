package devices

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
)

// mounted are the nodes at USB that the machine has file systems mounted from, by their names below /dev: disks, and the hubs that these
// are plugged into. Who has such a node can take the disk away from the kernel, and write on it.
func (c Config) mounted() (map[string]bool, error) {
	f, err := os.Open(c.Mountinfo)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	mounts, err := mountinfo.GetMountsFromReader(f, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Mountinfo, err)
	}
	nodes, seen := map[string]bool{}, map[string]bool{}
	for _, m := range mounts {
		if number := fmt.Sprintf("%d:%d", m.Major, m.Minor); !seen[number] {
			seen[number] = true
			if err := c.usbOf(filepath.Join(c.Sys, "dev/block", number), nodes); err != nil {
				return nil, err
			}
		}
	}
	return nodes, nil
}

// usbOf adds the nodes at USB that a block device is at, with all that it is made of. One that has no entry is none, as that of a tmpfs.
func (c Config) usbOf(entry string, nodes map[string]bool) error {
	dir, err := filepath.EvalSymlinks(entry)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	parts, err := filepath.Glob(filepath.Join(dir, "slaves/*")) // of one that dm-verity makes
	if err != nil {
		return err
	}
	for _, part := range parts {
		if err := c.usbOf(part, nodes); err != nil {
			return err
		}
	}
	for ; len(dir) > len(c.Sys); dir = filepath.Dir(dir) {
		bus, err := number(filepath.Join(dir, "busnum"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		device, err := number(filepath.Join(dir, "devnum"))
		if err != nil {
			return err
		}
		nodes[fmt.Sprintf("bus/usb/%03d/%03d", bus, device)] = true
	}
	return nil
}

func number(file string) (int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	return n, nil
}
