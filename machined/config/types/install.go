package types

// Install is the disk of the machine that Coracle copies itself to. A machine that runs from another one, such as a USB stick, and
// has no cluster yet, does nothing else: it copies itself, and restarts.
type Install struct {
	Disk InstallDisk `yaml:"disk"`
	// Erase the disk even if it holds something: a partition table, a file system, or whatever else is at its start. Without it such
	// a disk is refused, by name and content. Coracle that this system has copied there is never erased.
	Wipe bool `yaml:"wipe" example:"true"`
	// What the machine does when it is installed. With shutdown, it can be moved to its place; with reboot, it starts from the disk,
	// if the firmware does.
	Then Then `yaml:"then" enum:"reboot|shutdown" default:"reboot" example:"shutdown"`
}

// Then is what a machine does when it is installed.
type Then string

const (
	ThenReboot   Then = "reboot"
	ThenShutdown Then = "shutdown"
)

// InstallDisk selects one disk. All fields that are set must match; `coraclectl disks` shows what the machine's disks have.
type InstallDisk struct {
	// Serial number. The best there is: it names one disk.
	Serial string `yaml:"serial" example:"S5GXNX0R123456"`
	// Model; * stands for any text, ? for any character.
	Model string `yaml:"model" example:"Samsung SSD *"`
	// How the disk is attached.
	Transport string `yaml:"transport" enum:"nvme|ata|usb|mmc|virtio|scsi" example:"nvme"`
	// The smallest that the disk may be, such as 32GB or 32GiB.
	MinSize Size `yaml:"minSize" example:"100GB"`
	// The largest that it may be.
	MaxSize Size `yaml:"maxSize" example:"2TB"`
	// The kernel's name of it, with or without /dev/; * and ? as in model. The least stable: the kernel numbers disks as it finds them.
	Name string `yaml:"name" example:"/dev/nvme0n1"`
}
