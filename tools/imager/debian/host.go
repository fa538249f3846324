package debian

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/coracle-os/coracle/tools/imager/command"
)

// Installed is a package of the build host itself, as dpkg knows it. Its Root is /.
func Installed(ctx context.Context, name, arch string) (Package, error) {
	const format = "${Version}\n${source:Package}\n${source:Version}\n"
	out, err := command.Output(exec.CommandContext(ctx, "dpkg-query", "--show", "--showformat", format, name+":"+arch))
	if err != nil {
		return Package{}, fmt.Errorf("which version of %s is installed: %w", name, err)
	}
	fields := strings.Fields(out)
	if len(fields) != 3 {
		return Package{}, fmt.Errorf("package %s:%s is not installed", name, arch)
	}
	return Package{
		Name: name, Arch: arch, Version: fields[0], Source: fields[1], SourceVersion: fields[2], Root: "/",
		Distribution: distribution("/etc/os-release"),
	}, nil
}

// distribution is the ID of os-release(5).
func distribution(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return "debian"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if id, ok := strings.CutPrefix(lines.Text(), "ID="); ok {
			return strings.Trim(id, `"'`)
		}
	}
	return "linux" // what os-release(5) says is meant then
}
