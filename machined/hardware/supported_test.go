package hardware

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSupported(t *testing.T) {
	pi := Board{Model: "Raspberry Pi 4 Model B", Compatible: []string{"raspberrypi,4-model-b", "brcm,bcm2711"}}
	for name, tc := range map[string]struct {
		board Board
		file  string
		want  bool
	}{
		"the board":          {pi, "raspberrypi,3-model-b\nraspberrypi,4-model-b\n", true},
		"its like":           {pi, "raspberrypi,400\nbrcm,bcm2711\n", true},
		"another":            {pi, "raspberrypi,3-model-b\n", false},
		"a part of the name": {pi, "raspberrypi,4-model-b-plus\nraspberrypi,4\n", false},
		"no device tree":     {Board{Model: "QEMU Standard PC"}, "raspberrypi,3-model-b\n", true},
		"another maker's":    {Board{Model: "linux,dummy-virt", Compatible: []string{"linux,dummy-virt"}}, "raspberrypi,3-model-b\n", true},
		"an empty list":      {pi, "\n", true},
		"from Windows":       {pi, "raspberrypi,4-model-b\r\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "boards")
			if err := os.WriteFile(path, []byte(tc.file), 0o644); err != nil {
				t.Fatal(err)
			}
			list, err := ReadSupported(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := Supported(tc.board, list); got != tc.want {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
	list, err := ReadSupported(filepath.Join(t.TempDir(), "none"))
	if err != nil || !Supported(pi, list) {
		t.Errorf("an image without a list is for any board: %v, %v", list, err)
	}
	if _, err := ReadSupported(t.TempDir()); err == nil {
		t.Error("a list that cannot be read is no error")
	}
}
