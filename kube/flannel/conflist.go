package flannel

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/coracle-os/coracle/kube/network"
)

// confName is where tools look for flannel's configuration. containerd takes the first file by name in the folder.
const confName = "10-flannel.conflist"

// conflist is the CNI configuration of this node's pods: a bridge with addresses out of podCIDRs, and host ports.
// The plugins bridge, host-local and portmap do it alone; flannel's own plugin would only delegate to them.
func conflist(podCIDRs []string, mtu int, ipamDir string) ([]byte, error) {
	type object = map[string]any
	ranges := make([][]object, 0, len(podCIDRs))
	for _, cidr := range podCIDRs {
		ranges = append(ranges, []object{{"subnet": cidr}})
	}
	b, err := json.MarshalIndent(object{
		"cniVersion": "1.0.0",
		"name":       "cbr0",
		"plugins": []object{
			{
				"type":             "bridge",
				"bridge":           "cni0",
				"mtu":              mtu,
				"isDefaultGateway": true,
				"forceAddress":     true,  // the bridge may still have the address of a former pod CIDR
				"hairpinMode":      true,  // a pod may reach itself through its Service
				"ipMasq":           false, // flannel does it for the whole cluster network
				"ipam": object{
					"type":    "host-local",
					"ranges":  ranges,
					"dataDir": ipamDir,
				},
			},
			{
				"type":         "portmap",
				"backend":      "nftables",
				"capabilities": object{"portMappings": true},
			},
		},
	}, "", "  ")
	return append(b, '\n'), err
}

// writeConflist replaces the configuration in dir, unless it is the same already: containerd reloads it at each write.
func writeConflist(dir string, content []byte) error {
	path := filepath.Join(dir, confName)
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, content) {
		return nil
	}
	if err := network.MakeConfDir(dir); err != nil {
		return err
	}
	// A hidden name without a suffix that containerd reads.
	temp := filepath.Join(dir, "."+confName+".new")
	if err := os.WriteFile(temp, content, 0o644); err != nil {
		return fmt.Errorf("CNI configuration: %w", err)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("CNI configuration: %w", err)
	}
	return nil
}

// removeConflist makes room for another CNI's configuration, which may sort after ours.
func removeConflist(dir string) error {
	if err := os.Remove(filepath.Join(dir, confName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("CNI configuration: %w", err)
	}
	return nil
}
