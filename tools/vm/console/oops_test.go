package console

import (
	"strings"
	"testing"
	"time"
)

// dump is what a kernel prints when it runs into a breakpoint.
func dump(first, code string) string {
	return first + `
[   21.313000] CPU: 1 UID: 0 PID: 0 Comm: swapper/1 Not tainted 6.12.0-amd64 #1
[   21.313000] Hardware name: QEMU Standard PC (Q35 + ICH9, 2009), BIOS 1.16.2 04/01/2014
[   21.313000] RIP: 0010:ip_rcv+0x2a/0x110
` + code + `
[   21.313000] RSP: 0018:ffffc900000b8e30 EFLAGS: 00000246
[   21.313000] ---[ end trace 0000000000000000 ]---
[   21.313000] RIP: 0010:ip_rcv+0x2a/0x110
` + code + `
[   21.313000] Kernel panic - not syncing: Fatal exception in interrupt
[   21.313000] Rebooting in 10 seconds..
`
}

func TestSpuriousInt3(t *testing.T) {
	const (
		oops    = "[   21.313000] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI"
		code    = "[   21.313000] Code: 0f 1f 44 00 00 55 48 89 f5 0f <1f> 44 00 00 48 8b"
		genuine = "[   21.313000] Code: 31 c0 e9 00 00 00 00 c3 cc cc <cc> cc cc cc f3 0f"
	)
	for _, c := range []struct {
		name, text string
		want       string
	}{
		{"oops", dump(oops, code), oops},
		{"older kernel", dump("[   21.313000] int3: 0000 [#1] PREEMPT SMP", code), "[   21.313000] int3: 0000 [#1] PREEMPT SMP"},
		{
			"printk caller", "[   21.313000][    C1] Oops: int3: 0000 [#1] SMP\n[   21.313000][    C1] Code: 66 <90> 48\n",
			"[   21.313000][    C1] Oops: int3: 0000 [#1] SMP",
		},
		{"the second oops", dump("[   20.000000] Oops: general protection fault: 0000 [#1] SMP", code) + dump(oops, code), oops},
		{"not yet clear", oops + "\n", ""},
		{"a breakpoint is there", dump(oops, genuine), ""},
		{"code cannot be read", dump(oops, "[   21.313000] Code: Unable to access opcode bytes at 0x0."), ""},
		{"another oops", dump("[   21.313000] Oops: invalid opcode: 0000 [#1] PREEMPT SMP NOPTI", code), ""},
		{"a program's breakpoint", "[   21.313000] traps: app[812] trap int3 ip:401136 sp:7ffc\n" + code + "\n", ""},
		{"in a program's output", "app: Oops: int3: 0000 [#1]\n" + code + "\n", ""},
		{"panic of another kind", "[    2.000000] Kernel panic - not syncing: VFS: Unable to mount root fs\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			log := NewLog(time.Now())
			if _, err := log.Write([]byte(c.text)); err != nil {
				t.Fatal(err)
			}
			if got := log.SpuriousInt3(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestSpuriousInt3EndsWaits(t *testing.T) {
	log := NewLog(time.Now())
	write := func(s string) {
		if _, err := log.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	write("[   21.313000] Oops: int3: 0000 [#1] SMP\n")
	select {
	case <-log.Failed():
		t.Fatalf("failed before the code was printed: %v", log.Err())
	default:
	}
	write("[   21.313000] Code: 66 <90> 48\n")
	select {
	case <-log.Failed():
	default:
		t.Fatal("does not fail")
	}
	// The panic follows from the oops, which remains the reason.
	write("[   21.313000] Kernel panic - not syncing: Fatal exception in interrupt\n")
	if err := log.Err(); err == nil || !strings.Contains(err.Error(), "int3: 0000 [#1]") {
		t.Errorf("got %v", err)
	}
	if _, err := log.WaitMilestone(within(t, 5*time.Second), "node-ready"); err == nil || !strings.Contains(err.Error(), "int3") {
		t.Errorf("got %v", err)
	}
}

func FuzzInt3(f *testing.F) {
	f.Add("[    1.000000] Oops: int3: 0000 [#1] SMP", "[    1.000000] Code: 66 <90> 48")
	f.Fuzz(func(t *testing.T, first, second string) {
		var r int3Reader
		if oops := r.read(Line{Text: first}); oops != "" {
			t.Errorf("%q alone is an oops", first)
		}
		if oops := r.read(Line{Text: second}); oops != "" && oops != first {
			t.Errorf("%q then %q gave %q", first, second, oops)
		}
	})
}
