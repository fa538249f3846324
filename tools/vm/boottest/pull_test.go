package boottest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
)

// mirror is the name of a registry that only the proxy knows.
const mirror = "mirror.plant.example"

// TestProxyPull pulls images from mirrors with a private authority and a password: one through a proxy, which has a password
// too, and one past it.
func TestProxyPull(t *testing.T) {
	onlyInAll(t)
	newLab(t, diskSize, func(l *lab) {
		r := newRegistry(l.T, busyboxArchive(l.arch))
		address := r.start(l.T, mirror, hostLoopback)
		p := &proxy{username: "plant", password: "way-out", ways: map[string]string{mirror + ":443": address.String()}}
		l.configure(string(l.dev.ServerConfig(pullSettings(r, address, p.start(l.T)))))
		spec := l.standard()
		spec.Disks = nil // the volume has the image
		l.bootReady(spec)
		l.apply("pulled.yaml")
		l.wait("wait", "--for=condition=Ready", "pod/proxied", "pod/direct")
		for _, host := range []string{mirror, near(address)} {
			if r.requests(host) == 0 {
				l.Errorf("nothing was pulled from %s", host)
			}
		}
		if asked := p.connections(); asked[mirror+":443"] == 0 || asked[near(address)] > 0 {
			l.Errorf("the proxy was asked for %v", asked)
		}
	})
}

// hostLoopback is where QEMU shows the machine this host's loopback.
const hostLoopback = "10.0.2.2"

// near is where the machine reaches what listens on this host's loopback.
func near(a net.Addr) string { return fmt.Sprintf("%s:%d", hostLoopback, a.(*net.TCPAddr).Port) }

// pullSettings is YAML for the section machine.
func pullSettings(r *registry, address net.Addr, proxy string) string {
	return fmt.Sprintf(`  network:
    proxy: {https: %q, noProxy: [%s]}
  registries:
    mirrors:
      far.plant.example: {endpoints: ["https://%s"], fallback: false}
      near.plant.example: {endpoints: ["https://%s"], fallback: false}
    hosts:
%s`, proxy, hostLoopback, mirror, near(address), r.settings(mirror, near(address)))
}

// proxy is a web proxy for https:// addresses (CONNECT, RFC 9110 section 9.3.6), which knows some ways and no others.
type proxy struct {
	username, password string
	ways               map[string]string // host:port that is asked for → address

	mu    sync.Mutex
	asked map[string]int // host:port → how often, by whom knows the password
}

// start serves on this host's loopback and returns the URL for the machine.
func (p *proxy) start(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: p}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return fmt.Sprintf("http://%s:%s@%s", p.username, p.password, near(listener.Addr()))
}

func (p *proxy) connections() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := map[string]int{}
	for host, n := range p.asked {
		asked[host] = n
	}
	return asked
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	q.Header.Set("Authorization", q.Header.Get("Proxy-Authorization"))
	if username, password, _ := q.BasicAuth(); username != p.username || password != p.password {
		w.Header().Set("Proxy-Authenticate", `Basic realm="way out"`)
		http.Error(w, "who are you?", http.StatusProxyAuthRequired)
		return
	}
	p.mu.Lock()
	if p.asked == nil {
		p.asked = map[string]int{}
	}
	p.asked[q.Host]++
	p.mu.Unlock()
	way, known := p.ways[q.Host]
	if q.Method != http.MethodConnect || !known {
		http.Error(w, "there is no way to "+q.Host, http.StatusBadGateway)
		return
	}
	there, err := net.Dial("tcp", way)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer there.Close()
	w.WriteHeader(http.StatusOK)
	here, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer here.Close()
	go func() {
		io.Copy(there, buffered)
		there.Close()
	}()
	io.Copy(here, there)
}
