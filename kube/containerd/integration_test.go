package containerd_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coracle-os/coracle/kube/containerd"
	"github.com/coracle-os/coracle/kube/images"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// The variables that turn the test on. It needs root, a kernel with overlayfs, and the two programs.
const (
	shimVariable = "CORACLE_TEST_SHIM" // path of containerd-shim-runc-v2
	runcVariable = "CORACLE_TEST_RUNC" // path of runc
	inside       = "CORACLE_TEST_INSIDE"
)

// inOwnMounts runs the test again in a process with a mount namespace of its own, and says whether it did: then the test is over.
func inOwnMounts(t *testing.T) bool {
	t.Helper()
	if os.Getenv(inside) != "" {
		return false
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Skipf("no mount namespace: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	return true
}

// TestPodOutlivesContainerd imports images, runs a pod, stops and starts containerd: the pod is still running and the
// image is not imported again. It runs in a mount namespace of its own.
func TestPodOutlivesContainerd(t *testing.T) {
	shim, runc := os.Getenv(shimVariable), os.Getenv(runcVariable)
	if shim == "" || runc == "" || os.Geteuid() != 0 {
		t.Skipf("set %s and %s, and run as root", shimVariable, runcVariable)
	}
	if inOwnMounts(t) {
		return
	}

	dir, err := os.MkdirTemp("", "pod") // short: sockets are in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	// The shim that looks up runc's features gets no options.
	t.Setenv("PATH", filepath.Dir(runc)+":"+os.Getenv("PATH"))
	config := containerd.Config{
		Root: dir + "/root", State: dir + "/state", Socket: dir + "/c.sock", SandboxImage: images.Pause,
		CNIBinDir: dir + "/bin", CNIConfDir: dir + "/net.d", RegistryDir: dir + "/certs.d", Shim: shim, Runc: runc,
	}
	if err := os.Symlink(dir+"/cni", config.CNIConfDir); err != nil { // as on a machine
		t.Fatal(err)
	}
	archives := filepath.Join(dir, "images")
	if err := os.Mkdir(archives, 0o755); err != nil {
		t.Fatal(err)
	}
	program := buildPause(t, dir)
	firstID := writeImage(t, filepath.Join(archives, "pause.tar"), program, "one")
	if err := os.WriteFile(filepath.Join(archives, "broken.tar"), []byte("no tar"), 0o644); err != nil {
		t.Fatal(err)
	}

	stop := serve(t, config)
	defer func() { stop() }()
	c := connect(t, config.Socket)
	if err := images.Import(t.Context(), config.Socket, []string{archives, dir + "/absent"}, images.All); err == nil || !strings.Contains(err.Error(), "broken.tar") {
		t.Errorf("import: %v, want an error about broken.tar", err)
	}
	if err := os.Remove(filepath.Join(archives, "broken.tar")); err != nil {
		t.Fatal(err)
	}
	c.wantPinned(t, firstID)
	if files := keptLayers(t, config.Root); len(files) > 0 {
		t.Errorf("layers are kept although they are unpacked: %v", files)
	}

	c.wantNetworkReadyAfter(t, filepath.Join(config.CNIConfDir, "10-test.conflist"))

	pod, err := c.runPod(t)
	if err != nil {
		t.Fatal(err)
	}
	stop()

	stop = serve(t, config)
	c = connect(t, config.Socket)
	if state := c.state(t, pod); state != cri.PodSandboxState_SANDBOX_READY {
		t.Errorf("after a restart of containerd the pod is %s", state)
	}
	c.wantPinned(t, firstID)
	start := time.Now()
	if err := images.Import(t.Context(), config.Socket, []string{archives}, images.All); err != nil {
		t.Error(err)
	}
	t.Logf("second import: %s", time.Since(start))

	secondID := writeImage(t, filepath.Join(archives, "pause.tar"), program, "two")
	if err := images.Import(t.Context(), config.Socket, []string{archives}, images.All); err != nil {
		t.Error(err)
	}
	c.wantPinned(t, secondID)
	if state := c.state(t, pod); state != cri.PodSandboxState_SANDBOX_READY {
		t.Errorf("after its image was replaced the pod is %s", state)
	}

	ctx := t.Context()
	if _, err := c.runtime.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: pod}); err != nil {
		t.Error(err)
	}
	if _, err := c.runtime.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: pod}); err != nil {
		t.Error(err)
	}
}

// serve starts containerd; the function that it returns stops it and wants it to end without an error.
func serve(t *testing.T, config containerd.Config) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- containerd.Run(ctx, config) }()
	ready, cancelReady := context.WithTimeout(ctx, 30*time.Second)
	defer cancelReady()
	start := time.Now()
	if err := containerd.Ready(ready, config.Socket); err != nil {
		select {
		case err := <-ended:
			t.Fatal(err)
		default:
			t.Fatal(err)
		}
	}
	t.Logf("ready after %s", time.Since(start))
	return sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(20 * time.Second):
			t.Error("containerd does not stop")
		}
	})
}

type client struct {
	runtime cri.RuntimeServiceClient
	images  cri.ImageServiceClient
}

func connect(t *testing.T, socket string) client {
	t.Helper()
	conn, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return client{cri.NewRuntimeServiceClient(conn), cri.NewImageServiceClient(conn)}
}

// wantPinned wants that the kubelet sees just the image of this ID, with its name, and pinned.
func (c client) wantPinned(t *testing.T, id string) {
	t.Helper()
	var seen []string
	for range 50 { // CRI learns of images by events
		list, err := c.images.ListImages(t.Context(), &cri.ListImagesRequest{})
		if err != nil {
			t.Fatal(err)
		}
		seen = nil
		for _, i := range list.Images {
			seen = append(seen, fmt.Sprintf("%s %v pinned=%t", i.Id, i.RepoTags, i.Pinned))
		}
		if len(seen) == 1 && seen[0] == id+" ["+images.Pause+"] pinned=true" {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("images %q, want %s only", seen, id)
}

// wantNetworkReadyAfter puts a CNI configuration in place as kube/flannel does, by a rename within the folder: the CRI
// service notices the old name going, and does not look at files that are made.
func (c client) wantNetworkReadyAfter(t *testing.T, path string) {
	t.Helper()
	const conflist = `{"cniVersion":"1.0.0","name":"test","plugins":[{"type":"bridge"}]}`
	temp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	if err := errors.Join(os.WriteFile(temp, []byte(conflist), 0o644), os.Rename(temp, path)); err != nil {
		t.Fatal(err)
	}
	var network *cri.RuntimeCondition
	for range 50 {
		reply, err := c.runtime.Status(t.Context(), &cri.StatusRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for _, condition := range reply.Status.Conditions {
			if condition.Type == cri.NetworkReady {
				network = condition
			}
		}
		if network.GetStatus() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("the CNI configuration was not noticed: %s", network)
}

func (c client) runPod(t *testing.T) (id string, err error) {
	t.Helper()
	reply, err := c.runtime.RunPodSandbox(t.Context(), &cri.RunPodSandboxRequest{Config: &cri.PodSandboxConfig{
		Metadata: &cri.PodSandboxMetadata{Name: "test", Namespace: "default", Uid: "1"},
		Linux: &cri.LinuxPodSandboxConfig{
			CgroupParent: "coracle-test",
			SecurityContext: &cri.LinuxSandboxSecurityContext{
				NamespaceOptions: &cri.NamespaceOption{Network: cri.NamespaceMode_NODE}, // no CNI in this test
			},
		},
	}})
	return reply.GetPodSandboxId(), err
}

func (c client) state(t *testing.T, pod string) cri.PodSandboxState {
	t.Helper()
	reply, err := c.runtime.PodSandboxStatus(t.Context(), &cri.PodSandboxStatusRequest{PodSandboxId: pod})
	if err != nil {
		t.Fatal(err)
	}
	return reply.Status.State
}

// keptLayers waits for the garbage collector and returns the blobs that are larger than metadata.
func keptLayers(t *testing.T, root string) (large []string) {
	t.Helper()
	for range 50 {
		large = nil
		err := filepath.WalkDir(filepath.Join(root, "io.containerd.content.v1.content/blobs"), func(p string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil // collected meanwhile
			}
			if info, err := d.Info(); err == nil && info.Size() > 100_000 {
				large = append(large, p)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(large) == 0 {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return large
}

func buildPause(t *testing.T, dir string) []byte {
	t.Helper()
	source, binary := filepath.Join(dir, "pause.go"), filepath.Join(dir, "pause")
	if err := os.WriteFile(source, []byte("package main\n\nimport \"time\"\n\nfunc main() { time.Sleep(time.Hour) }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-o", binary, source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// writeImage writes an OCI image layout with one layer, that has the program as /pause, and returns the image's ID.
func writeImage(t *testing.T, path string, program []byte, label string) (id string) {
	t.Helper()
	type object = map[string]any
	var layout bytes.Buffer
	w := tar.NewWriter(&layout)
	add := func(w *tar.Writer, name string, content []byte, mode int64) {
		t.Helper()
		h := &tar.Header{Name: name, Size: int64(len(content)), Mode: mode, Typeflag: tar.TypeReg}
		if err := errors.Join(w.WriteHeader(h), func() error { _, err := w.Write(content); return err }()); err != nil {
			t.Fatal(err)
		}
	}
	blob := func(mediaType string, content []byte) object {
		digest := fmt.Sprintf("%x", sha256.Sum256(content))
		add(w, "blobs/sha256/"+digest, content, 0o644)
		return object{"mediaType": mediaType, "digest": "sha256:" + digest, "size": len(content)}
	}
	marshal := func(v any) []byte {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var layer bytes.Buffer
	l := tar.NewWriter(&layer)
	add(l, "pause", program, 0o755)
	l.Close()

	const oci = "application/vnd.oci.image."
	layerDesc := blob(oci+"layer.v1.tar", layer.Bytes())
	config := blob(oci+"config.v1+json", marshal(object{
		"os": "linux", "architecture": runtime.GOARCH,
		"config": object{"Entrypoint": []string{"/pause"}, "Labels": object{"test": label}},
		"rootfs": object{"type": "layers", "diff_ids": []any{layerDesc["digest"]}},
	}))
	manifest := blob(oci+"manifest.v1+json", marshal(object{
		"schemaVersion": 2, "mediaType": oci + "manifest.v1+json", "config": config, "layers": []any{layerDesc},
	}))
	manifest["annotations"] = object{"io.containerd.image.name": images.Pause}
	add(w, "index.json", marshal(object{"schemaVersion": 2, "manifests": []any{manifest}}), 0o644)
	add(w, "oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644)
	w.Close()
	if err := os.WriteFile(path, layout.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return config["digest"].(string)
}
