package types

import "github.com/coracle-os/coracle/machined/keys"

// Upgrade is how the machine takes another version of Coracle.
type Upgrade struct {
	// Whose artifacts the machine takes, besides those of the keys in its image.
	Keys []SigningKey `yaml:"keys"`
	// How long after the start of its kernel a new version must be confirmed, or the one before is booted: 2m to 1h.
	Deadline Duration `yaml:"deadline" default:"10m" example:"20m"`
	// How long a new version must be healthy without a break before it is confirmed: 5s to 30m, and less than the deadline.
	Confirm Duration `yaml:"confirm" default:"1m" example:"5m"`
	// Most time for pods to leave before the machine restarts, those that have another node to go to: 0s to 30m. 0s: they are
	// stopped at once.
	Drain Duration `yaml:"drain" default:"2m" example:"10m"`
	// An artifact that the machine looks for in the window and installs when it is of a later version: an address https://… or
	// oci://registry/repository:tag.
	Source string `yaml:"source" example:"https://releases.example.com/coracle-latest-amd64.slot"`
	Window Window `yaml:"window"`
}

// SigningKey is the public key of somebody who signs artifacts.
type SigningKey struct {
	// Whose key it is.
	Name string `yaml:"name" required:"true" example:"releases"`
	// ed25519: and the public key's 32 bytes in base64, as `coraclectl keygen` prints it.
	Key keys.PublicKey `yaml:"key" required:"true" example:"ed25519:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="`
}

// Window is when the machine looks for upgrades by itself, in UTC.
type Window struct {
	// Days on which it begins: mon, tue, wed, thu, fri, sat, sun. Default: every day.
	Days []string `yaml:"days" example:"sat,sun"`
	// When it begins: hours and minutes.
	Start string `yaml:"start" default:"02:00" example:"03:30"`
	// How long it lasts: 10m to 24h.
	Duration Duration `yaml:"duration" default:"2h" example:"4h"`
}
