package install

import (
	"errors"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/inspect"
)

func TestDecide(t *testing.T) {
	toNVMe, toStick, toNone := &types.Install{Disk: types.InstallDisk{Transport: "nvme"}}, &types.Install{Disk: types.InstallDisk{Transport: "usb"}}, &types.Install{Disk: types.InstallDisk{Serial: "?"}}
	wipe := &types.Install{Disk: toNVMe.Disk, Wipe: true}
	both := &types.Install{Disk: types.InstallDisk{MinSize: 30e9, MaxSize: 1e12}}
	mine := []Made{{Table: "id", Machine: "m"}}
	ext4 := Target{Held: "ext4"}
	tests := []struct {
		name   string
		s      Situation
		target Target
		want   Step
		why    string // part of Why, or, of Copy, of Plan
	}{
		{"not asked for", Situation{}, ext4, Run, ""},
		{"on the selected disk", Situation{Config: toStick}, ext4, Run, ""},
		{"on the selected disk, with a cluster", Situation{Config: toStick, Cluster: true}, ext4, Run, ""},
		{"installed, and no disk matches", Situation{Config: toNone, Installed: true}, ext4, Run, ""},
		{"installed, and the stick matches too", Situation{Config: both, Installed: true, Cluster: true}, ext4, Run, ""},
		{"a cluster, and another disk", Situation{Config: wipe, Cluster: true}, Target{}, Run, "has a cluster on the disk that it runs from, and is not installed on another: it selects /dev/nvme0n1"},
		{"a cluster, and no disk", Situation{Config: toNone, Cluster: true}, Target{}, Run, "no disk matches"},
		{"no disk", Situation{Config: toNone}, Target{}, Wait, "no disk matches machine.install.disk"},
		{"several", Situation{Config: both}, Target{}, Wait, "several disks match"},
		{"a config is tried", Situation{Config: toNVMe, Pending: "The config is tried."}, Target{}, Wait, "The config is tried."},
		{"DATA is damaged", Situation{Config: wipe, Obstacle: errors.New("DATA cannot be used")}, Target{}, Wait, "Nothing is installed: DATA cannot be used."},
		{"empty", Situation{Config: toNVMe}, Target{}, Copy, "the disk is empty; then the machine restarts"},
		{"holds something", Situation{Config: toNVMe}, ext4, Wait, "Nothing is installed on /dev/nvme0n1 (Samsung SSD 980 [a/b], serial S649, nvme, 500 GB): it holds ext4."},
		{"holds something, wipe", Situation{Config: wipe}, ext4, Copy, "the disk is ERASED, and holds ext4"},
		{"in use", Situation{Config: wipe}, Target{Problem: errors.New("it is in use")}, Wait, "it is in use"},
		{"installed there, started from the stick", Situation{Config: wipe, Copies: mine}, Target{Held: "a GPT", Table: "id", Whole: true}, Done, "Installed on /dev/nvme0n1"},
		{"installed there, and in use", Situation{Config: wipe, Copies: mine}, Target{Table: "id", Whole: true, Problem: errors.New("x")}, Done, "Installed on"},
		{"a copy that was cut off", Situation{Config: toNVMe, Copies: mine}, Target{Held: "a GPT", Table: "id"}, Copy, "the disk is empty"},
		{"the Coracle of another", Situation{Config: toNVMe, Copies: mine}, Target{Held: "a GPT", Table: "other", Whole: true}, Wait, "it holds a GPT"},
		{"the Coracle of another, wipe", Situation{Config: wipe, Copies: mine}, Target{Held: "a GPT", Table: "other", Whole: true}, Copy, "ERASED"},
		{"no table, and copies without one", Situation{Config: toNVMe, Copies: []Made{{}}}, Target{Held: "ext4", Whole: true}, Wait, "it holds ext4"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := test.s
			s.Disks = []inspect.Disk{nvme, sata, stick}
			looked := false
			s.Look = func(d inspect.Disk) Target {
				looked = true
				if d.Name != nvme.Name {
					t.Errorf("%s is looked at", d.Name)
				}
				return test.target
			}
			v := Decide(s)
			text := v.Why
			if v.Step == Copy {
				text = v.Plan("")
			}
			if v.Step != test.want || !strings.Contains(text, test.why) || (text == "") != (test.why == "") {
				t.Errorf("%+v; want %s, %q", v, test.want, test.why)
			}
			if v.Step == Run && looked {
				t.Error("a disk is looked at that does not matter")
			}
			if v.Why != "" && v.Hint == "" && !v.Soon {
				t.Error("it does not say what to do")
			}
		})
	}
}

func TestCopiesAreRemembered(t *testing.T) {
	dir := t.TempDir()
	if list, err := Copies(dir); list != nil || err != nil {
		t.Errorf("%v, %v", list, err)
	}
	if err := write(dir, copiesName, make([]Made, mostCopies-2)); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if err := Remember(dir, Made{Table: string(rune('a' + i)), Machine: "m"}); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := Copies(dir); err != nil || len(list) != mostCopies || list[mostCopies-1].Table != "e" || list[mostCopies-5].Table != "a" {
		t.Errorf("%d, %v", len(list), err)
	}
	list := []Made{{Table: "1", Machine: "m"}, {Table: "2", Machine: "n"}, {Table: "3", Machine: "m"}}
	if last := CopyOf(list, "m"); last == nil || last.Table != "3" {
		t.Errorf("%+v", last)
	}
	if last := CopyOf(list, "o"); last != nil {
		t.Errorf("%+v", last)
	}
	if is, err := IsInstalled(dir); is || err != nil {
		t.Error(is, err)
	}
	if err := MarkInstalled(dir, Made{Table: "x"}); err != nil {
		t.Fatal(err)
	}
	if is, err := IsInstalled(dir); !is || err != nil {
		t.Error(is, err)
	}
}
