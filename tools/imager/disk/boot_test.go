package disk_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/coracle-os/coracle/arch"
	"github.com/coracle-os/coracle/configs/grub"
	"github.com/coracle-os/coracle/images/slot"
	"github.com/coracle-os/coracle/images/slot/build"
	"github.com/coracle-os/coracle/images/slot/fat"
	"github.com/coracle-os/coracle/images/slot/grubenv"
	"github.com/coracle-os/coracle/tools/imager/debian"
	"github.com/coracle-os/coracle/tools/imager/disk"
	"github.com/coracle-os/coracle/tools/imager/disk/disktest"
)

const (
	mib        = 1 << 20
	slotOffset = mib + disk.BootSize
	slotSize   = 64 * mib
)

// machine is a disk image and what is needed to change and to boot it.
type machine struct {
	t     *testing.T
	tools *debian.Tools
	image string
	boot  string // mtools' name of BOOT
}

// newMachine makes an image with Debian's kernel and an initramfs that says how it was booted.
func newMachine(t *testing.T, tools *debian.Tools, name string) *machine {
	t.Helper()
	dir := t.TempDir()
	var kernels []string
	for _, p := range disktest.Packages(t, "linux-image-amd64") {
		found, _ := filepath.Glob(filepath.Join(p.Root, "boot", "vmlinuz-*"))
		kernels = append(kernels, found...)
	}
	if len(kernels) != 1 {
		t.Fatalf("Debian's kernel package has the kernels %q, want one", kernels)
	}
	root := filepath.Join(dir, "root")
	if err := os.WriteFile(root, make([]byte, 64<<10), 0o644); err != nil {
		t.Fatal(err)
	}
	tree, err := build.Verity(t.Context(), root, filepath.Join(dir, "tree"), "blake2b-256")
	if err != nil {
		t.Fatal(err)
	}
	initrd := initramfs(t, dir)
	layout, err := build.Plan("1.2.3", "amd64", kernels[0], 8*mib, tree)
	if err != nil {
		t.Fatal(err)
	}
	config, err := grub.Slot(append(grub.DefaultArguments, "test.image="+name))
	if err != nil {
		t.Fatal(err)
	}
	date := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	slotImage := filepath.Join(dir, "slot.img")
	manifest, err := build.Assemble(t.Context(), tools, slotImage, build.Parts{
		Layout: layout, Tree: tree, Kernel: kernels[0], KernelRelease: "test", Initrd: initrd, Grub: config, Root: root, Time: date,
	})
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{t: t, tools: tools, image: filepath.Join(dir, "disk.img")}
	m.boot = fmt.Sprintf("%s@@%d", m.image, mib)
	spec := disk.Spec{
		Arch: "amd64", Slot: slotImage, SlotSize: slotSize, Manifest: manifest, Time: date,
		Boot: []fat.File{{Path: "machine.yaml", Data: []byte("machine: {}\n")}},
	}
	if err := disk.Write(t.Context(), tools, m.image, spec); err != nil {
		t.Fatal(err)
	}
	return m
}

func initramfs(t *testing.T, dir string) string {
	t.Helper()
	program := filepath.Join(dir, "init")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./testdata/init").CombinedOutput(); err != nil {
		t.Fatalf("build init: %v: %s", err, out)
	}
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	w := cpio.Newc.Writer(&archive)
	for _, r := range []cpio.Record{cpio.Directory("dev", 0o755), cpio.CharDev("dev/console", 0o600, 5, 1), cpio.StaticFile("init", string(content), 0o755)} {
		if err := w.WriteRecord(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := cpio.WriteTrailer(w); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "initrd")
	if err := os.WriteFile(name, archive.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// mtools runs one of mtools on the disk.
func (m *machine) mtools(name string, args ...string) []byte {
	m.t.Helper()
	cmd := m.tools.Command(m.t.Context(), name, append([]string{"-i", m.boot}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		m.t.Fatalf("%s %q: %v", name, args, err)
	}
	return out
}

func (m *machine) setEnvironment(block []byte) { m.replace("grubenv", block) }

// replace puts another file into BOOT's folder coracle.
func (m *machine) replace(file string, content []byte) {
	m.t.Helper()
	name := filepath.Join(m.t.TempDir(), file)
	if err := os.WriteFile(name, content, 0o644); err != nil {
		m.t.Fatal(err)
	}
	m.mtools("mcopy", "-o", name, "::/coracle/"+file)
}

func (m *machine) environment() string {
	m.t.Helper()
	s, err := grubenv.Parse(m.mtools("mtype", "::/coracle/grubenv"))
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("active=%s try=%s tried=%s failed=%s", s.Active, s.Try, s.Tried, s.Failed)
}

// destroySlotA makes slot A's kernel unreadable.
func (m *machine) destroySlotA() {
	m.t.Helper()
	f, err := os.OpenFile(m.image, os.O_RDWR, 0)
	if err != nil {
		m.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(make([]byte, mib), slotOffset); err != nil {
		m.t.Fatal(err)
	}
}

// addSlotB copies slot A to a new partition behind it, as the machine's first boot and an upgrade do.
func (m *machine) addSlotB() {
	m.t.Helper()
	image, err := os.ReadFile(m.image)
	if err != nil {
		m.t.Fatal(err)
	}
	bigger := append(image[:slotOffset+slotSize:slotOffset+slotSize], image[slotOffset:slotOffset+slotSize]...)
	bigger = append(bigger, make([]byte, mib)...)
	if err := os.WriteFile(m.image, bigger, 0o644); err != nil {
		m.t.Fatal(err)
	}
	m.sgdisk("--move-second-header", fmt.Sprintf("--new=3:%d:%d", (slotOffset+slotSize)/512, (slotOffset+2*slotSize)/512-1))
}

func (m *machine) sgdisk(args ...string) string {
	m.t.Helper()
	out, err := m.tools.Command(m.t.Context(), "sgdisk", append(args, m.image)...).CombinedOutput()
	if err != nil {
		m.t.Fatalf("sgdisk %q: %v: %s", args, err, out)
	}
	return string(out)
}

// start boots the disks until the initramfs has powered off, or the text stop was on the console.
func start(t *testing.T, firmware, stop string, disks ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	args := []string{
		"-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "512", "-nographic", "-no-reboot", "-nic", "none",
	}
	if firmware == "uefi" {
		code := "/usr/share/OVMF/OVMF_CODE_4M.fd"
		vars, err := os.ReadFile(strings.Replace(code, "CODE", "VARS", 1))
		if err != nil {
			t.Skip("needs OVMF:", err)
		}
		copied := filepath.Join(t.TempDir(), "vars.fd")
		if err := os.WriteFile(copied, vars, 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-drive", "if=pflash,format=raw,readonly=on,file="+code, "-drive", "if=pflash,format=raw,file="+copied)
	}
	for _, d := range disks {
		args = append(args, "-drive", "if=virtio,format=raw,file="+d)
	}
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", args...)
	console := &watched{stop: stop, found: cancel}
	cmd.Stdout = console
	begin := time.Now()
	err := cmd.Run()
	text := console.text.String()
	if err != nil && !console.seen {
		t.Fatalf("qemu: %v\n%s", err, text)
	}
	t.Logf("%s: %.1f s", firmware, time.Since(begin).Seconds())
	if dir := os.Getenv("CORACLE_TEST_LOGS"); dir != "" {
		os.WriteFile(filepath.Join(dir, strings.ReplaceAll(t.Name(), "/", "-")+"-"+firmware+".log"), []byte(text), 0o644)
	}
	return text
}

// watched is a console's output; it calls found when stop comes along.
type watched struct {
	text  bytes.Buffer
	stop  string
	found func()
	seen  bool
}

func (w *watched) Write(p []byte) (int, error) {
	w.text.Write(p)
	if w.stop != "" && !w.seen && bytes.Contains(w.text.Bytes(), []byte(w.stop)) {
		w.seen = true
		w.found()
	}
	return len(p), nil
}

func TestBoot(t *testing.T) {
	if os.Getenv("CORACLE_TEST_ALL") == "" {
		t.Skip("boots QEMU fourteen times: CORACLE_TEST_ALL=1")
	}
	tools := disktest.Tools(t, "gdisk")
	block := func(active, try, tried string) []byte {
		b, err := grubenv.State{Active: active, Try: try, Tried: tried}.Block()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	const unreadable = "GRUB environment: it does not start with \"# GRUB Environment Block\""
	ones := bytes.Repeat([]byte{0xff}, grubenv.Size)
	tests := []struct {
		name        string
		firmware    string
		prepare     func(*machine)
		slot        string // that runs, and whether on trial
		environment string // afterwards
	}{
		{"as flashed", "uefi", func(*machine) {}, "a", "active=a try= tried= failed="},
		{"as flashed", "bios", func(*machine) {}, "a", "active=a try= tried= failed="},
		{"try the other slot", "uefi", func(m *machine) { m.addSlotB(); m.setEnvironment(block("a", "b", "")) }, "b trial", "active=a try= tried=b failed="},
		{"try the other slot", "bios", func(m *machine) { m.addSlotB(); m.setEnvironment(block("a", "b", "")) }, "b trial", "active=a try= tried=b failed="},
		{"the other slot is active", "bios", func(m *machine) { m.addSlotB(); m.setEnvironment(block("b", "", "b")) }, "b", "active=b try= tried=b failed="},
		{"try a slot that is not there", "uefi", func(m *machine) { m.setEnvironment(block("a", "b", "")) }, "a", "active=a try= tried=b failed=b"},
		{"try a slot that is not there", "bios", func(m *machine) { m.setEnvironment(block("a", "b", "")) }, "a", "active=a try= tried=b failed=b"},
		{"garbage", "bios", func(m *machine) { m.setEnvironment(bytes.Repeat([]byte{0xa5}, grubenv.Size)) }, "a", unreadable},
		{"zeros", "bios", func(m *machine) { m.setEnvironment(make([]byte, grubenv.Size)) }, "a", unreadable},
		{"ones, and the copy has b", "bios", func(m *machine) { m.addSlotB(); m.setEnvironment(ones); m.replace("grubenv.copy", block("b", "", "")) }, "b", unreadable},
		{"ones, and no copy", "uefi", func(m *machine) { m.addSlotB(); m.setEnvironment(ones); m.mtools("mdel", "::/coracle/grubenv.copy") }, "a", unreadable},
		{"an active slot that is none, and a try", "bios", func(m *machine) { m.addSlotB(); m.setEnvironment(block("c", "b", "")) }, "a", "active=c try=b tried= failed="},
		{"empty", "uefi", func(m *machine) { m.setEnvironment(nil) }, "a", "GRUB environment: 0 bytes are too few"},
		{"the active slot is destroyed", "uefi", func(m *machine) { m.addSlotB(); m.destroySlotA() }, "b", "active=a try= tried= failed="},
	}
	for _, test := range tests {
		t.Run(test.firmware+" "+test.name, func(t *testing.T) {
			m := newMachine(t, tools, "one")
			test.prepare(m)
			if out := m.sgdisk("--verify"); !strings.Contains(out, "No problems found") {
				t.Errorf("sgdisk --verify: %s", out)
			}
			text := start(t, test.firmware, "", m.image)
			guid := regexp.MustCompile(`Partition unique GUID: (\S+)`).FindStringSubmatch(m.sgdisk("--info=1"))[1]
			slot, trial, _ := strings.Cut(test.slot, " ")
			want := fmt.Sprintf("coracle.slot=%s coracle.boot=%s console=", slot, strings.ToLower(guid))
			if strings.Contains(text, "coracle.trial") != (trial != "") {
				t.Errorf("want coracle.trial only for a slot that is tried:\n%s", text)
			}
			if !strings.Contains(text, "booted by "+test.firmware+": ") || !strings.Contains(text, want) {
				t.Errorf("want a boot with %q:\n%s", want, text)
			}
			if got := m.environment(); got != test.environment {
				t.Errorf("environment afterwards %q, want %q", got, test.environment)
			}
		})
	}
}

// A machine with two disks boots from the one whose GRUB ran.
func TestBootFromTheDiskOfGRUB(t *testing.T) {
	if os.Getenv("CORACLE_TEST_ALL") == "" {
		t.Skip("boots QEMU: CORACLE_TEST_ALL=1")
	}
	tools := disktest.Tools(t, "gdisk")
	one, two := newMachine(t, tools, "one"), newMachine(t, tools, "two")
	for _, firmware := range []string{"bios", "uefi"} {
		if text := start(t, firmware, "", two.image, one.image); !strings.Contains(text, "test.image=two") {
			t.Errorf("%s: not booted from the first disk:\n%s", firmware, text)
		}
	}
}

// Without any slot the machine restarts, and says why; it offers no prompt.
func TestNothingToBoot(t *testing.T) {
	if os.Getenv("CORACLE_TEST_ALL") == "" {
		t.Skip("boots QEMU: CORACLE_TEST_ALL=1")
	}
	tools := disktest.Tools(t, "gdisk")
	m := newMachine(t, tools, "one")
	m.destroySlotA()
	for _, firmware := range []string{"bios", "uefi"} {
		text := start(t, firmware, "", m.image) // -no-reboot: QEMU ends when it restarts
		if !strings.Contains(text, "no slot can be loaded") || strings.Contains(text, "grub>") {
			t.Errorf("%s:\n%s", firmware, text)
		}
	}
	m.mtools("mdel", "::/coracle/grub.cfg")
	for _, firmware := range []string{"bios", "uefi"} {
		text := start(t, firmware, "", m.image)
		if !strings.Contains(text, "Restarting in 10 seconds") || strings.Contains(text, "grub>") {
			t.Errorf("%s without grub.cfg:\n%s", firmware, text)
		}
	}
}

// Two builds are equal byte for byte, for each architecture and table.
func TestWriteRepeats(t *testing.T) {
	tools := disktest.Tools(t)
	slotImage := filepath.Join(t.TempDir(), "slot.img")
	if err := os.WriteFile(slotImage, bytes.Repeat([]byte("slot"), mib/4), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		arch   string
		table  disk.Table
		boot   int64 // where BOOT starts, in bytes
		loader string
	}{
		{"amd64", "", mib, "EFI/BOOT/BOOTX64.EFI"},
		{"arm64", disk.GPT, mib, "EFI/BOOT/BOOTAA64.EFI"},
		{"arm64", disk.MBR, 4 * mib, "EFI/BOOT/BOOTAA64.EFI"},
		{"armhf", disk.GPT, mib, "EFI/BOOT/BOOTARM.EFI"},
		{"armhf", disk.MBR, 4 * mib, "EFI/BOOT/BOOTARM.EFI"},
	} {
		t.Run(test.arch+" "+string(test.table), func(t *testing.T) {
			if test.arch != "amd64" && os.Getenv("CORACLE_TEST_ALL") == "" {
				t.Skip("fetches package lists of another architecture: CORACLE_TEST_ALL=1")
			}
			a, err := arch.Named(test.arch)
			if err != nil {
				t.Fatal(err)
			}
			if test.arch != "amd64" {
				tools.Add(disktest.Fetch(t, a, disk.BootPackages(a.GOARCH)...)...)
			}
			spec := disk.Spec{
				Arch: a.GOARCH, Table: test.table, Slot: slotImage, SlotSize: 4 * mib,
				Manifest: slot.Manifest{Version: "1"}, Time: time.Unix(1_790_000_000, 0),
				Boot: []fat.File{{Path: "config.txt", Data: []byte("kernel=u-boot.bin\n")}},
			}
			dir := t.TempDir()
			var images [2][]byte
			for i := range images {
				out := filepath.Join(dir, fmt.Sprint(i))
				if err := disk.Write(t.Context(), tools, out, spec); err != nil {
					t.Fatal(err)
				}
				images[i], _ = os.ReadFile(out)
			}
			if !bytes.Equal(images[0], images[1]) {
				t.Error("two builds differ")
			}
			if start := images[0][test.boot+disk.BootSize:]; !bytes.HasPrefix(start, []byte("slotslot")) {
				t.Errorf("slot A does not follow BOOT: % x", start[:8])
			}
			m := machine{t: t, tools: tools, boot: fmt.Sprintf("%s@@%d", filepath.Join(dir, "0"), test.boot)}
			if loader := m.mtools("mtype", "::/"+test.loader); !bytes.HasPrefix(loader, []byte("MZ")) {
				t.Errorf("%s is no EFI program", test.loader)
			}
			if config := m.mtools("mtype", "::/config.txt"); !bytes.Equal(config, spec.Boot[0].Data) {
				t.Errorf("config.txt is %q", config)
			}
			spec.SlotSize = mib / 2
			if err := disk.Write(t.Context(), tools, filepath.Join(dir, "small"), spec); err == nil || !strings.Contains(err.Error(), "MiB") {
				t.Errorf("a slot that does not fit: error %v", err)
			}
		})
	}
}
