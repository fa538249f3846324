package services

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// LogReader reads a log as it grows.
type LogReader struct {
	log  Log
	from int64    // offset of what is read next
	file *os.File // nil: there was none yet
}

// Reader returns a reader from the oldest byte that is kept on.
func (l Log) Reader() *LogReader { return &LogReader{log: l} }

// Next writes what was added since the last call. A reader that is too slow is told how much it missed.
func (r *LogReader) Next(w io.Writer) error {
	if r.file == nil {
		f, err := os.Open(r.log.Path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // kube has not been started
		}
		if err != nil {
			return err
		}
		r.file = f
	}
	size := r.log.Size()
	if oldest := start(size); r.from < oldest {
		if r.from > 0 {
			fmt.Fprintf(w, "… %d bytes of log were skipped\n", oldest-r.from)
		}
		r.from = oldest
	}
	n, err := io.Copy(w, io.NewSectionReader(r.file, r.from, size-r.from))
	r.from += n
	return err
}

// Close gives up the file.
func (r *LogReader) Close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
