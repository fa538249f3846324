// Init is the whole initramfs of TestBoot: it says how it was booted, and powers off.
package main

import (
	"fmt"
	"os"
	"syscall"
)

func main() {
	os.Mkdir("/proc", 0o755)
	err := syscall.Mount("proc", "/proc", "proc", 0, "")
	cmdline, _ := os.ReadFile("/proc/cmdline")
	firmware := "bios"
	if _, err := os.Stat("/proc/self"); err == nil {
		os.Mkdir("/sys", 0o755)
		syscall.Mount("sysfs", "/sys", "sysfs", 0, "")
		if _, err := os.Stat("/sys/firmware/efi"); err == nil {
			firmware = "uefi"
		}
	}
	fmt.Printf("booted by %s: %s %v\n", firmware, cmdline, err)
	syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	select {}
}
