package devices

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

// bufferBytes replaces gRPC's two buffers of 32 KiB a connection: the messages are small.
const bufferBytes = 4 << 10

// endpoint answers the kubelet for one resource, on a socket of its own.
type endpoint struct {
	v1beta1.UnimplementedDevicePluginServer

	config   Config
	resource Resource
	server   *grpc.Server

	mu      sync.Mutex
	devices []string      // IDs
	changed chan struct{} // closed when devices are others
}

// serve answers until stop is called.
func serve(c Config, r Resource, nodes []string) (*endpoint, error) {
	socket := filepath.Join(c.PluginDir, socketName(r))
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove the device plugin socket of an earlier process: %w", err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("device plugin socket: %w", err)
	}
	e := &endpoint{
		config: c, resource: r, devices: r.devices(nodes), changed: make(chan struct{}),
		server: grpc.NewServer(grpc.ReadBufferSize(bufferBytes), grpc.WriteBufferSize(bufferBytes), grpc.SharedWriteBuffer(true)),
	}
	v1beta1.RegisterDevicePluginServer(e.server, e)
	go func() {
		if err := e.server.Serve(listener); err != nil {
			slog.Error("device plugin", "socket", socket, "error", err)
		}
	}()
	return e, nil
}

// socketName is below the folder of device plugins.
func socketName(r Resource) string { return "coracle-" + r.Name + ".sock" }

// stop ends all answers and removes the socket.
func (e *endpoint) stop() { e.server.Stop() }

// set tells the kubelet which devices there are, if they are others than before.
func (e *endpoint) set(nodes []string) {
	devices := e.resource.devices(nodes)
	e.mu.Lock()
	defer e.mu.Unlock()
	if slices.Equal(devices, e.devices) {
		return
	}
	slog.Info("devices changed", "resource", e.resource.FullName(), "devices", len(devices))
	e.devices = devices
	close(e.changed)
	e.changed = make(chan struct{})
}

func (e *endpoint) current() (devices []string, changed <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.devices, e.changed
}

// GetDevicePluginOptions says that the kubelet has nothing to ask before it starts a container.
func (e *endpoint) GetDevicePluginOptions(context.Context, *v1beta1.Empty) (*v1beta1.DevicePluginOptions, error) {
	return &v1beta1.DevicePluginOptions{}, nil
}

// ListAndWatch sends the devices, and again whenever they are others. One that was pulled out is not in the list any more; the
// container that has it keeps it, and sees that it is gone.
func (e *endpoint) ListAndWatch(_ *v1beta1.Empty, stream grpc.ServerStreamingServer[v1beta1.ListAndWatchResponse]) error {
	for {
		devices, changed := e.current()
		response := &v1beta1.ListAndWatchResponse{}
		for _, id := range devices {
			response.Devices = append(response.Devices, &v1beta1.Device{ID: id, Health: v1beta1.Healthy})
		}
		if err := stream.Send(response); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-stream.Context().Done():
			return nil
		}
	}
}

// Allocate says which nodes the containers get that have these devices.
func (e *endpoint) Allocate(_ context.Context, request *v1beta1.AllocateRequest) (*v1beta1.AllocateResponse, error) {
	response := &v1beta1.AllocateResponse{}
	for _, container := range request.GetContainerRequests() {
		specs, err := e.specs(container.GetDevicesIds())
		if err != nil {
			return nil, status.Error(codes.NotFound, err.Error())
		}
		response.ContainerResponses = append(response.ContainerResponses, &v1beta1.ContainerAllocateResponse{Devices: specs})
	}
	return response, nil
}

// specs looks at /dev itself: the kubelet may not know yet that a device was pulled out.
func (e *endpoint) specs(ids []string) ([]*v1beta1.DeviceSpec, error) {
	nodes, err := e.config.nodes(e.resource)
	if err != nil {
		return nil, err
	}
	devices := e.resource.devices(nodes)
	for _, id := range ids {
		if !slices.Contains(devices, id) {
			there := "none"
			if len(nodes) > 0 {
				there = strings.Join(nodes, ", ")
			}
			return nil, fmt.Errorf("%s: device %s is not there; plugged in: %s", e.resource.FullName(), id, there)
		}
	}
	host := e.config.Dev
	switch {
	case e.resource.Folder != "":
		host, nodes = e.config.Folders, []string{e.resource.Folder} // containerd takes all that is in it
	case e.resource.Shares == 0:
		nodes = ids
	}
	var specs []*v1beta1.DeviceSpec
	for _, name := range nodes {
		specs = append(specs, &v1beta1.DeviceSpec{
			HostPath: filepath.Join(host, name), ContainerPath: "/dev/" + name, Permissions: "rw",
		})
	}
	return specs, nil
}
