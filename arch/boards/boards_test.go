package boards

import (
	"slices"
	"strings"
	"testing"
)

// models lists the names, those of experimental models in brackets.
func models(m Models) []string {
	var names []string
	for _, model := range m.List {
		name := strings.TrimPrefix(model.Name, "Raspberry Pi ")
		if model.Experimental {
			name = "(" + name + ")"
		}
		names = append(names, name)
	}
	return names
}

func TestRaspberryPi(t *testing.T) {
	for _, tc := range []struct{ goarch, flavour, models, devices, compatible string }{
		{
			"arm64", "", "3 Model B, 3 Model B+, 3 Model A+, Zero 2 W, 4 Model B, 400, Compute Module 4", "pi3-64bit, pi4-64bit",
			"raspberrypi,3-model-b raspberrypi,3-model-b-plus raspberrypi,3-model-a-plus raspberrypi,model-zero-2-w raspberrypi,4-model-b raspberrypi,400 raspberrypi,4-compute-module",
		},
		{"arm64", "rpi5", "(5), (5 (D0))", "pi5-64bit", "raspberrypi,5-model-b"},
		{
			"arm", "", "2 Model B, 3 Model B, 3 Model B+, 3 Model A+", "pi2-32bit, pi3-32bit",
			"raspberrypi,2-model-b raspberrypi,3-model-b raspberrypi,3-model-b-plus raspberrypi,3-model-a-plus",
		},
	} {
		m, err := RaspberryPi(tc.goarch, tc.flavour)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(models(m), ", "); got != tc.models {
			t.Errorf("%s %s: models %s, want %s", tc.goarch, tc.flavour, got, tc.models)
		}
		if got := strings.Join(m.Devices(), ", "); got != tc.devices {
			t.Errorf("%s %s: devices %s, want %s", tc.goarch, tc.flavour, got, tc.devices)
		}
		if got := strings.Join(m.Compatible(), " "); got != tc.compatible {
			t.Errorf("%s %s: device trees of %s, want %s", tc.goarch, tc.flavour, got, tc.compatible)
		}
		if got := m.Experimental(); got != (tc.flavour != "") {
			t.Errorf("%s %s: experimental: %v", tc.goarch, tc.flavour, got)
		}
	}
	for _, of := range [][2]string{{"amd64", ""}, {"arm", "rpi5"}, {"arm64", "rpi6"}} {
		if _, err := RaspberryPi(of[0], of[1]); err == nil || !strings.Contains(err.Error(), of[0]) || !strings.Contains(err.Error(), of[1]) {
			t.Errorf("%q: error %v", of, err)
		}
	}
}

func TestUBootOf(t *testing.T) {
	m, err := RaspberryPi("arm", "")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"u-boot-pi2.bin", "u-boot.bin", "u-boot.bin", "u-boot.bin"} {
		if got := m.UBootOf(m.List[i]).File; got != want {
			t.Errorf("%s starts %s, want %s", m.List[i].Name, got, want)
		}
	}
}

// What the firmware looks for is a pattern in start.elf: bcm%d-rpi-%s.dtb.
func TestData(t *testing.T) {
	for goarch, m := range data.Architectures {
		if len(m.UBoot) == 0 || m.UBoot[0].Section != "" {
			t.Errorf("%s: the first U-Boot should be that of all models", goarch)
		}
		var names, trees, files []string
		for _, u := range m.UBoot {
			files = append(files, u.File)
			if slices.Contains(m.Refused, u.Section) {
				t.Errorf("%s: [%s] is refused, and starts %s", goarch, u.Section, u.File)
			}
			if u.Section != "" && !slices.ContainsFunc(m.List, func(model Model) bool { return m.UBootOf(model) == u }) {
				t.Errorf("%s: no model starts %s", goarch, u.File)
			}
		}
		for _, model := range m.List {
			names, trees = append(names, model.Name), append(trees, model.DTB)
			if !strings.HasPrefix(model.DTB, "bcm2") || !strings.Contains(model.DTB, "-rpi-") {
				t.Errorf("%s: %s is no name that the firmware looks for", model.Name, model.DTB)
			}
			if model.Compatible == "" || model.Imager == "" {
				t.Errorf("%s: incomplete: %+v", model.Name, model)
			}
			if len(model.FirmwareFiles()) == 0 && model.Firmware != "" {
				t.Errorf("%s: there is no set of firmware %q", model.Name, model.Firmware)
			}
			if inBoard := strings.HasPrefix(model.DTB, "bcm2712-"); (model.Firmware == "") != inBoard {
				t.Errorf("%s: firmware %q", model.Name, model.Firmware)
			}
		}
		for _, list := range [][]string{names, trees, files} {
			slices.Sort(list)
			if len(slices.Compact(slices.Clone(list))) != len(list) {
				t.Errorf("%s: something is there twice in %q", goarch, list)
			}
		}
	}
}

func TestConfigTxt(t *testing.T) {
	for goarch, want := range map[string]string{
		"arm64": `# The firmware's settings. Those for Coracle are in machine.yaml and coracle/custom.cfg.
enable_uart=1
upstream_kernel=1
disable_splash=1
hdmi_force_hotplug=1
gpu_mem=32
arm_64bit=1
kernel=u-boot.bin

[pi1]
kernel=this-image-is-for-other-models

[pi2]
kernel=this-image-is-for-other-models

[pi0]
kernel=this-image-is-for-other-models

[cm4s]
kernel=this-image-is-for-other-models

[pi02]
kernel=u-boot.bin

[all]
`,
		"arm": `# The firmware's settings. Those for Coracle are in machine.yaml and coracle/custom.cfg.
enable_uart=1
upstream_kernel=1
disable_splash=1
hdmi_force_hotplug=1
gpu_mem=32
arm_64bit=0
kernel=u-boot.bin

[pi1]
kernel=this-image-is-for-other-models

[pi0]
kernel=this-image-is-for-other-models

[pi2]
kernel=u-boot-pi2.bin

[all]
`,
	} {
		m, err := RaspberryPi(goarch, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := string(m.ConfigTxt()); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", goarch, got, want)
		}
	}
}

func TestMustParseRefuses(t *testing.T) {
	defer func() {
		if err, _ := recover().(error); err == nil || !strings.Contains(err.Error(), "modles") {
			t.Errorf("got %v, want a panic that names the unknown field", err)
		}
	}()
	mustParse([]byte("architectures: {arm64: {modles: []}}\n"))
}
