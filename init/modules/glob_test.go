package modules

import (
	"path"
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	for _, test := range []struct {
		pattern, s string
		want       bool
	}{
		{"fs-ext4", "fs-ext4", true},
		{"fs-ext4", "fs_ext4", true},
		{"fs-ext4", "fs-ext", false},
		{"", "", true},
		{"*", "", true},
		{"a*", "a", true},
		{"a*b*c", "axxbxxbc", true},
		{"a*b*c", "axxbxxbcd", false},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"virtio:d00000002v*", "virtio:d00000002v00001AF4", true},
		{"virtio:d00000002v*", "virtio:d00000001v00001AF4", false},
		{"pci:v*d*sv*sd*bc01sc06i01*", "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01", true},
		{"pci:v*d*sv*sd*bc01sc08i02*", "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01", false},
		{"usb:v1645p0007d013[0-3]dc*", "usb:v1645p0007d0132dc00", true},
		{"usb:v1645p0007d013[0-3]dc*", "usb:v1645p0007d0134dc00", false},
		{"a[!0-3]b", "a4b", true},
		{"a[!0-3]b", "a2b", false},
		{"a[]x]b", "a]b", true},
		{"a[-_]b", "a-b", true},
		{"a[x", "a[x", true},
		{"of:N*T*Cbrcm,bcm2835-sdhostC*", "of:NmmcT(null)Cbrcm,bcm2835-sdhostC", true},
		{"input:b*v*p*e*-e*1,*", "input:b0019v0000p0001e0000-e0,1,k74,ramlsfw", true},
		{"acpi*:PNP0C0C:*", "acpi:PNP0C0C:", true},
	} {
		if got := match(test.pattern, test.s); got != test.want {
			t.Errorf("match(%q, %q) = %v, want %v", test.pattern, test.s, got, test.want)
		}
	}
}

// FuzzMatch holds match against the standard library's, where both mean the same.
func FuzzMatch(f *testing.F) {
	f.Add("a*b?c", "aXbXc")
	f.Add("*a*a*a*", "aaaa")
	f.Add("x[a-c]", "xb")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		got := match(pattern, s)
		for _, r := range pattern + s {
			if r >= 0x80 || strings.ContainsRune(`[]\/-_`, r) {
				return
			}
		}
		if want, err := path.Match(pattern, s); err == nil && got != want {
			t.Errorf("match(%q, %q) = %v, path.Match says %v", pattern, s, got, want)
		}
	})
}
