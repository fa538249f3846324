package inspect

import (
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode/utf8"
)

// files makes a file system; a name that ends in "@" is a symbolic link.
func files(m map[string]string) fstest.MapFS {
	f := fstest.MapFS{}
	for name, text := range m {
		if link, is := strings.CutSuffix(name, "@"); is {
			f[link] = &fstest.MapFile{Data: []byte(text), Mode: fs.ModeSymlink | 0o777}
		} else {
			f[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
		}
	}
	return f
}

const statLine = "42 (a (b) c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 7 0 300 1048576 10 18446744073709551615 0 0 0 0 0 0 0\n"

func TestProcesses(t *testing.T) {
	s := System{Proc: files(map[string]string{
		"42/stat": statLine, "42/cgroup": "0::/kubepods/x\n", "42/cmdline": "a\x00--token=secret\x00",
		"7/cgroup": "0::/\n", // has ended meanwhile
		"uptime":   "1 1\n",
	})}
	list, err := s.Processes(false)
	if err != nil {
		t.Fatal(err)
	}
	want := Process{
		PID: 42, PPID: 1, State: "S", Threads: 7, CPU: 3 * time.Second, Virtual: 1 << 20, Resident: 10 * uint64(os.Getpagesize()),
		Command: "a (b) c", Cgroup: "/kubepods/x", Started: 3 * time.Second,
	}
	if len(list) != 1 || list[0] != want {
		t.Errorf("%+v, want %+v", list, want)
	}
	if list, _ := s.Processes(true); list[0].Args != "a --token=secret" {
		t.Errorf("arguments %q", list[0].Args)
	}
}

func TestParseStatErrors(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "no command": "1 S 1", "short": "1 (a) S 1", "not a number": strings.Replace(statLine, "250", "x", 1), "PID": strings.Replace(statLine, "42 (", "x (", 1),
	} {
		if p, err := parseStat(text, 4096); err == nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestMeminfo(t *testing.T) {
	m, err := System{Proc: files(map[string]string{"meminfo": "MemTotal:  1000 kB\nHugePages_Total:    3\nnonsense\n"})}.Meminfo()
	if err != nil || !reflect.DeepEqual(m, map[string]uint64{"MemTotal": 1024000, "HugePages_Total": 3}) {
		t.Errorf("%v, %v", m, err)
	}
}

func TestCgroups(t *testing.T) {
	s := System{Sys: files(map[string]string{
		"fs/cgroup/cgroup.procs":              "1\n",
		"fs/cgroup/machined/memory.current":   "5\n",
		"fs/cgroup/machined/memory.stat":      "anon 3\nfile 2\nkernel 0\n",
		"fs/cgroup/machined/memory.events":    "low 0\noom_kill 4\n",
		"fs/cgroup/kubepods/a/memory.current": "7\n",
	})}
	list, err := s.Cgroups()
	want := []Cgroup{{Path: "/kubepods/a", Current: 7}, {Path: "/machined", Current: 5, Anonymous: 3, File: 2, OOMKills: 4}}
	if err != nil || !reflect.DeepEqual(list, want) {
		t.Errorf("%+v, %v", list, err)
	}
	if n := s.CgroupAnonymous("/machined"); n != 3 {
		t.Errorf("%d", n)
	}
	if n := s.CgroupMemory("/machined"); n != 5 {
		t.Errorf("%d", n)
	}
}

// TestNetworkFileSystemsAreNotAsked: one whose server is gone would hold the caller for ever.
func TestNetworkFileSystemsAreNotAsked(t *testing.T) {
	s := System{Proc: files(map[string]string{"self/mountinfo": `22 1 0:21 / / ro,relatime - squashfs /dev/dm-0 ro
30 22 254:4 / /var rw,nosuid shared:1 - ext4 /dev/vda4 rw
31 22 254:4 /x /var/lib/kubelet/a\040b rw - ext4 /dev/vda4 rw
40 22 0:50 / /var/lib/kubelet/nfs rw - nfs4 192.0.2.1:/x rw
41 22 0:51 / /var/lib/kubelet/fuse rw - fuse.sshfs x rw
a line that is none
`})}
	var asked []string
	list, err := s.mounts(func(path string) (uint64, uint64, error) {
		asked = append(asked, path)
		return 100, 50, nil
	})
	if err != nil || len(list) != 5 {
		t.Fatalf("%+v, %v", list, err)
	}
	if want := []string{"/", "/var"}; !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
	if m := list[2]; m.Target != "/var/lib/kubelet/a b" || m.Total != 100 || m.Available != 50 || m.Device != "254:4" {
		t.Errorf("%+v", m)
	}
}

func TestDisks(t *testing.T) {
	const sda, sdb, vda, nvme = "devices/pci0/usb1/1-1/host0/block/sda", "devices/pci0/ata2/host2/block/sdb", "devices/pci0/virtio2/block/vda", "devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1"
	s := System{Sys: files(map[string]string{
		"class/block/vda@": "../../" + vda, "class/block/vda4@": "../../" + vda + "/vda4", "class/block/sda@": "../../" + sda,
		"class/block/nvme0n1@": "../../" + nvme, "class/block/loop0@": "../../devices/virtual/block/loop0", "class/block/sr0@": "../../devices/pci0/ata1/host1/block/sr0",
		vda + "/size": "2048\n", vda + "/serial": "s1\n", vda + "/queue/rotational": "1\n", vda + "/dev": "254:0\n",
		vda + "/vda4/partition": "4\n", vda + "/vda4/size": "1024\n", vda + "/vda4/dev": "254:4\n", vda + "/vda4/uevent": "DEVNAME=vda4\nPARTNAME=CORACLE DATA\n",
		"devices/pci0/usb1/1-1/idVendor": "0781\n", "devices/pci0/usb1/1-1/serial": "4C53\n",
		"class/block/sdb@": "../../" + sdb, sdb + "/size": "8\n", sdb + "/device/vpd_pg80": "\x00\x80\x00\x0a  S5GX\x00\x00\x00\x00rest",
		sda + "/size": "8\n", sda + "/removable": "1\n", sda + "/ro": "1\n", sda + "/device/model": "Stick \x01\xff\n",
		nvme + "/size":                            "16\n",
		"devices/virtual/block/loop0/size":        "99\n",
		"devices/pci0/ata1/host1/block/sr0/size":  "0\n",
		"class/block/vda-is-no-directory-but-odd": "",
	})}
	list, err := s.Disks([]Mount{{Device: "254:4", Target: "/var"}}, "/dev/vda")
	want := []Disk{
		{Name: "nvme0n1", Size: 8192, Transport: "nvme"},
		{Name: "sda", Size: 4096, Model: "Stick ??", Serial: "4C53", Transport: "usb", Removable: true, ReadOnly: true},
		{Name: "sdb", Size: 4096, Serial: "S5GX", Transport: "ata"},
		{Name: "vda", Size: 1 << 20, Serial: "s1", Transport: "virtio", Rotatable: true, Boot: true, Partitions: []Partition{{Name: "vda4", Label: "CORACLE DATA", Size: 1 << 19, MountedAt: "/var"}}},
	}
	if err != nil || !reflect.DeepEqual(list, want) {
		t.Errorf("%+v\nwant %+v, %v", list, want, err)
	}
}

// TestNamesOfAnMBR has a card with Coracle, and one with another system.
func TestNamesOfAnMBR(t *testing.T) {
	sys := map[string]string{}
	for _, card := range []string{"mmcblk0", "mmcblk1"} {
		dir := "devices/soc/mmc_host/" + card
		sys["class/block/"+card+"@"], sys[dir+"/size"] = "../../"+dir, "8\n"
		for _, n := range []string{"1", "2", "3", "4", "5"} {
			sys[dir+"/"+card+"p"+n+"/partition"] = n + "\n"
			sys[dir+"/"+card+"p"+n+"/uevent"] = "PARTN=" + n + "\n"
		}
	}
	list, err := System{Sys: files(sys)}.Disks(nil, "/dev/mmcblk0")
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	for i, want := range []string{"coracle-boot coracle-a coracle-b coracle-data ", "    "} {
		var labels []string
		for _, p := range list[i].Partitions {
			labels = append(labels, p.Label)
		}
		if got := strings.Join(labels, " "); got != want {
			t.Errorf("%s: labels are %q, want %q", list[i].Name, got, want)
		}
	}
}

func TestConnections(t *testing.T) {
	s := System{Proc: files(map[string]string{
		"self/net/tcp": "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
			"   0: 0100007F:C350 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0 100 0 0 10 0\n" +
			"   1: 0100007F:C350 0200007F:8001 01 00000000:00000000 00:00000000 00000000     0        0 112 1 0 100 0 0 10 0\n",
		"self/net/tcp6": "   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 113\n",
		"self/net/udp":  "   0: 00000000:0044 00000000:0000 07 0:0 0:0 0 0 0 114 2 0\n",
		"9/comm":        "machined\n", "9/fd/3@": "socket:[111]", "9/fd/4@": "/dev/null", "9/fd/5@": "socket:[112]",
	})}
	show := func(list []Connection) (lines []string) {
		for _, c := range list {
			lines = append(lines, strings.Join([]string{c.Protocol, c.Local.String(), c.Remote.String(), c.State, c.Command}, " "))
		}
		return lines
	}
	list, err := s.Connections(false)
	want := []string{
		"tcp 127.0.0.1:50000 0.0.0.0:0 LISTEN machined", "tcp 127.0.0.1:50000 127.0.0.2:32769 ESTABLISHED machined",
		"tcp6 [::1]:8080 [::]:0 LISTEN ", "udp 0.0.0.0:68 0.0.0.0:0  ",
	}
	if got := show(list); err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	if list, _ := s.Connections(true); len(list) != 3 {
		t.Errorf("listening: %q", show(list))
	}
}

func TestLoadAndSensors(t *testing.T) {
	s := System{
		Proc: files(map[string]string{"stat": "cpu  100 0 200 300 0 0 0 0 0 0\ncpu0 1\n", "loadavg": "0.50 1.25 2.00 1/2 3\n", "uptime": "12.50 1.00\n"}),
		Sys: files(map[string]string{
			"class/block/vda@": "../../devices/virtio0/vda", "devices/virtio0/vda/size": "8", "devices/virtio0/vda/stat": " 1 2 10 3 4 5 20 6 7 8 9\n",
			"class/hwmon/hwmon0/name": "coretemp\n", "class/hwmon/hwmon0/temp1_input": "45500\n", "class/hwmon/hwmon0/temp1_label": "Package id 0\n",
			"class/hwmon/hwmon0/temp2_input": "unreadable\n", "class/hwmon/hwmon0/in0_input": "1\n",
			"class/watchdog/watchdog0/identity": "i6300ESB timer\n", "class/watchdog/watchdog0/state": "active\n", "class/watchdog/watchdog0/timeout": "60\n", "class/watchdog/watchdog0/bootstatus": "32\n",
		}),
	}
	if c, err := s.CPU(); err != nil || c["user"] != time.Second || c["idle"] != 3*time.Second {
		t.Errorf("%v, %v", c, err)
	}
	if l, err := s.Load(); err != nil || l != [3]float64{0.5, 1.25, 2} {
		t.Errorf("%v, %v", l, err)
	}
	if u, err := s.Uptime(); err != nil || u != 12500*time.Millisecond {
		t.Errorf("%v, %v", u, err)
	}
	if io, err := s.DiskIO(); err != nil || !slices.Equal(io, []DiskIO{{"vda", 5120, 10240}}) {
		t.Errorf("%+v, %v", io, err)
	}
	if got, want := s.Temperatures(), []Temperature{{"coretemp", "Package id 0", 45.5}}; !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	if got, want := s.Watchdogs(), []Watchdog{{"watchdog0", "i6300ESB timer", true, 60, true}}; !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	zones := System{Sys: files(map[string]string{"class/thermal/thermal_zone0/temp": "38000\n", "class/thermal/thermal_zone0/type": "cpu-thermal\n"})}
	if got, want := zones.Temperatures(), []Temperature{{"cpu-thermal", "thermal_zone0", 38}}; !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestResolvConf(t *testing.T) {
	servers, search := parseResolvConf("# x\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\nsearch a b\nsearch c\noptions x\n")
	if !slices.Equal(servers, []string{"192.0.2.1", "fe80::1%eth0"}) || !slices.Equal(search, []string{"c"}) {
		t.Errorf("%q %q", servers, search)
	}
}

// TestThisHost looks at the machine that the test runs on: the formats are those of a real kernel.
func TestThisHost(t *testing.T) {
	s := Host()
	if list, err := s.Processes(true); err != nil || !slices.ContainsFunc(list, func(p Process) bool { return p.PID == os.Getpid() && p.Resident > 0 && p.Args != "" }) {
		t.Errorf("this test is not among %d processes: %v", len(list), err)
	}
	if m, err := s.Meminfo(); err != nil || m["MemTotal"] == 0 {
		t.Errorf("%v, %v", m, err)
	}
	if list, err := s.Mounts(); err != nil || !slices.ContainsFunc(list, func(m Mount) bool { return m.Target == "/" }) {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := s.Connections(false); err != nil {
		t.Error(err)
	}
	if n, err := s.Network(); err != nil || !slices.ContainsFunc(n.Interfaces, func(i Interface) bool { return i.Name == "lo" }) {
		t.Errorf("%+v, %v", n, err)
	}
	if _, err := s.CPU(); err != nil {
		t.Error(err)
	}
}

func FuzzParsers(f *testing.F) {
	f.Add(statLine)
	f.Add("0::/a\n")
	f.Add("a\x00b\x00")
	f.Add("MemTotal: 1 kB\n")
	f.Add(`30 22 254:4 / /v\040\777 rw - ext4 /dev/vda4 rw` + "\n")
	f.Add("   0: 0100007F:C350 00000000:0000 0A 0:0 0:0 0 0 0 111\n")
	f.Add("cpu  1 2 3 4 5 6 7 8 9 10\n")
	f.Add("1 2 3 4 5 6 7 8")
	f.Add("nameserver a\nsearch b c\n")
	f.Fuzz(func(t *testing.T, text string) {
		var out []string
		if p, err := parseStat(text, 4096); err == nil {
			out = append(out, p.State, p.Command)
			if p.CPU < 0 || p.Started < 0 {
				t.Errorf("negative time: %+v", p)
			}
		}
		out = append(out, parseCgroup(text), parseArgs(text), property(text, "PARTNAME"))
		if m, err := parseMeminfo(text); err == nil {
			for name := range m {
				out = append(out, name)
			}
		}
		list, err := System{Proc: files(map[string]string{"self/mountinfo": text})}.mounts(func(string) (uint64, uint64, error) { return 0, 0, nil })
		if err != nil {
			t.Error(err)
		}
		for _, m := range list {
			out = append(out, m.Device, m.Source, m.Target, m.Type, m.Options)
		}
		for _, c := range parseSockets("tcp", text) {
			out = append(out, c.Local.String(), c.State)
		}
		servers, search := parseResolvConf(text)
		out = append(append(out, servers...), search...)
		parseCPU(text)
		parseLoad(text)
		parseDiskStat(text)
		millidegrees(text)
		for _, s := range out {
			if !utf8.ValidString(s) || strings.ContainsAny(s, "\n\x00\x1b") {
				t.Errorf("%q cannot be shown", s)
			}
		}
	})
}
