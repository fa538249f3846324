package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

const (
	mkfsPath   = "/usr/sbin/mkfs.ext4"
	e2fsckPath = "/usr/sbin/e2fsck"
)

// Bits of e2fsck's exit code, from e2fsck(8). The reboot bit (2) concerns a root that was checked while mounted.
const (
	fsckCorrected  = 1
	fsckUnrepaired = 4
	fsckFailed     = 8
)

// errDamaged is that a file system could not be repaired.
var errDamaged = errors.New("the file system is damaged beyond what e2fsck can repair")

// check runs e2fsck on device until the file system is good, first with what is safe (-p), then with all it can do
// (-y), and returns what it said if it repaired something. force has it look at a file system that is marked clean too.
func check(ctx context.Context, device string, force bool, progress func(string)) ([]string, error) {
	progress("checking the file system of " + device)
	code, said, err := fsck(ctx, "-p", force, device)
	if err != nil {
		return nil, err
	}
	if code&(fsckUnrepaired|fsckFailed) == 0 {
		if code&fsckCorrected == 0 {
			said = nil
		}
		return said, nil
	}
	progress("repairing the file system of " + device + "; this may take minutes")
	code, said, err = fsck(ctx, "-y", force, device)
	if err != nil {
		return nil, err
	}
	if code&(fsckUnrepaired|fsckFailed) != 0 {
		why := "it said nothing"
		if len(said) > 0 {
			why = said[0]
		}
		return said, fmt.Errorf("%w (exit code %d: %s)", errDamaged, code, why)
	}
	return said, nil
}

// fsck runs e2fsck and returns its exit code and the lines it said.
func fsck(ctx context.Context, mode string, force bool, device string) (int, []string, error) {
	args := []string{mode, device}
	if force {
		args = append([]string{"-f"}, args...)
	}
	out, err := command(ctx, e2fsckPath, args...)
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() < 0) {
		return 0, nil, fmt.Errorf("run %s %s %s: %w", e2fsckPath, mode, device, err)
	}
	code := 0
	if exit != nil {
		code = exit.ExitCode()
	}
	return code, summary(string(out), device), nil
}

// maxLines is how much of e2fsck's talk is kept: each problem is a line or two, and a bad disk has thousands.
const maxLines = 10

// chatter is what e2fsck says that tells nothing: its version, what it does, that it did what it was asked.
var chatter = []string{"e2fsck ", "Pass ", "Fix? yes", "Clear? yes", "***** FILE SYSTEM WAS MODIFIED"}

// summary picks the lines of e2fsck that say something, the first ones if there are many.
func summary(out, device string) []string {
	var lines []string
	for line := range strings.Lines(out) {
		for _, name := range []string{device, dataLabel} {
			line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), name+":"))
		}
		if line == "" || slices.ContainsFunc(chatter, func(c string) bool { return strings.HasPrefix(line, c) }) {
			continue
		}
		lines = append(lines, line)
	}
	if n := len(lines) - maxLines; n > 0 {
		lines = append(lines[:maxLines], fmt.Sprintf("(and %d lines more)", n))
	}
	return lines
}

// command runs a program of e2fsprogs and returns what it said.
func command(ctx context.Context, name string, args ...string) ([]byte, error) {
	var out bytes.Buffer
	c := exec.CommandContext(ctx, name, args...)
	c.Stdout, c.Stderr = &out, &out
	c.Env = []string{"PATH=/usr/sbin:/usr/bin", "LC_ALL=C", "MKE2FS_CONFIG=/dev/null", "E2FSCK_CONFIG=/dev/null"}
	err := c.Run()
	return out.Bytes(), err
}
