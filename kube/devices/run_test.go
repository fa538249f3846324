package devices

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

// patience is how long a test waits for what should come at once.
const patience = 30 * time.Second

// machine is a folder that is taken for /dev, and one that the kubelet has its socket in.
type machine struct {
	dev, plugins string
	folders      string
	problems     chan []string
	ended        chan error
	stop         context.CancelFunc
}

// start runs the plugin on a machine that has the nodes.
func start(t *testing.T, nodes ...string) *machine {
	t.Helper()
	dir, err := os.MkdirTemp("", "devices") // t.TempDir's names are too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	m := &machine{
		dev: filepath.Join(dir, "dev"), plugins: filepath.Join(dir, "plugins"), folders: filepath.Join(dir, "folders"),
		problems: make(chan []string, 100), ended: make(chan error, 1),
	}
	if err := os.Mkdir(m.dev, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(m.plugins, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range nodes {
		plug(t, m.dev, name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	m.stop = cancel
	go func() {
		m.ended <- Run(ctx, Config{
			Dev: m.dev, Mountinfo: os.DevNull, PluginDir: m.plugins, Folders: m.folders,
			IsDevice: fs.FileMode.IsRegular, Clone: os.Link, Report: func(problems []string) { m.problems <- problems },
		})
	}()
	return m
}

func (m *machine) unplug(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(m.dev, name)); err != nil {
		t.Fatal(err)
	}
}

// kubelet does with device plugins what the real one does.
type kubelet struct {
	v1beta1.UnimplementedRegistrationServer

	dir    string
	server *grpc.Server
	refuse func(resource string) error
	lists  chan list // of all resources
}

// list is an answer of ListAndWatch.
type list struct {
	resource string
	devices  []string // that are healthy
	plugin   v1beta1.DevicePluginClient
}

// startKubelet removes sockets as the real one does, and listens. refuse may be nil.
func startKubelet(t *testing.T, dir string, refuse func(resource string) error) *kubelet {
	t.Helper()
	sockets, err := filepath.Glob(filepath.Join(dir, "*.sock"))
	if err != nil {
		t.Fatal(err)
	}
	for _, socket := range sockets {
		if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	listener, err := net.Listen("unix", filepath.Join(dir, "kubelet.sock"))
	if err != nil {
		t.Fatal(err)
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false) // as after a crash
	k := &kubelet{dir: dir, server: grpc.NewServer(), refuse: refuse, lists: make(chan list, 100)}
	v1beta1.RegisterRegistrationServer(k.server, k)
	go func() { _ = k.server.Serve(listener) }()
	t.Cleanup(k.server.Stop)
	return k
}

func (k *kubelet) Register(ctx context.Context, r *v1beta1.RegisterRequest) (*v1beta1.Empty, error) {
	if k.refuse != nil {
		if err := k.refuse(r.GetResourceName()); err != nil {
			return nil, err
		}
	}
	if r.GetVersion() != "v1beta1" {
		return nil, errors.New("version " + r.GetVersion())
	}
	connection, err := grpc.NewClient("unix:"+filepath.Join(k.dir, r.GetEndpoint()), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	plugin := v1beta1.NewDevicePluginClient(connection)
	if _, err := plugin.GetDevicePluginOptions(ctx, &v1beta1.Empty{}); err != nil {
		return nil, err
	}
	stream, err := plugin.ListAndWatch(context.WithoutCancel(ctx), &v1beta1.Empty{})
	if err != nil {
		return nil, err
	}
	go func() {
		defer connection.Close()
		for {
			response, err := stream.Recv()
			if err != nil {
				return
			}
			l := list{resource: r.GetResourceName(), plugin: plugin}
			for _, d := range response.GetDevices() {
				if d.GetHealth() == v1beta1.Healthy {
					l.devices = append(l.devices, d.GetID())
				}
			}
			k.lists <- l
		}
	}()
	return &v1beta1.Empty{}, nil
}

// next is the next list of devices that the kubelet is told.
func (k *kubelet) next(t *testing.T) list {
	t.Helper()
	return receive(t, k.lists, "a list of devices")
}

func (k *kubelet) expect(t *testing.T, resource string, devices ...string) list {
	t.Helper()
	l := k.next(t)
	if l.resource != resource || !slices.Equal(l.devices, devices) {
		t.Fatalf("the kubelet is told of %s %v, want %s %v", l.resource, l.devices, resource, devices)
	}
	return l
}

func receive[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("%s did not come", what)
		panic("unreachable")
	}
}

func TestDevicesComeAndGo(t *testing.T) {
	m := start(t)
	k := startKubelet(t, m.plugins, nil)
	plug(t, m.dev, "loop0")
	plug(t, m.dev, "ttyUSB0") // nothing was registered before it
	k.expect(t, "coracle.dev/serial", "ttyUSB0")
	plug(t, m.dev, "ttyACM0")
	k.expect(t, "coracle.dev/serial", "ttyUSB0", "ttyACM0")
	m.unplug(t, "ttyUSB0")
	k.expect(t, "coracle.dev/serial", "ttyACM0")
	m.unplug(t, "ttyACM0")
	k.expect(t, "coracle.dev/serial")
	plug(t, m.dev, "ttyUSB0")
	k.expect(t, "coracle.dev/serial", "ttyUSB0")

	// Below a folder that was not there.
	plug(t, m.dev, "bus/usb/001/001")
	plug(t, m.dev, "bus/usb/001/002")
	if l := k.next(t); l.resource != "coracle.dev/usb" || len(l.devices) != shares {
		t.Errorf("the kubelet is told of %s %v, want %d of usb", l.resource, l.devices, shares)
	}
	plug(t, m.dev, "bus/usb/001/003") // another one does not change what can be had
	m.unplug(t, "bus/usb/001/002")
	m.unplug(t, "bus/usb/001/003")
	k.expect(t, "coracle.dev/usb")
	if got := files(t, m.folders); !slices.Equal(got, []string{"bus/usb/001/001"}) {
		t.Errorf("the folder of USB has %v, want the root hub alone", got)
	}

	m.stop()
	if err := receive(t, m.ended, "the end"); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(m.plugins, "coracle-*")); left != nil {
		t.Errorf("%v are left behind", left)
	}
}

// files are those below a folder.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestAllocate(t *testing.T) {
	m := start(t, "ttyUSB0", "ttyUSB1", "ttyACM0", "gpiochip0", "gpiochip1", "bus/usb/001/002")
	k := startKubelet(t, m.plugins, nil)
	plugins := map[string]v1beta1.DevicePluginClient{}
	for range 3 {
		l := k.next(t)
		plugins[l.resource] = l.plugin
	}
	m.unplug(t, "ttyACM0")

	for name, tc := range map[string]struct {
		resource   string
		containers [][]string // IDs
		want       [][]string // nodes; nil: an error
	}{
		"a serial port":           {"coracle.dev/serial", [][]string{{"ttyUSB0"}}, [][]string{{"ttyUSB0"}}},
		"one that was pulled out": {"coracle.dev/serial", [][]string{{"ttyUSB0"}, {"ttyACM0"}}, nil},
		"one that never was":      {"coracle.dev/serial", [][]string{{"../mem"}}, nil},
		"of another resource":     {"coracle.dev/serial", [][]string{{"gpiochip0"}}, nil},
		"a share":                 {"coracle.dev/gpio", [][]string{{"gpio-7"}}, [][]string{{"gpiochip0", "gpiochip1"}}},
		"shares of two containers": {
			"coracle.dev/gpio", [][]string{{"gpio-0", "gpio-1"}, {"gpio-2"}}, [][]string{{"gpiochip0", "gpiochip1"}, {"gpiochip0", "gpiochip1"}},
		},
		"what is on USB when a container starts": {"coracle.dev/usb", [][]string{{"usb-0"}}, [][]string{{"bus/usb"}}},
		"more than there are":                    {"coracle.dev/gpio", [][]string{{"gpio-20"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			request := &v1beta1.AllocateRequest{}
			for _, ids := range tc.containers {
				request.ContainerRequests = append(request.ContainerRequests, &v1beta1.ContainerAllocateRequest{DevicesIds: ids})
			}
			response, err := plugins[tc.resource].Allocate(t.Context(), request)
			if tc.want == nil {
				if status.Code(err) != codes.NotFound || !strings.Contains(err.Error(), tc.resource) {
					t.Errorf("got %v, %v, want an error that names the resource", response, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got [][]string
			for _, c := range response.GetContainerResponses() {
				var nodes []string
				for _, d := range c.GetDevices() {
					nodes = append(nodes, strings.TrimPrefix(d.GetContainerPath(), "/dev/"))
					host := m.dev
					if tc.resource == "coracle.dev/usb" {
						host = m.folders
					}
					if want := filepath.Join(host, nodes[len(nodes)-1]); d.GetHostPath() != want || d.GetPermissions() != "rw" {
						t.Errorf("%v, want %s for reading and writing", d, want)
					}
				}
				got = append(got, nodes)
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestKubeletRestarts(t *testing.T) {
	m := start(t, "ttyUSB0")
	first := startKubelet(t, m.plugins, nil)
	first.expect(t, "coracle.dev/serial", "ttyUSB0")
	first.server.Stop() // its socket stays
	plug(t, m.dev, "gpiochip0")
	plug(t, m.dev, "ttyUSB1")

	second := startKubelet(t, m.plugins, nil)
	told := map[string]int{}
	for range 2 {
		l := second.next(t)
		told[l.resource] = len(l.devices)
	}
	if want := map[string]int{"coracle.dev/serial": 2, "coracle.dev/gpio": shares}; !reflect.DeepEqual(told, want) {
		t.Errorf("the new kubelet is told %v, want %v", told, want)
	}
	m.unplug(t, "ttyUSB0")
	second.expect(t, "coracle.dev/serial", "ttyUSB1")
}

func TestSocketsOfAnEarlierProcess(t *testing.T) {
	m := start(t)
	for _, name := range []string{"kubelet.sock", "coracle-serial.sock"} {
		listener, err := net.Listen("unix", filepath.Join(m.plugins, name))
		if err != nil {
			t.Fatal(err)
		}
		listener.(*net.UnixListener).SetUnlinkOnClose(false)
		listener.Close()
	}
	plug(t, m.dev, "ttyUSB0")
	startKubelet(t, m.plugins, nil).expect(t, "coracle.dev/serial", "ttyUSB0")
	select {
	case problems := <-m.problems:
		t.Errorf("a kubelet that is not there yet is no problem: %v", problems)
	default:
	}
}

func TestRefusedRegistration(t *testing.T) {
	m := start(t, "gpiochip0", "ttyUSB0")
	refused := 0
	k := startKubelet(t, m.plugins, func(resource string) error {
		if refused < 2 && resource == "coracle.dev/gpio" {
			refused++
			return errors.New("no room")
		}
		return nil
	})
	k.expect(t, "coracle.dev/serial", "ttyUSB0") // all others are
	problems := receive(t, m.problems, "a problem")
	if len(problems) != 1 || !strings.Contains(problems[0], "coracle.dev/gpio") || !strings.Contains(problems[0], "no room") {
		t.Errorf("problems %q", problems)
	}
	if l := k.next(t); l.resource != "coracle.dev/gpio" {
		t.Errorf("the kubelet is told of %s", l.resource)
	}
	if problems := receive(t, m.problems, "the end of the problem"); problems != nil {
		t.Errorf("problems %q, though all is well", problems)
	}
}
