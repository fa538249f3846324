package boottest

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// page is what the web servers of testdata/workload.yaml answer.
const page = "from the ConfigMap"

func testDNS(l *lab) {
	want := strings.TrimSpace(l.kubectl("get", "service", "kubernetes", "-o", "jsonpath={.spec.clusterIP}"))
	l.eventually("resolve the full name", func() error {
		got, err := l.inPod("nslookup", "kubernetes.default.svc.cluster.local")
		if err == nil && !strings.Contains(got, want) {
			err = fmt.Errorf("got %q, want %s in it", got, want)
		}
		return err
	})
	// Nobody answers a ping there: its first line tells what the name became, by the search list too.
	got, _ := l.inPod("ping", "-c", "1", "-W", "1", "kubernetes.default")
	if !strings.Contains(got, "("+want+")") {
		l.Errorf("kubernetes.default: got %q, want %s in it", got, want)
	}
}

func (l *lab) answersInPod(url string) {
	l.Helper()
	l.eventually(url+" from a pod", func() error {
		got, err := l.inPod("wget", "-q", "-T", "5", "-O", "-", url)
		if err == nil && got != page {
			err = fmt.Errorf("got %q, want %q", got, page)
		}
		return err
	})
}

func (l *lab) answersHost(url string) {
	l.Helper()
	client := &http.Client{Timeout: 5 * time.Second}
	l.eventually(url+" from the host", func() error {
		a, err := client.Get(url)
		if err != nil {
			return err
		}
		defer a.Body.Close()
		got, err := io.ReadAll(a.Body)
		if err == nil && strings.TrimSpace(string(got)) != page {
			err = fmt.Errorf("got %q, want %q", got, page)
		}
		return err
	})
}

func testClusterIP(l *lab) { l.answersInPod("http://web.default.svc.cluster.local/") }

func testNodePort(l *lab) {
	address := l.kubectl("get", "nodes", "-o", `jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}`)
	l.answersInPod(fmt.Sprintf("http://%s:%d/", strings.Fields(address)[0], nodePort))
	l.answersHost("http://" + l.machine.Address(nodePort) + "/")
}

func testLogs(l *lab) {
	if got := l.kubectl("logs", "--selector=app=web"); strings.Count(got, "serving\n") != 2 {
		l.Errorf("logs of two pods are %q, want a line from each", got)
	}
}

func testExec(l *lab) {
	cmd := l.command(l.within(time.Minute), "exec", "-i", "client", "--", "sh", "-c", "cat; exit 7")
	cmd.Stdin = strings.NewReader("through the machine and back")
	var stdout strings.Builder
	cmd.Stdout = &stdout
	err := cmd.Run()
	if stdout.String() != "through the machine and back" || cmd.ProcessState.ExitCode() != 7 {
		l.Errorf("got %q and exit code %d (%v)", stdout.String(), cmd.ProcessState.ExitCode(), err)
	}
}

var forwarding = regexp.MustCompile(`Forwarding from (127\.0\.0\.1:\d+) ->`)

func testPortForward(l *lab) {
	cmd := l.command(l.within(workWithin), "port-forward", "--address=127.0.0.1", "service/web", ":80")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		l.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		l.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	in := bufio.NewScanner(stdout)
	for in.Scan() {
		if m := forwarding.FindStringSubmatch(in.Text()); m != nil {
			l.answersHost("http://" + m[1] + "/")
			return
		}
	}
	l.Errorf("kubectl port-forward ended: %s", stderr.String())
}

func testConfigMap(l *lab) {
	if got := strings.TrimSpace(l.kubectl("exec", "deployment/web", "--", "cat", "/www/index.html")); got != page {
		l.Errorf("the mounted file is %q, want %q", got, page)
	}
}

func testCrashedContainer(l *lab) {
	const status = "jsonpath={.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].lastState.terminated.exitCode} {.status.containerStatuses[0].ready}"
	l.eventually("restart of the crashed container", func() error {
		got, err := l.try("get", "pod", "crasher", "-o", status)
		if err == nil && got != "1 3 true" {
			err = fmt.Errorf("restarts, exit code, ready: %q, want %q", got, "1 3 true")
		}
		return err
	})
}
