package host

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/machined/atomicfile"
)

// IDPath is where the machine's ID is kept.
const IDPath = "/var/lib/coracle/machine-id"

var idForm = regexp.MustCompile(`^[0-9a-f]{32}$`)

// ID reads the machine's ID from path, or makes one (machine-id(5)) and keeps it there. One that is damaged is made anew.
func ID(path string) (string, error) {
	text, err := os.ReadFile(path)
	if id := strings.TrimSpace(string(text)); err == nil && idForm.MatchString(id) {
		return id, nil
	}
	id := NewID()
	if err := atomicfile.Write(path, []byte(id+"\n"), 0o444); err != nil {
		return id, fmt.Errorf("keep the machine ID: %w", err)
	}
	return id, nil
}

// NewID makes an ID: 128 random bits in hex, as a UUID of version 4 without its dashes.
func NewID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return hex.EncodeToString(b[:])
}

// BootID tells the boots of the kernel apart.
func BootID() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read which boot this is: %w", err)
	}
	return strings.TrimSpace(string(id)), nil
}

// Name is the machine's name: the one given, or one made of its ID.
func Name(given, id string) string {
	if given != "" {
		return given
	}
	return "coracle-" + id[:6]
}

// GivenNamePath is where the name is kept that a DHCP server gave the machine.
const GivenNamePath = "/var/lib/coracle/hostname"

var nameForm = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$`)

// GivenName is the name kept at path; empty: none, or none that is whole.
func GivenName(path string) string {
	text, err := os.ReadFile(path)
	if name := strings.TrimSpace(string(text)); err == nil && nameForm.MatchString(name) {
		return name
	}
	return ""
}

// TakeName keeps a name at path, and says whether it is another than before.
func TakeName(path, name string) (bool, error) {
	if GivenName(path) == name {
		return false, nil
	}
	if err := atomicfile.Write(path, []byte(name+"\n"), 0o644); err != nil {
		return false, fmt.Errorf("keep the host name: %w", err)
	}
	return true, nil
}

// SetName makes name the kernel's host name.
func SetName(name string) error {
	if err := unix.Sethostname([]byte(name)); err != nil {
		return fmt.Errorf("set the host name %s: %w", name, err)
	}
	return nil
}
