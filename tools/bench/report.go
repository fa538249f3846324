package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// report is the content of bench.json. Its keys are read by others: change none.
type report struct {
	Arch     string   `json:"arch"`
	Seconds  seconds  `json:"seconds"`
	Baseline baseline `json:"baseline"`
	Memory   memory   `json:"memory_mib"`
	// Bytes written to disk in a second, mean of the idle time on the 512 MiB machine.
	IdleWrite float64 `json:"idle_write_bytes_per_s"`
	Bytes     sizes   `json:"bytes"`
}

// seconds from power-on by the host's clock, on the machine with 2 GiB: that is what the baseline has.
type seconds struct {
	Kernel         float64 `json:"kernel"`   // stage 1 of init runs
	Machined       float64 `json:"machined"` // machined runs
	APIServerReady float64 `json:"apiserver_ready"`
	NodeReady      float64 `json:"node_ready"`
	PodRunning     float64 `json:"pod_running"`
}

// baseline is the same of upstream's components as separate processes, with 2 GiB.
type baseline struct {
	PodRunning float64 `json:"pod_running"` // seconds
	Memory     float64 `json:"memory_mib"`
	IdleWrite  float64 `json:"idle_write_bytes_per_s"`
}

// memory in MiB once settled: MemTotal - MemAvailable, and the anonymous memory of each program on the 512 MiB machine.
type memory struct {
	Used512   float64            `json:"used_512"`
	Used2048  float64            `json:"used_2048"`
	Processes map[string]float64 `json:"processes"`
}

type sizes struct {
	ImageZst int64            `json:"image_zst"`
	Root     int64            `json:"root"` // file system, without the hash tree
	Binaries map[string]int64 `json:"binaries"`
}

// readReport reads an earlier report, or an empty one when there is none: Coracle and the baseline are measured by calls of
// their own, and neither forgets the other.
func readReport(path string) (report, error) {
	var r report
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, fmt.Errorf("read report: %w", err)
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("parse report %s: %w", path, err)
	}
	return r, nil
}

func (r report) write(path string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}
