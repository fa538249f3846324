package command

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/spf13/cobra"
	"golang.org/x/crypto/blake2b"

	"github.com/coracle-os/coracle/images/slot/artifact"
	"github.com/coracle-os/coracle/images/slot/chunks"
	"github.com/coracle-os/coracle/machined/keys"
	"github.com/coracle-os/coracle/tools/coraclectl/output"
)

func (a *app) slotCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "slot",
		Short: "Look at upgrade artifacts in files",
		Long:  "Looks at upgrade artifacts, coracle-VERSION-ARCH.slot. No machine is needed.",
		Example: `  coraclectl slot inspect coracle-0.2.0-amd64.slot
  coraclectl slot verify coracle-0.2.0-amd64.slot --trust-file release-keys`,
	}
	c.AddCommand(a.inspectSlotCommand(), a.verifySlotCommand())
	return c
}

// slotInfo is what is shown of an artifact.
type slotInfo struct {
	artifact.Manifest `json:",inline"`
	Digest            string   `json:"digest"`
	Signers           []string `json:"signers"` // fingerprints, whether the signatures are right or not
}

func (a *app) inspectSlotCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "inspect FILE",
		Short:   "Show what an artifact says of itself",
		Long:    "Shows the manifest of an artifact and who has signed it. Whether that is true, slot verify tells.",
		Example: "  coraclectl slot inspect coracle-0.2.0-amd64.slot",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			f, err := os.Open(args[0])
			if err != nil {
				return usage(err)
			}
			defer f.Close()
			art, err := artifact.Read(f)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			info := slotInfo{Manifest: art.Manifest, Digest: art.Digest(), Signers: signers(art.Signatures)}
			if !a.format.IsTable() {
				return output.Write(a.Out, a.format, info)
			}
			g := output.Grid{Columns: output.Columns("ARTIFACT", args[0])}
			m := art.Manifest
			for _, row := range [][2]string{
				{"version", m.Version}, {"architecture", m.Arch}, {"flavour", first(m.Flavour, "the plain image")}, {"kubernetes", m.Kubernetes}, {"kernel", m.Kernel},
				{"built", time.Unix(m.Built, 0).UTC().Format(time.RFC3339)}, {"upgrades from", first(m.MinimumVersion, "any version")},
				{"slot image", output.Bytes(m.Image.Size)}, {"packed", output.Bytes(m.Packed.Size)}, {"root hash", m.RootHash}, {"digest", info.Digest},
				{"signed by", first(strings.Join(info.Signers, ", "), "nobody")},
			} {
				g.Add(row[0], row[1])
			}
			return a.writeSections([]section{{"", g}})
		},
	}
}

// signers are the fingerprints of the keys that signatures name.
func signers(signatures []byte) []string {
	list := []string{}
	for line := range strings.Lines(string(signatures)) {
		name, _, _ := strings.Cut(line, " ")
		if key, err := keys.Parse(name); err == nil {
			list = append(list, key.Fingerprint())
		}
	}
	return list
}

func (a *app) verifySlotCommand() *cobra.Command {
	var trusted []string
	var file string
	c := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check an artifact as a machine would",
		Long: `Reads a whole artifact and checks its signature, its image and, if it is beside it, the index of its chunks. Whose signature is
trusted is said with --trust or --trust-file.`,
		Example: `  coraclectl slot verify coracle-0.2.0-amd64.slot --trust ed25519:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=
  coraclectl slot verify coracle-0.2.0-amd64.slot --trust-file release-keys`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			list, err := trustedKeys(trusted, file)
			if err != nil {
				return usage(err)
			}
			signer, err := a.verifySlot(args[0], list)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			a.say("%s is whole, and signed by %s", args[0], signer.Fingerprint())
			return nil
		},
	}
	c.Flags().StringArrayVar(&trusted, "trust", nil, "a public key that is trusted, ed25519:…; may be given several times")
	c.Flags().StringVar(&file, "trust-file", "", "a file of public keys that are trusted, one a line")
	return c
}

func trustedKeys(given []string, file string) ([]keys.PublicKey, error) {
	var list []keys.PublicKey
	for _, text := range given {
		key, err := keys.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("--trust: %w", err)
		}
		list = append(list, key)
	}
	if file != "" {
		more, err := artifact.ReadKeys(file)
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	if list == nil {
		return nil, errors.New("whose signature is trusted? give --trust ed25519:… or --trust-file FILE")
	}
	return list, nil
}

// verifySlot checks a whole artifact and returns who signed it.
func (a *app) verifySlot(path string, trusted []keys.PublicKey) (keys.PublicKey, error) {
	art, err := a.readWhole(path)
	if err != nil {
		return keys.PublicKey{}, err
	}
	signer, err := artifact.Verify(art.RawManifest, art.Signatures, trusted)
	if err != nil {
		return signer, err
	}
	return signer, checkIndex(path+artifact.IndexEnding, art.Manifest)
}

// readWhole reads an artifact to its end: its image has to be the one of its manifest. Who signed that is not asked.
func (a *app) readWhole(path string) (*artifact.Artifact, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, usage(err)
	}
	defer f.Close()
	art, err := artifact.Read(f)
	if err != nil {
		return nil, err
	}
	packed, image := newSum(), newSum()
	z, err := zstd.NewReader(io.TeeReader(art.Image, packed))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	p := a.progress(path)
	defer p.done()
	if _, err := io.Copy(io.MultiWriter(image, progressWriter{p, image, art.Manifest.Image.Size}), z); err != nil {
		return nil, fmt.Errorf("its image is damaged: %w", err)
	}
	if err := art.End(); err != nil {
		return nil, err
	}
	if packed.part() != art.Manifest.Packed || image.part() != art.Manifest.Image {
		return nil, errors.New("its image is not the one that was signed")
	}
	return art, nil
}

// checkIndex checks the index beside an artifact, if it is there.
func checkIndex(path string, m artifact.Manifest) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	s := newSum()
	s.Write(b)
	index, err := chunks.Parse(b)
	if size, packed := index.Totals(); err != nil || s.part() != m.Index || size != m.Image.Size || packed != m.Packed.Size {
		return fmt.Errorf("%s is not the index that was signed: take it away, or get it again", path)
	}
	return nil
}

// sum is the size and hash of what is written to it.
type sum struct {
	io.Writer
	n    uint64
	hash func() []byte
}

func newSum() *sum {
	h, err := blake2b.New256(nil)
	if err != nil {
		panic(err) // only a key can be wrong
	}
	return &sum{Writer: h, hash: func() []byte { return h.Sum(nil) }}
}

func (s *sum) Write(p []byte) (int, error) {
	s.n += uint64(len(p))
	return s.Writer.Write(p)
}

func (s *sum) part() artifact.Part {
	return artifact.Part{Size: s.n, Hash: hex.EncodeToString(s.hash())}
}

// progressWriter shows how far a sum is.
type progressWriter struct {
	p     *progress
	of    *sum
	total uint64
}

func (w progressWriter) Write(p []byte) (int, error) {
	w.p.show("%s", share(w.of.n, w.total))
	return len(p), nil
}
