package uevent

import (
	"bytes"
	"testing"
)

func TestParse(t *testing.T) {
	message := "add@/devices/pci0000:00/0000:00:03.0/virtio0\x00ACTION=add\x00DEVPATH=/devices/x\x00" +
		"SUBSYSTEM=virtio\x00MODALIAS=virtio:d00000001v00001AF4\x00DEVNAME=vda\x00SEQNUM=1\x00"
	got, err := Parse([]byte(message))
	want := Event{Action: "add", Subsystem: "virtio", Name: "vda", Modalias: "virtio:d00000001v00001AF4"}
	if err != nil || got != want {
		t.Errorf("Parse = %+v, %v, want %+v", got, err, want)
	}
	for _, bad := range []string{"", "add@/x", "libudev\x00\xfe\xed\xca\xfe", "@/x\x00", "add@\x00", "add@x\x00", "add/x\x00"} {
		if e, err := Parse([]byte(bad)); err == nil {
			t.Errorf("Parse(%q) = %+v, want an error", bad, e)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("add@/devices/x\x00SUBSYSTEM=block\x00"))
	f.Add([]byte("libudev\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := Parse(b); err == nil && (e.Action == "" || !bytes.Contains(b, []byte(e.Action+"@/"))) {
			t.Errorf("Parse(%q) = %+v without an error", b, e)
		}
	})
}
