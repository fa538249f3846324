package types

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes, written with a unit: 32GB are 32 000 000 000, 32GiB are 32 times 1024³.
type Size uint64

var sizeUnits = []struct {
	suffix string
	bytes  uint64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6},
}

// String writes s with the largest unit of which it is a multiple.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if n := uint64(s); n != 0 && n%u.bytes == 0 {
			return strconv.FormatUint(n/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatUint(uint64(s), 10)
}

// MarshalText writes what UnmarshalText reads; the zero Size, which is none, as nothing.
func (s Size) MarshalText() ([]byte, error) {
	if s == 0 {
		return nil, nil
	}
	return []byte(s.String()), nil
}

// UnmarshalText reads a whole number with its unit.
func (s *Size) UnmarshalText(b []byte) error {
	for _, u := range sizeUnits {
		number, ok := strings.CutSuffix(string(b), u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(number), 10, 64)
		if err != nil || n == 0 || n > math.MaxInt64/u.bytes {
			break
		}
		*s = Size(n * u.bytes)
		return nil
	}
	return fmt.Errorf("%q is not a size such as 500MB, 32GB, 32GiB or 2TB", b)
}
