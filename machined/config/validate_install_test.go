package config

import (
	"strings"
	"testing"

	"github.com/coracle-os/coracle/machined/config/types"
)

func TestValidateInstall(t *testing.T) {
	install := func(s string) string { return "  install: " + s }
	const none = "selects no disk; write one or more of serial, model, transport, minSize, maxSize and name, such as disk: {transport: nvme}"
	checkCases(t, map[string]struct{ in, want string }{
		"nothing":      {install("{}"), "m:5: machine.install.disk: " + none},
		"no disk":      {install("{wipe: true}"), "m:5: machine.install.disk: " + none},
		"empty disk":   {install("{disk: {}}"), "m:5: machine.install.disk: " + none},
		"transport":    {install("{disk: {transport: sata}}"), `m:5: machine.install.disk.transport: is "sata", should be nvme, ata, usb, mmc, virtio or scsi`},
		"then":         {install("{disk: {name: sda}, then: halt}"), `m:5: machine.install.then: is "halt", should be reboot or shutdown`},
		"size":         {install("{disk: {minSize: 32G}}"), `m:5: machine.install.disk.minSize: "32G" is not a size such as 500MB, 32GB, 32GiB or 2TB`},
		"no size":      {install("{disk: {minSize: 2TB, maxSize: 1TiB}}"), "m:5: machine.install.disk.minSize: 2TB is more than maxSize, 1TiB"},
		"link":         {install("{disk: {name: /dev/disk/by-id/ata-x}}"), `m:5: machine.install.disk.name: "/dev/disk/by-id/ata-x" is not a kernel's name such as /dev/nvme0n1 or sd*; links such as /dev/disk/by-id are not known here: write serial`},
		"blank":        {install("{disk: {model: 'Samsung '}}"), `m:5: machine.install.disk.model: "Samsung " begins or ends with a blank, or has more than one line: no disk has that`},
		"misspelt":     {install("{disc: {name: sda}}"), "m:5: machine.install.disc: unknown field; did you mean \"disk\"?\nm:5: machine.install.disk: " + none},
		"empty serial": {install("{disk: {serial: ''}}"), "m:5: machine.install.disk: " + none},
		"wipe is not":  {install("{disk: {name: sda}, wipe: maybe}"), `m:5: machine.install.wipe: is "maybe", should be true or false`},
	})
	c, err := Parse("m", []byte(strings.Replace(smallest, "role: server", "role: server, install: {disk: {serial: 0123, minSize: 32GB}}", 1)))
	want := types.Install{Disk: types.InstallDisk{Serial: "0123", MinSize: 32e9}, Then: types.ThenReboot}
	if err != nil || *c.Machine.Install != want {
		t.Errorf("%+v, %v", c.Machine.Install, err)
	}
}
