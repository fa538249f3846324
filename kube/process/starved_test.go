package process

import "testing"

func TestStarved(t *testing.T) {
	for pressure, want := range map[string]bool{
		"some avg10=93.11 avg60=71.50 avg300=20.00 total=123456\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n": true,
		"some avg10=0.00 avg60=50.00 avg300=0.00 total=1\n":                                                        true,
		"some avg10=99.00 avg60=49.99 avg300=90.00 total=1\n":                                                      false,
		"full avg10=99.00 avg60=99.00 avg300=90.00 total=1\n":                                                      false,
		"":      false,
		"some ": false,
	} {
		if got := starved(pressure); got != want {
			t.Errorf("%q: got %v", pressure, got)
		}
	}
}
