package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/coracle-os/coracle/tools/imager/boards"
)

// osList writes os_list.json, with which Raspberry Pi Imager offers the images for Raspberry Pis that were built into out from the
// definition files. address is the URL of the folder that people download them from.
func osList(files []string, out, address string) error {
	if address == "" {
		return errors.New("oslist: where will people download the images? give --url https://HOST/FOLDER")
	}
	var releases []boards.Release
	for _, file := range files {
		b, err := newBuilder(file, out, out, options{})
		if err != nil {
			return err
		}
		if !slices.Contains(b.definition.Disk.Boards, "raspberry-pi") {
			return fmt.Errorf("oslist: %s makes no image for the Raspberry Pi: it has no disk.boards: [raspberry-pi]", file)
		}
		r, err := b.raspberryPiRelease(address)
		if err != nil {
			return fmt.Errorf("oslist: %w", err)
		}
		releases = append(releases, r)
	}
	text, err := boards.OSList(releases...)
	if err != nil {
		return err
	}
	name := filepath.Join(out, "os_list.json")
	if err := os.WriteFile(name, text, 0o644); err != nil {
		return err
	}
	fmt.Println(name)
	return nil
}

// raspberryPiRelease is what the last build says of its image for the Raspberry Pi.
func (b *builder) raspberryPiRelease(address string) (boards.Release, error) {
	var made struct {
		Resolved resolution `yaml:"resolved"`
	}
	var outputs []output
	for name, read := range map[string]func([]byte) error{
		b.path(".yml"):          func(text []byte) error { return yaml.Unmarshal(text, &made) },
		b.path(".digests.json"): func(text []byte) error { return json.Unmarshal(text, &outputs) },
	} {
		text, err := os.ReadFile(name)
		if err != nil {
			return boards.Release{}, fmt.Errorf("%w: build the image first", err)
		}
		if err := read(text); err != nil {
			return boards.Release{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	built, err := time.Parse(time.RFC3339, made.Resolved.Built)
	if err != nil {
		return boards.Release{}, fmt.Errorf("%s: %w", b.path(".yml"), err)
	}
	blob := func(name string) boards.Blob {
		i := slices.IndexFunc(outputs, func(o output) bool { return o.Name == name })
		if i < 0 {
			return boards.Blob{} // which no list takes
		}
		return boards.Blob{Size: outputs[i].Size, SHA256: outputs[i].SHA256}
	}
	image := filepath.Base(b.boardImage("raspberry-pi"))
	return boards.Release{
		Arch: b.arch.GOARCH, Flavour: b.definition.Flavour, Version: made.Resolved.Version, Date: built,
		URL:   strings.TrimSuffix(address, "/") + "/" + image + ".zst",
		Image: blob(image), Download: blob(image + ".zst"),
	}, nil
}
