package main

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	nodeName   = "node1"
	nodeIP     = "10.0.2.15"
	podCIDR    = "10.42.0.0/16"
	configDir  = "/run/baseline"
	stateDir   = "/var/lib/kine"
	kineSocket = "/run/kine.sock"
	token      = "baseline"
)

// Upstream's defaults, but for what a single server needs to be told.
var (
	apiserverFlags = []string{
		"--etcd-servers=unix://" + kineSocket,
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + configDir + "/sa.pub",
		"--service-account-signing-key-file=" + configDir + "/sa.key",
		"--service-cluster-ip-range=10.43.0.0/16",
		"--authorization-mode=AlwaysAllow",
		"--token-auth-file=" + configDir + "/tokens.csv",
		"--cert-dir=/var/lib/kubernetes/certs",
		"--allow-privileged",
		"--advertise-address=" + nodeIP,
	}
	controllerManagerFlags = []string{
		"--kubeconfig=" + configDir + "/kubeconfig",
		"--leader-elect=false",
		"--service-account-private-key-file=" + configDir + "/sa.key",
		"--allocate-node-cidrs",
		"--cluster-cidr=" + podCIDR,
	}
	schedulerFlags = []string{
		"--kubeconfig=" + configDir + "/kubeconfig",
		"--leader-elect=false",
		"--authentication-kubeconfig=" + configDir + "/kubeconfig",
		"--authorization-kubeconfig=" + configDir + "/kubeconfig",
	}
	kubeletFlags = []string{
		"--kubeconfig=" + configDir + "/kubeconfig",
		"--config=" + configDir + "/kubelet.yaml",
		"--node-ip=" + nodeIP,
	}
	proxyFlags = []string{
		"--kubeconfig=" + configDir + "/kubeconfig",
		"--proxy-mode=nftables",
		"--cluster-cidr=" + podCIDR,
	}
)

// programs are those that were started, by process ID.
var programs = map[int]string{}

// start runs a program whose log goes to a file on disk, as it does on a usual installation.
func start(name string, args ...string) func() error {
	return func() error {
		log, err := os.Create(logFile(name))
		if err != nil {
			return err
		}
		defer log.Close()
		cmd := exec.Command("/usr/bin/"+name, args...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = stateDir, log, log
		cmd.Env = append(os.Environ(), "PATH=/usr/sbin:/usr/bin")
		if err := cmd.Start(); err != nil {
			return err
		}
		programs[cmd.Process.Pid] = name
		return nil
	}
}

func logFile(name string) string { return filepath.Join("/var/log", name+".log") }

// endOfLog is the last of what a program had to say.
func endOfLog(name string) string {
	b, err := os.ReadFile(logFile(name))
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-4096):])
}

// patience is how long a program may take before the machine counts as failed.
const patience = 10 * time.Minute

// until calls there until it is true.
func until(there func() bool) error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if there() {
			return nil
		}
	}
	return fmt.Errorf("not after %s", patience)
}

func untilExists(path string) func() error {
	return func() error {
		return until(func() bool {
			_, err := os.Stat(path)
			return err == nil
		})
	}
}

func untilAPIReady() error {
	// The apiserver makes its certificate itself; there is nobody else on this machine.
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	return until(func() bool {
		q, err := http.NewRequest(http.MethodGet, "https://127.0.0.1:6443/readyz", nil)
		if err != nil {
			return false
		}
		q.Header.Set("Authorization", "Bearer "+token)
		a, err := client.Do(q)
		if err != nil {
			return false
		}
		a.Body.Close()
		return a.StatusCode == http.StatusOK
	})
}
