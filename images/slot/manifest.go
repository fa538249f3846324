package slot

// Names in a slot's FAT.
const (
	KernelName   = "vmlinuz"
	InitrdName   = "initrd"
	GrubName     = "grub.cfg"
	ManifestName = "manifest.json"
	SumsName     = "sha256" // of the files that the boot loader reads, as sha256sum(1) writes them; it checks a slot on trial
)

// Manifest says what is in a slot. It is manifest.json in the slot's FAT. It is not signed: the signed one is that of
// the upgrade artifact.
type Manifest struct {
	Version       string `json:"version"`       // Coracle's version
	Arch          string `json:"arch"`          // GOARCH
	KernelRelease string `json:"kernelRelease"` // as in uname -r
	Size          uint64 `json:"size"`          // bytes of the slot image
	RootHash      string `json:"rootHash"`      // hex; what verity holds the root to
	Kernel        Digest `json:"vmlinuz"`
	Initrd        Digest `json:"initrd"`
	Root          Digest `json:"root"`
}

// Digest is the size and SHA-256 of a part.
type Digest struct {
	Size   uint64 `json:"size"`   // bytes
	SHA256 string `json:"sha256"` // hex
}
