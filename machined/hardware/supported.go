package hardware

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// SupportedPath lists in an image what boards it has been made for, by the names of device trees, one a line. An image without it
// is for any board.
const SupportedPath = "/usr/share/coracle/boards"

// ReadSupported reads the list at path; empty: any board.
func ReadSupported(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("what boards this image is for: %w", err)
	}
	return strings.Fields(string(text)), nil
}

// Supported is whether an image that has been made for these boards has been made for b. A machine without a device tree finds
// out by itself what it is made of, and any image will do; and so it does on boards of others than the makers of those: they start from
// UEFI, which the image is for too.
func Supported(b Board, compatible []string) bool {
	if len(compatible) == 0 || len(b.Compatible) == 0 {
		return true
	}
	vendor, _, _ := strings.Cut(b.Compatible[0], ",")
	ofVendor := func(name string) bool { return strings.HasPrefix(name, vendor+",") }
	return !slices.ContainsFunc(compatible, ofVendor) ||
		slices.ContainsFunc(b.Compatible, func(name string) bool { return slices.Contains(compatible, name) })
}
