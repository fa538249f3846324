package api

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/machined/inspect"
	"github.com/coracle-os/coracle/machined/state"
)

// counts counts calls by their method and how they ended.
type counts struct {
	mu    sync.Mutex
	calls map[countKey]float64
}

type countKey struct {
	method string
	code   string
}

// add counts a call. A code of 0 is that it went well.
func (c *counts) add(method string, code connect.Code) {
	name := "ok"
	if code != 0 {
		name = code.String()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		c.calls = map[countKey]float64{}
	}
	c.calls[countKey{method, name}]++
}

func (c *counts) samples() (list []sample) {
	c.mu.Lock()
	defer c.mu.Unlock()
	keys := slices.SortedFunc(maps.Keys(c.calls), func(a, b countKey) int {
		return cmp.Or(cmp.Compare(a.method, b.method), cmp.Compare(a.code, b.code))
	})
	for _, k := range keys {
		list = append(list, of(c.calls[k], "method", k.method, "code", k.code))
	}
	return list
}

// serveMetrics answers Prometheus.
func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		plainError(w, connect.CodeUnimplemented, metricsPath+" is called with GET")
		return
	}
	who := callerOf(r.Context())
	if err := s.permit(&metricsMethod, who.key, who.shown); err != nil {
		s.refused(&metricsMethod, who, err)
		var message string
		if e, ok := err.(*connect.Error); ok {
			message = e.Message()
		}
		plainError(w, connect.CodeOf(err), message)
		return
	}
	s.counts.add(metricsMethod.name, 0)
	var e exposition
	m, _ := s.Backend.Store.Get()
	s.writeState(&e, m)
	writeLoad(&e, s.Backend.System)
	writeDevices(&e, s.Backend.System)
	e.metric("coracle_api_requests_total", counter, "Calls of the machine API, by method and how they ended.", s.counts.samples()...)
	w.Header().Set("Content-Type", expositionType)
	w.Write([]byte(e.b.String()))
}

// writeState writes what machined knows itself.
func (s *Server) writeState(e *exposition, m state.Machine) {
	r := s.Backend.Release
	e.metric("coracle_info", gauge, "What runs; the value is always 1.",
		of(1, "version", r.Version, "kubernetes", r.Kubernetes, "kernel", r.Kernel, "arch", r.Arch, "name", m.Name, "role", m.Role, "slot", m.Slot))
	e.metric("coracle_config_in_force", gauge, "Whether the machine has a config.", of(one(m.Role != "")))
	e.metric("coracle_data_ready", gauge, "Whether DATA is mounted.", of(one(m.Data.Ready)))
	if m.Data.Ready {
		e.metric("coracle_data_size_bytes", gauge, "Size of DATA.", of(float64(m.Data.Total)))
		e.metric("coracle_data_used_bytes", gauge, "Bytes of DATA that are used.", of(float64(m.Data.Used)))
	}
	e.metric("coracle_kube_restarts_total", counter, "Times that kube ended and was started again since machined started.", of(float64(m.Kube.Restarts)))
	var phases []sample
	for _, p := range []state.Phase{state.Off, state.Starting, state.Ready, state.Waiting, state.Stopping} {
		phases = append(phases, of(one(m.Kube.Phase == p), "phase", string(p)))
	}
	e.metric("coracle_kube_phase", gauge, "1 for the phase that kube is in.", phases...)
	if k := m.Kube.Status; k != nil {
		e.metric("coracle_node_ready", gauge, "Whether the Kubernetes node is Ready.", of(one(k.NodeReady)))
		e.metric("coracle_pods", gauge, "Pods of this node.", of(float64(k.PodsTotal)))
		e.metric("coracle_pods_running", gauge, "Pods of this node that run.", of(float64(k.PodsRunning)))
	}
	bySeverity := map[state.Severity]float64{}
	for _, c := range m.Conditions {
		bySeverity[c.Severity]++
	}
	var conditions []sample
	for _, severity := range []state.Severity{state.Error, state.Warning, state.Info} {
		conditions = append(conditions, of(bySeverity[severity], "severity", string(severity)))
	}
	e.metric("coracle_conditions", gauge, "Things that are wrong, by severity.", conditions...)
	e.metric("coracle_time_synced", gauge, "Whether a time server has set the clock since the machine started.", of(one(m.Time.Synced)))
	if !m.Time.LastSync.IsZero() {
		e.metric("coracle_time_last_sync_timestamp_seconds", gauge, "When a time server last set the clock.", of(seconds(m.Time.LastSync)))
	}
}

// writeLoad writes what the kernel counts of the machine as a whole. What it does not give is left out.
func writeLoad(e *exposition, system inspect.System) {
	if info, err := system.Meminfo(); err == nil {
		e.metric("coracle_memory_size_bytes", gauge, "RAM of the machine.", of(float64(info["MemTotal"])))
		e.metric("coracle_memory_available_bytes", gauge, "RAM that can still be had.", of(float64(info["MemAvailable"])))
	}
	var cgroups []sample
	for _, name := range []string{"init", "machined", "podruntime", "kubepods"} {
		if n := system.CgroupMemory(name); n > 0 {
			cgroups = append(cgroups, of(float64(n), "cgroup", name))
		}
	}
	e.metric("coracle_cgroup_memory_bytes", gauge, "Memory of the machine's cgroups, with what they have cached.", cgroups...)
	if up, err := system.Uptime(); err == nil {
		e.metric("coracle_uptime_seconds", gauge, "Time since the kernel started.", of(up.Seconds()))
	}
	if load, err := system.Load(); err == nil {
		for i, name := range []string{"coracle_load1", "coracle_load5", "coracle_load15"} {
			e.metric(name, gauge, "Load average of "+strings.TrimPrefix(name, "coracle_load")+" minutes.", of(load[i]))
		}
	}
	if cpu, err := system.CPU(); err == nil {
		var samples []sample
		for _, mode := range slices.Sorted(maps.Keys(cpu)) {
			samples = append(samples, of(cpu[mode].Seconds(), "mode", mode))
		}
		e.metric("coracle_cpu_seconds_total", counter, "Time of all processors, by what it was spent on.", samples...)
	}
}

// writeDevices writes what the kernel counts of devices.
func writeDevices(e *exposition, system inspect.System) {
	var read, written []sample
	disks, _ := system.DiskIO()
	for _, d := range disks {
		read = append(read, of(float64(d.Read), "device", d.Name))
		written = append(written, of(float64(d.Written), "device", d.Name))
	}
	e.metric("coracle_disk_read_bytes_total", counter, "Bytes read from disks.", read...)
	e.metric("coracle_disk_written_bytes_total", counter, "Bytes written to disks.", written...)
	var received, sent, receiveErrors, sendErrors []sample
	network, _ := system.Network()
	for _, i := range network.Interfaces {
		if i.Kind == "veth" { // one for each pod, which come and go
			continue
		}
		received = append(received, of(float64(i.Received), "interface", i.Name))
		sent = append(sent, of(float64(i.Sent), "interface", i.Name))
		receiveErrors = append(receiveErrors, of(float64(i.ReceiveErrors), "interface", i.Name))
		sendErrors = append(sendErrors, of(float64(i.SendErrors), "interface", i.Name))
	}
	e.metric("coracle_network_received_bytes_total", counter, "Bytes received, by interface.", received...)
	e.metric("coracle_network_sent_bytes_total", counter, "Bytes sent, by interface.", sent...)
	e.metric("coracle_network_receive_errors_total", counter, "Packets received with errors, by interface.", receiveErrors...)
	e.metric("coracle_network_send_errors_total", counter, "Packets that could not be sent, by interface.", sendErrors...)
	var temperatures, active, timeouts, resets []sample
	seen := map[inspect.Temperature]bool{}
	for _, t := range system.Temperatures() {
		if id := (inspect.Temperature{Chip: t.Chip, Sensor: t.Sensor}); !seen[id] { // of two like chips, the first
			seen[id] = true
			temperatures = append(temperatures, of(t.Celsius, "chip", t.Chip, "sensor", t.Sensor))
		}
	}
	e.metric("coracle_temperature_celsius", gauge, "Temperatures of the hardware.", temperatures...)
	for _, w := range system.Watchdogs() {
		active = append(active, of(one(w.Active), "device", w.Name, "identity", w.Identity))
		timeouts = append(timeouts, of(float64(w.Timeout), "device", w.Name))
		resets = append(resets, of(one(w.CardReset), "device", w.Name))
	}
	e.metric("coracle_watchdog_active", gauge, "Whether the watchdog would reset the machine.", active...)
	e.metric("coracle_watchdog_timeout_seconds", gauge, "Time without a sign of life after which it does.", timeouts...)
	e.metric("coracle_watchdog_reset", gauge, "Whether it was the watchdog that started the machine the last time.", resets...)
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
