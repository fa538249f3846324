package exit

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/klog/v2"
)

// The process ends in these tests, so each runs in a child.
func TestMain(m *testing.M) {
	switch os.Getenv("EXIT_TEST") {
	case "klog":
		Hook()
		likeComponents()
		klog.Info("before")
		klog.Fatalf("cannot open %s", "the door")
	case "klog without a reason":
		Hook()
		likeComponents()
		klog.Error("the cache is corrupted")
		klog.FlushAndExit(klog.ExitFlushTimeout, 1)
	case "logrus":
		Hook()
		logrus.WithError(errors.New("disk full")).Fatal("commit failed")
	case "with":
		With(Failed, "datastore: first\nsecond")
	case "while others log":
		Hook()
		for range 4 {
			go func() {
				for {
					logrus.Info("configuring the connection pool")
				}
			}()
		}
		time.Sleep(10 * time.Millisecond) // so that they do
		With(Failed, "the port is taken")
	}
	os.Exit(m.Run())
}

// likeComponents changes how klog logs, as containerd's CRI plugin (setGLogLevel) and kube-proxy do.
func likeComponents() {
	flags := flag.NewFlagSet("klog", flag.PanicOnError)
	klog.InitFlags(flags)
	flags.Set("legacy_stderr_threshold_behavior", "false")
	flags.Set("stderrthreshold", "INFO")
	flags.Set("logtostderr", "true")
	if err := logsapi.ValidateAndApply(logsapi.NewLoggingConfiguration(), nil); err != nil {
		panic(err)
	}
}

func TestLastLineSaysWhy(t *testing.T) {
	for name, want := range map[string]string{
		"klog":                  "cannot open the door",
		"klog without a reason": "the cache is corrupted",
		"logrus":                "kube: fatal: commit failed: disk full",
		"with":                  "kube: datastore: first; second",
		"while others log":      "kube: the port is taken",
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "EXIT_TEST="+name)
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != Failed {
				t.Fatalf("exit code %d (%v)\n%s", cmd.ProcessState.ExitCode(), err, out)
			}
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			if last := lines[len(lines)-1]; !strings.HasPrefix(last, "kube: ") || !strings.Contains(last, want) {
				t.Errorf("last line %q does not contain %q\n%s", last, want, out)
			}
			if strings.Contains(string(out), "goroutine ") {
				t.Errorf("with the stacks of all goroutines:\n%s", out)
			}
			if name == "klog" && !strings.Contains(lines[0], "before") {
				t.Errorf("ordinary lines are lost:\n%s", out)
			}
		})
	}
}
