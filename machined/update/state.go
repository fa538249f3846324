package update

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Results of an upgrade.
const (
	ResultConfirmed  = "confirmed"
	ResultRolledBack = "rolled back"
)

// Outcome is how an upgrade ended.
type Outcome struct {
	Version string    `json:"version"` // that was tried
	Digest  string    `json:"digest"`  // of its artifact
	From    string    `json:"from"`    // the version before
	Result  string    `json:"result"`
	Reason  string    `json:"reason,omitempty"` // why it was rolled back
	Time    time.Time `json:"time"`             // by the clock then
}

// Refused is an artifact that was rolled back.
type Refused struct {
	Digest  string    `json:"digest"`
	Version string    `json:"version"`
	Reason  string    `json:"reason"`
	Time    time.Time `json:"time"`
}

// Scheduled is an upgrade that is to be fetched at a time.
type Scheduled struct {
	Source string    `json:"source"`
	At     time.Time `json:"at"`
	Force  bool      `json:"force,omitempty"`
	By     string    `json:"by"` // whose key asked for it
}

// memory is what is kept on DATA about upgrades.
type memory struct {
	Last      *Outcome   `json:"last,omitempty"`
	Refused   []Refused  `json:"refused,omitempty"`
	Scheduled *Scheduled `json:"scheduled,omitempty"`
}

// mostRefused is how many artifacts are remembered.
const mostRefused = 16

// refuse remembers an artifact, the newest first.
func (m *memory) refuse(r Refused) {
	kept := []Refused{r}
	for _, old := range m.Refused {
		if old.Digest != r.Digest && len(kept) < mostRefused {
			kept = append(kept, old)
		}
	}
	m.Refused = kept
}

// accept forgets that an artifact was refused.
func (m *memory) accept(digest string) {
	var kept []Refused
	for _, old := range m.Refused {
		if old.Digest != digest {
			kept = append(kept, old)
		}
	}
	m.Refused = kept
}

const memoryName = "state.json"

// load reads what is kept. What cannot be read is set aside and said: it only remembers.
func load(dir string) (memory, error) {
	var m memory
	path := filepath.Join(dir, memoryName)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		m = memory{}
		return m, errors.Join(fmt.Errorf("what is known of earlier upgrades cannot be read and is forgotten: %w", err), os.Rename(path, path+".damaged"))
	}
	return m, nil
}

// save keeps what is known. u.mu is held.
func (u *Updater) save() error {
	b, err := json.MarshalIndent(u.memory, "", "  ")
	if err != nil {
		return err
	}
	return u.writeFile(filepath.Join(u.Dir, memoryName), append(b, '\n'))
}
