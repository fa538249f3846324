package config

import (
	"strings"
	"testing"
	"testing/fstest"
)

// device is a network interface in /sys.
func device(fsys fstest.MapFS, name, mac, carrier string, has ...string) {
	at := "sys/class/net/" + name + "/"
	fsys[at+"type"] = &fstest.MapFile{Data: []byte("1\n")}
	fsys[at+"address"] = &fstest.MapFile{Data: []byte(mac + "\n")}
	if carrier != "" { // reading it fails while the interface is down
		fsys[at+"carrier"] = &fstest.MapFile{Data: []byte(carrier + "\n")}
	}
	for _, file := range has {
		fsys[at+file] = &fstest.MapFile{}
	}
}

func TestFacts(t *testing.T) {
	pc := fstest.MapFS{
		"sys/class/dmi/id/product_uuid":   {Data: []byte("4C4C4544-0042\n")},
		"sys/class/dmi/id/product_serial": {Data: []byte("B7 / 1+2\n")},
		"proc/sys/kernel/hostname":        {Data: []byte("coracle-0a1b2c\n")},
	}
	device(pc, "lo", "00:00:00:00:00:00", "1")
	device(pc, "enp1s0", "52:54:00:00:00:01", "0", "device/vendor")
	device(pc, "enp2s0", "52:54:00:00:00:02", "", "device/vendor")
	device(pc, "enp3s0", "52:54:00:00:00:0A", "1", "device/vendor")
	device(pc, "enp4s0", "52:54:00:00:00:04", "1", "device/vendor")
	device(pc, "br0", "52:54:00:00:00:05", "1")
	device(pc, "a-wlan0", "52:54:00:00:00:06", "1", "device/vendor", "phy80211/name")
	pi := fstest.MapFS{"sys/firmware/devicetree/base/serial-number": {Data: []byte("10000000a1b2c3d4\x00")}}
	device(pi, "wlan0", "dc:a6:32:00:00:01", "1", "device/vendor", "wireless/x")
	board := fstest.MapFS{"sys/class/dmi/id/product_serial": {Data: []byte("To Be Filled By O.E.M.\n")}}

	for name, tc := range map[string]struct {
		machine   fstest.MapFS
		url, want string
		problem   string
	}{
		"mac":       {pc, "http://e/{mac}", "http://e/52:54:00:00:00:0a", ""},
		"uuid":      {pc, "http://e/{uuid}/{uuid}", "http://e/4c4c4544-0042/4c4c4544-0042", ""},
		"serial":    {pc, "http://e/?s={serial}&x=1", "http://e/?s=B7%20%2F%201%2B2&x=1", ""},
		"hostname":  {pc, "http://e/{hostname}", "http://e/coracle-0a1b2c", ""},
		"Pi":        {pi, "http://e/{serial}", "http://e/10000000a1b2c3d4", ""},
		"no link":   {pi, "http://e/{mac}", "", "{mac}: no wired interface has a link"},
		"no uuid":   {pi, "http://e/{uuid}", "", "{uuid}: this machine has no UUID"},
		"no serial": {board, "http://e/{serial}", "", "{serial}: this machine has no serial number"},
		"unknown":   {pc, "http://e/{x}", "", "there is no placeholder {x}"},
		"none":      {pc, "http://e/", "http://e/", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Facts{tc.machine}.expand(tc.url)
			if tc.problem != "" {
				if err == nil || !strings.Contains(err.Error(), tc.problem) {
					t.Errorf("error %v, want %q", err, tc.problem)
				}
				return
			}
			if err != nil || got != tc.want {
				t.Errorf("%s, %v, want %s", got, err, tc.want)
			}
		})
	}
}
