// Package debian takes files from Debian packages without touching the packages of the build host.
//
// It runs apt with a configuration, package lists and an empty status file of its own, for any architecture.
// apt checks the archive's signatures against Debian's keyring; the packages are unpacked with dpkg-deb below a cache
// folder, and nothing is ever installed. No root is needed.
package debian

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/coracle-os/coracle/tools/imager/command"
)

// keyring is where Debian and Ubuntu install Debian's archive keys.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// listsDir is where apt keeps package lists, in the Archive's folder.
const listsDir = "state/lists"

// lockInterval is how often a cache that another build uses is looked at.
const lockInterval = 200 * time.Millisecond

// Options say which Debian is used and where things are kept.
type Options struct {
	Suite      string              // such as trixie; its updates and security suites are used too
	Alone      bool                // the suite has no updates and security suites, such as trixie-backports
	Components []string            // such as main
	Arch       string              // Debian's name of the architecture: amd64, arm64, armhf
	Cache      string              // folder for lists, packages and unpacked packages
	Complete   bool                // nothing is done without the lists of all suites, not even for a mirror that mixes them up
	Warn       func(string, error) // told what went wrong without stopping the work; may be nil
}

// Archive is one Debian suite for one architecture.
type Archive struct {
	Options
	dir     string    // of apt, with its configuration and its lists
	config  string    // apt.conf
	lock    *os.File  // nil when another Archive has it
	missing []Missing // suites
	used    map[string]Package
}

// Open prepares apt's own folders in the cache and fetches the package lists when they are missing or old.
// Close gives the cache to the next process.
func Open(ctx context.Context, o Options) (*Archive, error) {
	if _, err := os.Stat(keyring); err != nil {
		return nil, fmt.Errorf("%s is missing: install the package debian-archive-keyring", keyring)
	}
	cache, err := filepath.Abs(o.Cache)
	if err != nil {
		return nil, err
	}
	o.Cache = cache
	if err := os.MkdirAll(o.Cache, 0o755); err != nil {
		return nil, err
	}
	lock, err := o.wait(ctx, filepath.Join(o.Cache, "lock"))
	if err != nil {
		return nil, err
	}
	a, err := o.archive(ctx)
	if err != nil {
		lock.Close()
		return nil, err
	}
	a.lock = lock
	return a, nil
}

// For is the same suite for another architecture. It lasts no longer than a, whose Close is for both.
func (a *Archive) For(ctx context.Context, arch string) (*Archive, error) {
	if arch == a.Arch {
		return a, nil
	}
	o := a.Options
	o.Arch = arch
	return o.archive(ctx)
}

// OtherSuite is another suite of the same mirror, for the same architecture: one that stands alone, such as trixie-backports. a knows
// nothing of its packages. It lasts no longer than a, whose Close is for both.
func (a *Archive) OtherSuite(ctx context.Context, suite string) (*Archive, error) {
	o := a.Options
	o.Suite, o.Alone = suite, true
	return o.archive(ctx)
}

// archive prepares apt's folders and package lists, in a cache that is locked.
func (o Options) archive(ctx context.Context) (*Archive, error) {
	mirrors, err := HostMirrors()
	if err != nil {
		return nil, err
	}
	// Lists of other components are other lists.
	dir := filepath.Join(o.Cache, "apt", strings.Join(append([]string{o.Suite, o.Arch}, o.Components...), "_"))
	a := &Archive{Options: o, dir: dir, config: filepath.Join(dir, "apt.conf"), used: map[string]Package{}}
	if err := a.configure(ctx, mirrors); err != nil {
		return nil, err
	}
	for _, d := range []string{listsDir + "/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	return a, a.update(ctx, mirrors)
}

// Close releases the cache. The Archive's unpacked packages stay.
func (a *Archive) Close() error { return a.lock.Close() }

// wait locks the cache, after any other imager that uses it.
func (o Options) wait(ctx context.Context, name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for waiting := false; ; waiting = true {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		if !waiting {
			o.warn("waiting for another build to end", fmt.Errorf("it uses %s", o.Cache))
		}
		select {
		case <-time.After(lockInterval):
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("wait for the cache %s: %w", o.Cache, context.Cause(ctx))
		}
	}
}

// configure writes apt.conf, sources.list and the empty status file.
func (a *Archive) configure(ctx context.Context, m Mirrors) error {
	host, err := hostAcquire(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(a.dir, 0o755); err != nil {
		return err
	}
	sources := filepath.Join(a.dir, "sources.list")
	var conf strings.Builder
	conf.WriteString(host)
	for _, set := range [][2]string{
		{"Dir::State", filepath.Join(a.dir, "state")},
		{"Dir::State::status", filepath.Join(a.dir, "status")},
		{"Dir::Cache", filepath.Join(a.dir, "cache")},
		{"Dir::Etc::main", "/dev/null"},
		{"Dir::Etc::parts", "/dev/null"}, // the host's hooks and pins are not for us; Dir::Etc stays for its passwords
		{"Dir::Etc::sourcelist", sources},
		{"Dir::Etc::sourceparts", "/dev/null"},
		{"Dir::Etc::preferences", "/dev/null"},
		{"Dir::Etc::preferencesparts", "/dev/null"},
		{"Dir::Etc::trusted", "/dev/null"},
		{"Dir::Etc::trustedparts", "/dev/null"},
		{"APT::Architecture", a.Arch},
		{"APT::Architectures::", a.Arch},
		{"APT::Install-Recommends", "false"},
		{"APT::Sandbox::User", "root"}, // the cache may be in a home folder that user _apt cannot enter
		{"Acquire::Languages", "none"},
		{"Acquire::AllowInsecureRepositories", "false"},
		{"Acquire::AllowWeakRepositories", "false"},
		{"Acquire::AllowDowngradeToInsecureRepositories", "false"},
	} {
		fmt.Fprintf(&conf, "%s %q;\n", set[0], set[1])
	}
	if err := os.WriteFile(filepath.Join(a.dir, "status"), nil, 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(a.config, []byte(conf.String()), 0o644); err != nil {
		return err
	}
	list := a.sourcesList(a.suites(m))
	if old, err := os.ReadFile(sources); err == nil && string(old) == list {
		return nil
	}
	// Lists of another mirror are none.
	os.Remove(a.stamp())
	if err := os.RemoveAll(filepath.Join(a.dir, listsDir)); err != nil {
		return err
	}
	return os.WriteFile(sources, []byte(list), 0o644)
}

// hostAcquire is how the host reaches mirrors: proxies, time-outs, and dates to ignore on a snapshot mirror.
func hostAcquire(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "apt-config", "dump").Output()
	if err != nil {
		return "", fmt.Errorf("apt-config dump (the build needs apt, so Debian or Ubuntu): %w", err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(line, " ")
		for _, keep := range []string{"http", "https", "Retries", "ForceIPv4", "ForceIPv6", "Check-Valid-Until", "Check-Date"} {
			if rest, ok := strings.CutPrefix(name, "Acquire::"+keep); ok && (rest == "" || strings.HasPrefix(rest, "::")) {
				b.WriteString(line)
				break
			}
		}
	}
	return b.String(), nil
}

func (o Options) warn(what string, err error) {
	if o.Warn != nil {
		o.Warn(what, err)
	}
}

// run runs an apt program with the archive's configuration in dir and returns its output.
func (a *Archive) run(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "APT_CONFIG="+a.config, "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	return command.Output(cmd)
}
