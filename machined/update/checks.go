package update

import (
	"fmt"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/coracle-os/coracle/images/slot"
	"github.com/coracle-os/coracle/images/slot/artifact"
	"github.com/coracle-os/coracle/machined/keys"
)

// running is what an artifact is compared with.
type running struct {
	version, kubernetes, arch, flavour string
	digest                             string // of its artifact; empty: it was flashed
	newer                              bool   // the same version is not wanted
	partition                          int64  // bytes of the idle slot's
	trusted                            []keys.PublicKey
	refused                            []Refused
}

// check is one thing that is looked at before anything is written.
type check struct {
	name  string
	force bool                                                       // whether it can be overridden
	wrong func(m artifact.Manifest, digest string, r running) string // why the artifact is not taken; empty: it is
}

// checks are those besides the signature, in order.
var checks = []check{
	{"architecture", false, func(m artifact.Manifest, _ string, r running) string {
		if m.Arch == r.arch {
			return ""
		}
		return fmt.Sprintf("it is for %s, this machine is %s", m.Arch, r.arch)
	}},
	{"flavour", false, func(m artifact.Manifest, _ string, r running) string {
		if m.Flavour == r.flavour {
			return ""
		}
		return fmt.Sprintf("it is of %s for %s, and this machine needs %s: take that one's artifact", image(m.Flavour), m.Arch, image(r.flavour))
	}},
	{"size", false, func(m artifact.Manifest, _ string, r running) string {
		room := r.partition - slot.RecordSize
		switch {
		case m.Image.Size > uint64(max(0, room)):
			return fmt.Sprintf("its slot image of %d MiB is too large for the slot of %d MiB: write the image of that version to the disk instead", m.Image.Size>>20, room>>20)
		case m.Image.Size%slot.Align != 0:
			return fmt.Sprintf("its slot image has %d bytes, which is no multiple of %d", m.Image.Size, slot.Align)
		}
		return ""
	}},
	{"version", true, func(m artifact.Manifest, _ string, r running) string {
		switch order := semver.Compare("v"+m.Version, "v"+r.version); {
		case order == 0 && r.newer:
			return fmt.Sprintf("its version %s is the one that runs", m.Version)
		case order >= 0:
			return ""
		}
		return fmt.Sprintf("its version %s is older than %s, which runs", m.Version, r.version)
	}},
	{"running version", true, func(m artifact.Manifest, digest string, r running) string {
		if digest != r.digest {
			return ""
		}
		return "this very artifact is what runs"
	}},
	{"minimum version", true, func(m artifact.Manifest, _ string, r running) string {
		if m.MinimumVersion == "" || semver.Compare("v"+r.version, "v"+m.MinimumVersion) >= 0 {
			return ""
		}
		return fmt.Sprintf("it upgrades from %s or later, and %s runs: upgrade to a version between first", m.MinimumVersion, r.version)
	}},
	{"format of DATA", true, func(m artifact.Manifest, _ string, _ running) string {
		if m.DataFormat >= artifact.DataFormat {
			return ""
		}
		return fmt.Sprintf("it uses format %d of DATA, which has format %d by now", m.DataFormat, artifact.DataFormat)
	}},
	{"Kubernetes version", true, func(m artifact.Manifest, _ string, r running) string { return skew(r.kubernetes, m.Kubernetes) }},
	{"earlier trial", true, func(m artifact.Manifest, digest string, r running) string {
		for _, refused := range r.refused {
			if refused.Digest == digest {
				return fmt.Sprintf("this artifact was tried and rolled back: %s", refused.Reason)
			}
		}
		return ""
	}},
}

// image is what people call the image of a flavour.
func image(flavour string) string {
	if flavour == "" {
		return "the plain image"
	}
	return "the image " + flavour
}

// skew is why a Kubernetes cannot follow another: upstream supports one minor version up, and none down.
func skew(from, to string) string {
	before, ok := minor(from)
	after, known := minor(to)
	switch {
	case !ok || !known:
		return fmt.Sprintf("nothing is known of an upgrade of Kubernetes %s to %s", from, to)
	case semver.Major(from) != semver.Major(to):
		return fmt.Sprintf("it has Kubernetes %s, and %s runs: nothing is known of such an upgrade", to, from)
	case after < before:
		return fmt.Sprintf("it has Kubernetes %s, and %s runs: what the newer has stored the older may not read", to, from)
	case after > before+1:
		return fmt.Sprintf("it has Kubernetes %s, and %s runs: upgrade by one minor version at a time", to, from)
	}
	return ""
}

// minor is the second number of a version.
func minor(version string) (n int, ok bool) {
	_, err := fmt.Sscanf(strings.TrimPrefix(semver.MajorMinor(version), semver.Major(version)), ".%d", &n)
	return n, err == nil
}

// examine checks an artifact. It returns who signed it, and what force overrode, in words.
func examine(a *artifact.Artifact, r running, force bool) (signer keys.PublicKey, overridden []string, err error) {
	signer, err = artifact.Verify(a.RawManifest, a.Signatures, r.trusted)
	if err != nil {
		return signer, nil, &Refusal{"signature", err.Error(), false}
	}
	for _, c := range checks {
		why := c.wrong(a.Manifest, a.Digest(), r)
		switch {
		case why == "":
		case c.force && force:
			overridden = append(overridden, why)
		default:
			return signer, nil, &Refusal{c.name, why, c.force}
		}
	}
	return signer, overridden, nil
}

// Refusal is that an artifact is not taken.
type Refusal struct {
	Check  string // name of the check
	Why    string
	Forced bool // it can be forced
}

func (r *Refusal) Error() string {
	if r.Forced {
		return "the artifact is not installed: " + r.Why + "; --force installs it all the same"
	}
	return "the artifact is not installed: " + r.Why
}
