package command

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
)

func TestOutput(t *testing.T) {
	out, err := Output(exec.CommandContext(t.Context(), "sh", "-c", "echo out; echo err >&2"))
	if err != nil || out != "out\n" {
		t.Errorf("got %q, %v", out, err)
	}
	_, err = Output(exec.CommandContext(t.Context(), "sh", "-c", "for i in $(seq 100); do echo line $i >&2; done; exit 3"))
	var failed *Error
	if !errors.As(err, &failed) {
		t.Fatalf("error %v is not an *Error", err)
	}
	text := err.Error()
	if !strings.Contains(text, "line 100") || strings.Contains(text, "line 80\n") || !strings.Contains(text, "exit status 3") {
		t.Errorf("error is not about the end of the output:\n%s", text)
	}
	if !strings.Contains(text, "sh -c 'for i") {
		t.Errorf("error does not show the command:\n%s", text)
	}
}
