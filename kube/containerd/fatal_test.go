package containerd

import (
	"errors"
	"testing"

	"github.com/containerd/log"
)

func TestFatalIsAnErrorNotAnExit(t *testing.T) {
	log.L.Logger.SetOutput(t.Output())
	for _, tc := range []struct {
		name string
		do   func()
		want string
	}{
		{"message", func() { log.L.Fatal("serve failure") }, "serve failure"},
		{"message and cause", func() { log.L.WithError(errors.New("disk full")).Fatal("Failed to run CRI service") },
			"Failed to run CRI service: disk full"},
		{"exit only", func() { log.L.Logger.Exit(1) }, "stopped without saying why"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			died, release := catchFatal()
			defer release()
			survived := make(chan bool, 1)
			go func() {
				defer func() { survived <- false }() // runs when the goroutine is ended
				tc.do()
				survived <- true
			}()
			if <-survived {
				t.Error("the goroutine went on after Fatal")
			}
			if err := <-died; err.Error() != tc.want {
				t.Errorf("error %q, want %q", err, tc.want)
			}
		})
	}
}
