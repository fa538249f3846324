package english_test

import (
	"testing"

	_ "k8s.io/kubectl/pkg/cmd/options" // which translates

	_ "github.com/coracle-os/coracle/kube/english" // panics when it comes too late
)

func TestComesBeforeTranslations(*testing.T) {}
