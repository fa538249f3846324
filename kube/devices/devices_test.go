package devices

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/fsnotify/fsnotify"
	"k8s.io/apimachinery/pkg/util/validation"
)

func TestResources(t *testing.T) {
	for _, r := range Resources {
		if problems := validation.IsQualifiedName(r.FullName()); problems != nil {
			t.Errorf("%s: %v", r.FullName(), problems)
		}
		for _, pattern := range slices.Concat(r.Nodes, r.Except) {
			if _, err := path.Match(pattern, ""); err != nil || !fs.ValidPath(pattern) {
				t.Errorf("%s: pattern %s: %v", r.Name, pattern, err)
			}
		}
	}
}

func TestWhoseNode(t *testing.T) {
	for node, want := range map[string][]string{
		"gpiochip0":       {"gpio"},
		"i2c-1":           {"i2c"},
		"spidev0.1":       {"spi"},
		"ttyUSB0":         {"serial"},
		"ttyACM12":        {"serial"},
		"bus/usb/001/002": {"usb"},
		"bus/usb/001/001": nil, // root hub
		"bus/usb/002/011": {"usb"},
		"video0":          {"video"},
		"media0":          {"video"},
		"dri/renderD128":  {"render"},
		"dri/card0":       nil,
		"ttyS0":           nil,
		"ttyAMA0":         nil,
		"sda":             nil,
		"mem":             nil,
		"gpiomem":         nil,
		"snd/i2c-1":       nil,
	} {
		var got []string
		for _, r := range Resources {
			if r.has(node) {
				got = append(got, r.Name)
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s is of %v, want %v", node, got, want)
		}
	}
}

func TestDevices(t *testing.T) {
	shared, single := Resource{Name: "gpio", Shares: 3}, Resource{Name: "serial"}
	for name, tc := range map[string]struct {
		resource    Resource
		nodes, want []string
	}{
		"shared":          {shared, []string{"gpiochip0", "gpiochip1"}, []string{"gpio-0", "gpio-1", "gpio-2"}},
		"nothing shared":  {shared, nil, nil},
		"one for each":    {single, []string{"ttyUSB0", "ttyACM0"}, []string{"ttyUSB0", "ttyACM0"}},
		"nothing for any": {single, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.resource.devices(tc.nodes); !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestNodes(t *testing.T) {
	dev := t.TempDir()
	for _, name := range []string{"ttyUSB1", "ttyUSB0", "ttyACM0", "ttyS0", "bus/usb/001/001", "bus/usb/001/004", "bus/usb/002/003"} {
		plug(t, dev, name)
	}
	for _, err := range []error{
		os.Mkdir(filepath.Join(dev, "ttyUSB9"), 0o755),
		os.Symlink("ttyS0", filepath.Join(dev, "ttyACM9")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	c := Config{Dev: dev, Mountinfo: os.DevNull, IsDevice: fs.FileMode.IsRegular}
	for name, want := range map[string][]string{
		"serial": {"ttyUSB0", "ttyUSB1", "ttyACM0"}, "usb": {"bus/usb/001/004", "bus/usb/002/003"}, "gpio": nil,
	} {
		if got, err := c.nodes(resource(t, name)); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, want)
		}
	}
	if got, err := (Config{Dev: dev}).nodes(resource(t, "serial")); err != nil || got != nil {
		t.Errorf("%v are no device nodes: %v", got, err)
	}
}

func TestCharacterDevices(t *testing.T) {
	c := Config{Dev: "/dev"}
	if got, err := c.nodes(Resource{Nodes: []string{"null", "fd", "pts"}}); err != nil || !slices.Equal(got, []string{"null"}) {
		t.Errorf("got %v, %v, want null alone", got, err)
	}
}

func TestFolders(t *testing.T) {
	got := folders([]Resource{{Nodes: []string{"bus/usb/*/*"}}, {Nodes: []string{"video*", "dri/renderD*"}}})
	if want := []string{".", "bus", "dri", "bus/usb", "bus/usb/*"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestConcerns(t *testing.T) {
	c := Config{Dev: "/dev"}
	for name, tc := range map[string]struct {
		path string
		op   fsnotify.Op
		want bool
	}{
		"plugged in":       {"/dev/ttyUSB0", fsnotify.Create, true},
		"pulled out":       {"/dev/ttyUSB0", fsnotify.Remove, true},
		"written to":       {"/dev/ttyUSB0", fsnotify.Write, false},
		"a new bus":        {"/dev/bus/usb/003", fsnotify.Create, true},
		"the first bus":    {"/dev/bus", fsnotify.Create, true},
		"another device":   {"/dev/loop0", fsnotify.Create, false},
		"in the kubelet's": {"/var/lib/kubelet/device-plugins/ttyUSB0", fsnotify.Create, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.concerns(fsnotify.Event{Name: tc.path, Op: tc.op}); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func resource(t *testing.T, name string) Resource {
	t.Helper()
	i := slices.IndexFunc(Resources, func(r Resource) bool { return r.Name == name })
	if i < 0 {
		t.Fatalf("no resource %s", name)
	}
	return Resources[i]
}

// plug makes a file that is taken for a device node.
func plug(t *testing.T, dev, name string) {
	t.Helper()
	file := filepath.Join(dev, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
}
