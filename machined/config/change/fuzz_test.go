package change_test

import (
	"encoding"
	"reflect"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/machined/config/change"
	"github.com/coracle-os/coracle/machined/config/strict"
	"github.com/coracle-os/coracle/machined/config/types"
)

// secret is what must not be shown.
const secret = "hunter2"

// filler puts values made of bytes into a config, valid or not.
type filler struct{ in []byte }

func (f *filler) next() int {
	if len(f.in) == 0 {
		return 0
	}
	b := f.in[0]
	f.in = f.in[1:]
	return int(b)
}

func (f *filler) text() string {
	n := min(f.next()%8, len(f.in))
	s := string(f.in[:n])
	f.in = f.in[n:]
	return s
}

func (f *filler) fill(v reflect.Value, hidden bool) {
	switch t := v.Type(); {
	case strict.IsText(t):
		texts := []string{"192.0.2.7", "192.0.2.7/24", "fd00::/8", "30s", "ed25519:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}
		if v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(texts[f.next()%len(texts)])) != nil {
			v.SetZero() // it is not one of these
		}
	case t.Kind() == reflect.Pointer:
		if f.next()%2 == 1 {
			v.Set(reflect.New(t.Elem()))
			f.fill(v.Elem(), hidden)
		}
	case t.Kind() == reflect.Struct:
		for _, field := range strict.Fields(t) {
			f.fill(field.Of(v), hidden || field.Secret)
		}
	case t.Kind() == reflect.Slice:
		if n := f.next() % 4; n > 0 {
			v.Set(reflect.MakeSlice(t, n-1, n))
		}
		for i := range v.Len() {
			f.fill(v.Index(i), hidden)
		}
	case t.Kind() == reflect.Map:
		for range f.next() % 3 {
			if v.IsNil() {
				v.Set(reflect.MakeMap(t))
			}
			element := reflect.New(t.Elem()).Elem()
			f.fill(element, hidden)
			v.SetMapIndex(reflect.ValueOf(f.text()).Convert(t.Key()), element)
		}
	case t.Kind() == reflect.String:
		v.SetString(f.text())
		if hidden {
			v.SetString(secret + v.String())
		}
	case t.Kind() == reflect.Bool:
		v.SetBool(f.next()%2 == 1)
	case v.CanInt():
		v.SetInt(int64(f.next()) - 3)
	case v.CanUint():
		v.SetUint(uint64(f.next()))
	}
}

func FuzzBetween(f *testing.F) {
	f.Add([]byte{}, []byte("\x01a\x02\x03bcd\xff\x00\n"))
	f.Add([]byte(strings.Repeat("\x03\n'\"\x02\xc3\x01", 60)), []byte(strings.Repeat("\x07{}: #&*\x01\x02", 60)))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var before, after types.MachineConfig
		(&filler{a}).fill(reflect.ValueOf(&before).Elem(), false)
		(&filler{b}).fill(reflect.ValueOf(&after).Elem(), false)
		for _, c := range change.Between(before, after) {
			if c.Path == "" || strings.ContainsAny(c.Before+c.After, "\n\r") {
				t.Errorf("%q: %q → %q", c.Path, c.Before, c.After)
			}
			if strings.Contains(c.Before+c.After, secret) {
				t.Errorf("%s shows a secret: %q → %q", c.Path, c.Before, c.After)
			}
			if c.Before == c.After {
				t.Errorf("%s does not change: %q", c.Path, c.Before)
			}
		}
		if same := change.Between(before, before); len(same) > 0 {
			t.Errorf("a config differs from itself: %+v", same)
		}
	})
}
