package config

import (
	"slices"
	"strings"

	"github.com/coracle-os/coracle/machined/config/types"
)

func checkInstall(k *checker) {
	install := k.Machine.Install
	if install == nil {
		return
	}
	d := install.Disk
	// What is wrong with one of these was said.
	given := slices.ContainsFunc([]string{"transport", "minSize", "maxSize"}, func(f string) bool { return k.doc.Has("machine.install.disk." + f) })
	if d == (types.InstallDisk{}) && !given {
		k.fail("machine.install.disk", "selects no disk; write one or more of serial, model, transport, minSize, maxSize and name, such as disk: {transport: nvme}")
	}
	if d.MinSize != 0 && d.MaxSize != 0 && d.MinSize > d.MaxSize {
		k.fail("machine.install.disk.minSize", "%v is more than maxSize, %v", d.MinSize, d.MaxSize)
	}
	for _, f := range []struct{ path, value string }{
		{"machine.install.disk.serial", d.Serial}, {"machine.install.disk.model", d.Model}, {"machine.install.disk.name", d.Name},
	} {
		if f.value != strings.TrimSpace(f.value) || strings.ContainsAny(f.value, "\n\x00") {
			k.fail(f.path, "%q begins or ends with a blank, or has more than one line: no disk has that", f.value)
		}
	}
	if name := strings.TrimPrefix(d.Name, "/dev/"); strings.Contains(name, "/") {
		k.fail("machine.install.disk.name", "%q is not a kernel's name such as /dev/nvme0n1 or sd*; links such as /dev/disk/by-id are not known here: write serial", d.Name)
	}
}
