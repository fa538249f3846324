package containerd

import (
	"context"
	"fmt"
	"os"

	"github.com/containerd/containerd/v2/cmd/ctr/app"
)

// Ctr is containerd's command-line client. args are the program's, with its name first. It returns the exit code.
// Kubernetes' containers are in the namespace k8s.io, which is its default here.
func Ctr(args []string) int {
	const variable = "CONTAINERD_NAMESPACE"
	if os.Getenv(variable) == "" {
		os.Setenv(variable, "k8s.io")
	}
	if err := app.New().Run(context.Background(), args); err != nil {
		fmt.Fprintln(os.Stderr, "ctr:", err)
		return 1
	}
	return 0
}
