// Command kube is Kubernetes for one machine in one process. By the name that it is called with it is also kubectl, and ctr,
// containerd's client.
//
//	kube run [--wait] [--settings PATH]   run a server or an agent; machined does this
//	kube version                          print the version of Kubernetes
//	kube help                             print this
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/component-base/cli"
	"k8s.io/component-base/version"
	kubectl "k8s.io/kubectl/pkg/cmd"

	"github.com/coracle-os/coracle/kube/containerd"
	_ "github.com/coracle-os/coracle/kube/english"
)

const usage = `kube is Kubernetes for one machine in one process.

  kube run [--wait] [--settings PATH]   run a server or an agent; machined does this
  kube version                          print the version of Kubernetes
  kube help                             print this

Called as kubectl or ctr it is that program.
`

func main() {
	switch filepath.Base(os.Args[0]) {
	case "kubectl":
		os.Exit(cli.Run(kubectl.NewDefaultKubectlCommand()))
	case "ctr":
		os.Exit(containerd.Ctr(os.Args))
	}
	command := ""
	if len(os.Args) > 1 {
		command = os.Args[1]
	}
	switch command {
	case "run":
		run(os.Args[2:])
	case "version":
		fmt.Println(version.Get().GitVersion)
	case "help", "--help", "-h":
		fmt.Print(usage)
	default:
		fmt.Fprintf(os.Stderr, "kube: unknown command %q\n\n%s", command, usage)
		os.Exit(2)
	}
}
