package hardware

import "testing"

func TestReadMemory(t *testing.T) {
	const all, less = "cpuset cpu io memory hugetlb pids\n", "cpuset cpu io pids\n"
	for name, tc := range map[string]struct {
		controllers, cmdline string
		want                 Memory
		fails                bool
	}{
		"as it should be":          {all, "console=tty0 gpt\n", Memory{Limited: true}, false},
		"disabled by the firmware": {less, "coherent_pool=1M cgroup_disable=memory vc_mem.mem_base=0x3ec00000 console=tty0\n", Memory{Disabled: true}, false},
		"one of several":           {less, "cgroup_disable=pressure,memory\n", Memory{Disabled: true}, false},
		"another is disabled":      {all, "cgroup_disable=pressure xcgroup_disable=memory cgroup_disable=memory_recursiveprot\n", Memory{Limited: true}, false},
		"built without":            {less, "console=tty0\n", Memory{}, false},
		"nothing is mounted":       {"", "cgroup_disable=memory\n", Memory{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ReadMemory(root(map[string]string{"sys/fs/cgroup/cgroup.controllers": tc.controllers, "proc/cmdline": tc.cmdline}))
			if got != tc.want || (err != nil) != tc.fails {
				t.Errorf("%+v, %v; want %+v", got, err, tc.want)
			}
		})
	}
}
