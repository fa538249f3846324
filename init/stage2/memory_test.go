package main

import "testing"

func TestReserve(t *testing.T) {
	for total, want := range map[uint64]int{
		0: 0, 216 << 20: 4096, 466744 << 10: 4096, 2 << 30: 5792, 64 << 30: 32768, 1 << 46: 256 << 10,
	} {
		if got := reserve(total); got != want {
			t.Errorf("reserve(%d MiB) = %d KiB, want %d", total>>20, got, want)
		}
	}
}
