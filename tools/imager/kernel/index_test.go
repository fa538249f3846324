package kernel

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func testIndex(t *testing.T) *Index {
	t.Helper()
	files := fstest.MapFS{}
	for name, text := range map[string]string{
		"modules.dep": "kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz kernel/lib/crc16.ko.xz\n" +
			"kernel/fs/jbd2/jbd2.ko.xz:\nkernel/lib/crc16.ko.xz:\nkernel/crypto/crc32c_generic.ko.xz:\n" +
			"kernel/arch/x86/crypto/crc32c-intel.ko.xz:\nkernel/drivers/net/r8169.ko.xz: kernel/drivers/net/phy/libphy.ko.xz\n" +
			"kernel/drivers/net/phy/libphy.ko.xz:\nkernel/drivers/net/phy/realtek.ko.xz: kernel/drivers/net/phy/libphy.ko.xz\n",
		"modules.softdep":         "# Soft dependencies\nsoftdep jbd2 pre: crypto-crc32c\nsoftdep r8169 pre: realtek\nsoftdep ext4 pre: not-there\n",
		"modules.alias":           "alias crypto-crc32c crc32c_intel\nalias crypto-crc32c crc32c_generic\nalias pci:v*d* r8169\n",
		"modules.builtin":         "kernel/drivers/virtio/virtio-pci.ko\n",
		"modules.builtin.modinfo": "virtio_pci.license=GPL\x00sha256.alias=crypto-sha256-lib\x00sha256.alias=crypto-sha256\x00",
	} {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	x, err := ReadIndex(files, files)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestClosure(t *testing.T) {
	x := testIndex(t)
	for _, test := range []struct{ names, want string }{
		{"crc16", "crc16"},
		{"jbd2", "crc32c_generic crc32c_intel jbd2"},
		{"ext4", "crc16 crc32c_generic crc32c_intel ext4 jbd2"},
		{"r8169 virtio-pci", "libphy r8169 realtek"},
		{"crc32c-intel", "crc32c_intel"},
	} {
		got, err := x.Closure(strings.Fields(test.names)...)
		if err != nil || !slices.Equal(got, strings.Fields(test.want)) {
			t.Errorf("Closure(%s) = %v, %v; want %s", test.names, got, err, test.want)
		}
	}
}

func TestClosureNamesAllUnknownModules(t *testing.T) {
	_, err := testIndex(t).Closure("ext5", "crc16", "nothing_like_it_at_all")
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"ext5", `"ext4"`, "nothing_like_it_at_all"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %q", want, err)
		}
	}
}

func TestProvides(t *testing.T) {
	x := testIndex(t)
	for _, test := range []struct {
		alias, modules string
		want           bool
	}{
		{"crypto-sha256", "", true},
		{"crypto-crc32c", "jbd2 crc32c_generic", true},
		{"crypto-crc32c", "jbd2", false},
		{"crypto-blake2b-256", "jbd2", false},
	} {
		if got := x.Provides(test.alias, strings.Fields(test.modules)); got != test.want {
			t.Errorf("Provides(%s, %s) = %v", test.alias, test.modules, got)
		}
	}
}

func TestFirmwareNames(t *testing.T) {
	got := firmwareNames([]byte("license=GPL\x00firmware=rtl_nic/a.fw\x00alias=x\x00firmware=rtl_nic/b.fw\x00"))
	if !slices.Equal(got, []string{"rtl_nic/a.fw", "rtl_nic/b.fw"}) {
		t.Errorf("got %q", got)
	}
}
