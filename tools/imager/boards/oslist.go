package boards

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/coracle-os/coracle/arch/boards"
)

// Release is a disk image for Raspberry Pis that people can download.
type Release struct {
	Arch     string // GOARCH
	Flavour  string // of the image
	Version  string
	Date     time.Time
	URL      string // of Download
	Image    Blob   // as it is on the card
	Download Blob   // compressed, in a format that Imager knows: xz, gzip, zip, or, since 1.7, zstd
}

// Blob is what is known of a file.
type Blob struct {
	Size   int64  // bytes
	SHA256 string // hex
}

// entry is one operating system in Raspberry Pi Imager's list: doc/json-schema/os-list-schema.json and
// doc/os-sublist-example.json of github.com/raspberrypi/rpi-imager.
type entry struct {
	Name           string   `json:"name"`
	Description    string   `json:"description"`
	Icon           string   `json:"icon"` // there is none, but Imager wants the field
	URL            string   `json:"url"`
	ReleaseDate    string   `json:"release_date"`
	ExtractSize    int64    `json:"extract_size"`
	ExtractSHA256  string   `json:"extract_sha256"`
	DownloadSize   int64    `json:"image_download_size"`
	DownloadSHA256 string   `json:"image_download_sha256"`
	Devices        []string `json:"devices"`
	InitFormat     string   `json:"init_format"`
}

// bits are how people tell a Raspberry Pi's architectures apart.
var bits = map[string]string{"arm64": "64-bit", "arm": "32-bit"}

// OSList is the file os_list.json, with which Raspberry Pi Imager offers the releases: `rpi-imager --repo URL`.
func OSList(releases ...Release) ([]byte, error) {
	list := struct {
		Entries []entry `json:"os_list"`
	}{[]entry{}}
	for _, r := range releases {
		e, err := r.entry()
		if err != nil {
			return nil, fmt.Errorf("os_list.json: release %s for %s: %w", r.Version, r.Arch, err)
		}
		list.Entries = append(list.Entries, e)
	}
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(text, '\n'), nil
}

func (r Release) entry() (entry, error) {
	models, err := boards.RaspberryPi(r.Arch, r.Flavour)
	if err != nil {
		return entry{}, err
	}
	if u, err := url.Parse(r.URL); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return entry{}, fmt.Errorf("URL %q does not begin with https://HOST/", r.URL)
	}
	for what, b := range map[string]Blob{"image": r.Image, "download": r.Download} {
		if sum, err := hex.DecodeString(b.SHA256); err != nil || len(sum) != 32 || b.Size <= 0 {
			return entry{}, fmt.Errorf("%s: size %d and SHA-256 %q cannot be", what, b.Size, b.SHA256)
		}
	}
	name, description := fmt.Sprintf("Coracle %s (%s)", r.Version, bits[r.Arch]), "Kubernetes on an immutable system that updates, and takes back, itself as a whole"
	if models.Experimental() {
		name = fmt.Sprintf("Coracle %s for %s (%s, experimental)", r.Version, models.List[0].Name, bits[r.Arch])
		description = "Experimental: nobody has started it on this model yet. " + description
	}
	return entry{
		Name: name, Description: description,
		URL: r.URL, ReleaseDate: r.Date.UTC().Format(time.DateOnly),
		ExtractSize: r.Image.Size, ExtractSHA256: r.Image.SHA256,
		DownloadSize: r.Download.Size, DownloadSHA256: r.Download.SHA256,
		Devices: models.Devices(),
		// Imager's own settings (user, Wi-Fi, SSH) are not for this system, whose settings are in machine.yaml.
		InitFormat: "none",
	}, nil
}
