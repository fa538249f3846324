package devices

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

// registerTimeout is longer than the 10 s that the kubelet takes to connect to the endpoint, before it answers.
const registerTimeout = 15 * time.Second

// kubeletSocket is made anew whenever a kubelet starts, which before removes all other sockets in the folder.
func (c Config) kubeletSocket() string {
	return filepath.Join(c.PluginDir, filepath.Base(v1beta1.KubeletSocket))
}

// kubeletListens looks before gRPC does, which logs each refused connection.
func (c Config) kubeletListens() bool {
	connection, err := net.Dial("unix", c.kubeletSocket())
	if err != nil {
		return false
	}
	_ = connection.Close()
	return true
}

// register tells the kubelet of a resource whose endpoint is served already.
func (c Config) register(ctx context.Context, r Resource) error {
	ctx, cancel := context.WithTimeout(ctx, registerTimeout)
	defer cancel()
	connection, err := grpc.NewClient("unix:"+c.kubeletSocket(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("connect to the kubelet: %w", err)
	}
	defer connection.Close()
	_, err = v1beta1.NewRegistrationClient(connection).Register(ctx, &v1beta1.RegisterRequest{
		Version: v1beta1.Version, Endpoint: socketName(r), ResourceName: r.FullName(), Options: &v1beta1.DevicePluginOptions{},
	})
	if err != nil {
		return fmt.Errorf("register %s with the kubelet: %w", r.FullName(), err)
	}
	return nil
}
