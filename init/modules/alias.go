package modules

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
)

// findAliases reads modules.alias once and returns the modules that each of the wanted aliases
// stands for, in the order of the file. The file has some 20,000 lines: it is streamed, and a line is
// only compared with the aliases of its own bus.
func findAliases(fsys fs.FS, wanted []string) (map[string][]string, error) {
	found := make(map[string][]string)
	if len(wanted) == 0 {
		return found, nil
	}
	f, err := fsys.Open("modules.alias")
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil // No module in this directory has an alias.
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	byBus := make(map[string][]string)
	for _, w := range wanted {
		byBus[bus(w)] = append(byBus[bus(w)], w)
	}
	return found, readAliases(f, func(pattern, module []byte) {
		candidates := byBus[string(bus(pattern))]
		if bytes.ContainsAny(bus(pattern), "*?[") {
			candidates = wanted // A pattern for several buses.
		}
		for _, w := range candidates {
			if samePrefix(pattern, w) && match(string(pattern), w) {
				found[w] = append(found[w], string(module))
			}
		}
	})
}

// readAliases calls line for each alias of modules.alias: "alias PATTERN MODULE". The slices are
// only valid during the call.
func readAliases(r io.Reader, line func(pattern, module []byte)) error {
	scan := bufio.NewScanner(r)
	for scan.Scan() {
		rest, ok := cutPrefix(scan.Bytes(), "alias ")
		if !ok {
			continue // A comment.
		}
		// A pattern may contain a space (DMI strings have them replaced, but nothing forbids it), a module's
		// name never does.
		i := len(rest) - 1
		for i >= 0 && rest[i] != ' ' {
			i--
		}
		if i > 0 && i < len(rest)-1 {
			line(rest[:i], rest[i+1:])
		}
	}
	return scan.Err()
}

func cutPrefix(b []byte, prefix string) ([]byte, bool) {
	if len(b) < len(prefix) || string(b[:len(prefix)]) != prefix {
		return nil, false
	}
	return b[len(prefix):], true
}

// bus is the part of an alias up to its colon, such as "pci:", or "" for one without, such as
// "fs-ext4".
func bus[T string | []byte](alias T) T {
	for i := range len(alias) {
		if alias[i] == ':' {
			return alias[:i+1]
		}
	}
	return alias[:0]
}

// samePrefix rules most patterns out by what they have before their first wildcard.
func samePrefix(pattern []byte, s string) bool {
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '*', '?', '[', '-', '_':
			return true
		}
		if i >= len(s) || s[i] != pattern[i] {
			return false
		}
	}
	return true
}
