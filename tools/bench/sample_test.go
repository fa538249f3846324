package main

import (
	"strings"
	"testing"
)

const dumped = `==> /proc/meminfo
MemTotal:         499712 kB
MemFree:           31236 kB
MemAvailable:     274432 kB
==> /proc/diskstats
 254       0 vda 8842 1021 618338 9731 1502 1123 40960 2011 0 9000 11000 0 0 0 0 120 300
 254       4 vda4 842 21 18338 731 1502 1123 40960 2011 0 900 1100 0 0 0 0 0 0
 254      16 vdb 10 0 80 1 2 0 16 0 0 1 1 0 0 0 0 0 0
   7       0 loop0 10 0 80 1 2 0 999 0 0 1 1 0 0 0 0 0 0
==> /proc/1/status
Name:	init
RssAnon:	    2048 kB
==> /proc/2/status
Name:	kthreadd
==> /proc/300/status
Name:	containerd-shim
RssAnon:	    4000 kB
==> /proc/301/status
Name:	containerd-shim
RssAnon:	    4192 kB
==> /proc/999/status
`

func TestParseSample(t *testing.T) {
	s, err := parseSample(dumped)
	if err != nil {
		t.Fatal(err)
	}
	if s.Used() != (499712-274432)<<10 {
		t.Errorf("used %d", s.Used())
	}
	if len(s.Anonymous) != 2 || s.Anonymous["init"] != 2<<20 || s.Anonymous["containerd-shim"] != 8<<20 {
		t.Errorf("anonymous %v", s.Anonymous)
	}
	if len(s.Written) != 2 || s.Written["vda"] != 40960*512 || s.Written["vdb"] != 16*512 {
		t.Errorf("written %v", s.Written)
	}
	earlier, err := parseSample(strings.ReplaceAll(dumped, " 40960 ", " 960 "))
	if err != nil {
		t.Fatal(err)
	}
	if n := s.writtenSince(earlier); n != 40000*512 {
		t.Errorf("written since: %d", n)
	}
}

func TestParseSampleErrors(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":         "",
		"error message":   "sh: can't open",
		"memory":          strings.Replace(dumped, "499712 kB", "many", 1),
		"disks":           strings.Replace(dumped, "==> /proc/diskstats", "==> /proc/diskstats\n 254 0 vda", 1),
		"process":         strings.Replace(dumped, "2048 kB", "2048", 1),
		"no MemAvailable": strings.Replace(dumped, "MemAvailable", "MemOther", 1),
	} {
		if s, err := parseSample(text); err == nil {
			t.Errorf("%s: no error, got %+v", name, s)
		}
	}
}

func FuzzParseSample(f *testing.F) {
	f.Add(dumped)
	f.Fuzz(func(_ *testing.T, text string) { parseSample(text) })
}
