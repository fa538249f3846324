package bootfiles

import (
	index "github.com/coracle-os/coracle/images/bootfiles"
)

// plan is what is to be done on BOOT.
type plan struct {
	write  []index.File // in this order
	kept   []string     // that people have changed, and that stay as they are
	remove []string     // what is left of a run that the power cut ended
	space  uint64       // bytes that have to be free: the old files stay until the new ones are whole
}

func (p plan) empty() bool { return len(p.write) == 0 && len(p.remove) == 0 }

// onBoot is what BOOT is like.
type onBoot struct {
	sums      map[string]string // hex SHA-256 of the files that are there, by their path in the index
	leftovers []string
	cluster   uint64 // bytes that the smallest file takes
}

// planFor compares the index of the version that runs with BOOT. ours has what Coracle wrote last of the files that people may change.
func planFor(files []index.File, on onBoot, ours map[string]string) plan {
	p := plan{remove: on.leftovers}
	for _, f := range files {
		sum, there := on.sums[f.Path]
		switch {
		case sum == f.SHA256:
		case there && f.KeepIfChanged && sum != ours[f.Path]:
			p.kept = append(p.kept, f.Path)
		default:
			p.write = append(p.write, f)
			// One cluster more, for folders that are made or that grow.
			p.space += (uint64(f.Size)+on.cluster-1)/on.cluster*on.cluster + on.cluster
		}
	}
	return p
}
