package command

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/coracle-os/coracle/machined/config"
	"github.com/coracle-os/coracle/tools/coraclectl/flash"
	"github.com/coracle-os/coracle/tools/coraclectl/output"
)

func (a *app) flashCommand() *cobra.Command {
	var file string
	var yes bool
	c := &cobra.Command{
		Use:   "flash IMAGE DISK",
		Short: "Write an image to a disk, with a machine config",
		Long: `Writes a disk image, compressed with zstd or not, to a whole disk, and reads it back. EVERYTHING ON THE DISK IS LOST. A disk that
is in use or too small is refused; for one that is not removable you are asked. With --config the machine has its config
from the first boot on: it is put on the partition BOOT as machine.yaml.

DISK is /dev/sdX or /dev/mmcblkN on Linux, /dev/diskN on macOS, \\.\PhysicalDriveN on Windows; or a file, such as the disk of a
VM. Writing to a disk needs root, or an administrator.`,
		Example: `  sudo coraclectl flash coracle-amd64.img.zst /dev/sdb --config machine.yaml
  coraclectl flash coracle-amd64.img.zst vm.img --config machine.yaml`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			var text []byte
			if file != "" {
				var err error
				if text, err = a.readFile(file); err != nil {
					return err
				}
				if _, err := config.Parse(file, text); err != nil {
					return usage(err)
				}
			}
			image, err := flash.Open(args[0])
			if err != nil {
				return usage(err)
			}
			defer image.Close()
			disk, err := flash.Inspect(args[1])
			if err != nil {
				return usage(err)
			}
			if err := disk.Check(image.Need()); err != nil {
				return err
			}
			if text != nil {
				if err := image.PutConfig(text); err != nil {
					return err
				}
			}
			if !disk.Removable && !disk.New && !yes {
				if err := a.askForDisk(disk); err != nil {
					return err
				}
			}
			return a.flash(c, image, disk)
		},
	}
	c.Flags().StringVar(&file, "config", "", "machine config to put on the disk")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask whether the disk may be erased")
	return c
}

// askForDisk asks whether a disk that is not removable is meant.
func (a *app) askForDisk(disk flash.Disk) error {
	name := filepath.Base(disk.Path)
	a.say("everything on %s will be lost", disk)
	switch answer, err := a.ask("Type %s to go on:", name); {
	case errors.Is(err, errNotAsked):
		return usagef("%s: add --yes if it may be erased", disk)
	case err != nil:
		return err
	case answer != name:
		return errors.New("nothing was written")
	}
	return nil
}

func (a *app) flash(c *cobra.Command, image *flash.Image, disk flash.Disk) error {
	target, err := disk.Open()
	if err != nil {
		return err
	}
	p := a.progress(disk.Path)
	begin, phase := time.Now(), ""
	phaseBegin := begin
	size, err := flash.Write(c.Context(), image, target, func(now string, done, total int64) {
		if now != phase {
			phase, phaseBegin = now, time.Now()
		}
		speed := float64(done) / max(time.Since(phaseBegin).Seconds(), 0.001)
		left := time.Duration(float64(total-done) / max(speed, 1) * float64(time.Second))
		p.show("%-6s %s of %s, %s/s, %s left", phase, output.Bytes(uint64(done)), output.Bytes(uint64(total)), output.Bytes(uint64(speed)), output.Span(left))
	})
	p.done()
	if err := errors.Join(err, target.Close()); err != nil {
		return fmt.Errorf("%s is not finished, and does not boot: %w", disk.Path, err)
	}
	a.say("%s: wrote and verified %s in %s", disk.Path, output.Bytes(uint64(size)), output.Span(time.Since(begin)))
	return nil
}
