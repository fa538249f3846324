package boottest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/coracle-os/coracle/tools/vm/device"
)

// command is a kubectl that has not started. It ends with the machine, which some of its commands would wait for.
func (l *lab) command(ctx context.Context, args ...string) *exec.Cmd {
	l.Helper()
	path, err := device.Kubectl(out())
	if err != nil {
		l.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	l.Cleanup(cancel)
	console := l.machine.Console
	go func() {
		select {
		case <-console.Failed():
			cancel()
		case <-ctx.Done():
		}
	}()
	return exec.CommandContext(ctx, path, append([]string{"--kubeconfig", l.kubeconfigPath()}, args...)...)
}

// try runs kubectl and returns what it prints.
func (l *lab) try(args ...string) (string, error) {
	l.Helper()
	return l.run(l.command(l.within(time.Minute), args...))
}

func (l *lab) run(cmd *exec.Cmd) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("kubectl %s: %w: %s", strings.Join(cmd.Args[3:], " "), errors.Join(err, l.machine.Console.Err()), stderr.String())
	}
	return stdout.String(), err
}

// kubectl runs kubectl, which must succeed.
func (l *lab) kubectl(args ...string) string {
	l.Helper()
	text, err := l.try(args...)
	if err != nil {
		l.Fatal(err)
	}
	return text
}

// wait runs one of kubectl's commands that wait, such as rollout status.
func (l *lab) wait(args ...string) {
	l.Helper()
	args = append(args, "--timeout="+workWithin.String())
	if _, err := l.run(l.command(l.within(workWithin+10*time.Second), args...)); err != nil {
		l.Fatalf("%v\n%s", err, l.describe())
	}
}

// waitForCoreDNS waits until the cluster's DNS serves. It is deployed once its image is imported, after the node is Ready.
func (l *lab) waitForCoreDNS() {
	l.Helper()
	l.wait("wait", "--for=create", "deployment/coredns", "-n", "kube-system")
	l.wait("rollout", "status", "deployment/coredns", "-n", "kube-system")
}

// describe shows what the cluster says about its pods.
func (l *lab) describe() string {
	var b strings.Builder
	for _, args := range [][]string{{"get", "pods", "-A", "-o", "wide"}, {"describe", "pods"}} {
		text, err := l.try(args...)
		fmt.Fprintf(&b, "%s", text)
		if err != nil {
			fmt.Fprintln(&b, err)
		}
	}
	return b.String()
}

// apply applies a file of testdata.
func (l *lab) apply(name string) {
	l.Helper()
	l.eventually("apply "+name, func() error {
		_, err := l.try("apply", "-f", filepath.Join("testdata", name))
		return err
	})
}

// inPod runs a command in the pod "client".
func (l *lab) inPod(command ...string) (string, error) {
	l.Helper()
	text, err := l.try(append([]string{"exec", "client", "--"}, command...)...)
	return strings.TrimSpace(text), err
}
