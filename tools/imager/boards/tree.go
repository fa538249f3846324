package boards

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// isTree looks at a device tree, which has to be the model's.
func isTree(compatible string) func([]byte) error {
	return func(b []byte) error {
		got, err := compatibles(b)
		if err != nil {
			return err
		}
		if got[0] != compatible {
			return fmt.Errorf("is the device tree of %q, not of %s", got, compatible)
		}
		return nil
	}
}

// A device tree in its flat form (Devicetree Specification 0.4, chapter 5): numbers are big-endian, structures aligned to 4 bytes.
const (
	treeMagic  = 0xd00dfeed
	treeHeader = 40
	tokenProp  = 3
	tokenNop   = 4
)

var errTreeCutOff = errors.New("is a device tree that was cut off")

// compatibles are what the device tree is for, the most exact first. Only the root's properties are read, which come before all
// nodes below it.
func compatibles(tree []byte) ([]string, error) {
	be := binary.BigEndian
	if len(tree) < treeHeader || be.Uint32(tree) != treeMagic {
		return nil, errors.New("is no device tree")
	}
	part := func(offsetAt, sizeAt int) []byte {
		offset, size := uint64(be.Uint32(tree[offsetAt:])), uint64(be.Uint32(tree[sizeAt:]))
		if offset+size > uint64(len(tree)) {
			return nil
		}
		return tree[offset : offset+size]
	}
	structure, names := part(8, 36), part(12, 32)
	const root = 8 // the token that begins a node, and the root's empty name
	if len(structure) < root || int64(be.Uint32(tree[4:])) > int64(len(tree)) {
		return nil, errTreeCutOff
	}
	for rest := structure[root:]; len(rest) >= 12; {
		if be.Uint32(rest) == tokenNop {
			rest = rest[4:]
			continue
		}
		if be.Uint32(rest) != tokenProp {
			break
		}
		size, name := uint64(be.Uint32(rest[4:])), uint64(be.Uint32(rest[8:]))
		rest = rest[12:]
		padded := (size + 3) &^ 3
		if padded > uint64(len(rest)) || name >= uint64(len(names)) {
			return nil, errTreeCutOff
		}
		if bytes.HasPrefix(names[name:], []byte("compatible\x00")) {
			return strings.Split(strings.TrimSuffix(string(rest[:size]), "\x00"), "\x00"), nil
		}
		rest = rest[padded:]
	}
	return nil, errors.New("is a device tree that does not say what for")
}
