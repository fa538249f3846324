package network

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/coracle-os/coracle/machined/atomicfile"
)

// runDir keeps what the next machined has to know to go on without a gap. It is in memory: a machine that boots starts
// afresh.
const runDir = "/run/coracle/network"

// memory is what is kept of one interface.
type memory struct {
	MAC    string         `json:"mac"`
	Lease  *lease         `json:"lease,omitempty"`
	Lease6 *lease         `json:"lease6,omitempty"`
	Owned  []netip.Prefix `json:"owned,omitempty"` // addresses that we put there
	Index  int            `json:"index,omitempty"` // that MTU is of; one that was made anew has another
	MTU    int            `json:"mtu,omitempty"`   // that it had before we changed it; 0: we have not
}

func memoryPath(dir, name string) string {
	return filepath.Join(dir, strings.ReplaceAll(name, "/", "_")+".json")
}

// of is where the lease of a family is.
func (m *memory) of(f family) **lease {
	if f == familyIPv6 {
		return &m.Lease6
	}
	return &m.Lease
}

// recall reads what is known of the interface. What another interface of that name left does not count.
func recall(dir string, l link) (memory, error) {
	b, err := os.ReadFile(memoryPath(dir, l.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return memory{MAC: l.MAC, Index: l.Index}, nil
	}
	var m memory
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil || m.MAC != l.MAC {
		return memory{MAC: l.MAC, Index: l.Index}, err
	}
	if m.Index != l.Index {
		m.Index, m.MTU = l.Index, 0
	}
	return m, nil
}

func (m memory) keep(dir, name string) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return atomicfile.Write(memoryPath(dir, name), b, 0o600)
}
