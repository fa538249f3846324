package strict

import (
	"reflect"
	"regexp"
)

// Redacted stands where a secret was.
const Redacted = "REDACTED"

// userInfo is user and password in a URL.
var userInfo = regexp.MustCompile(`://[^/\s@]+@`)

// WithoutUser is text with the user and password of each URL in it redacted.
func WithoutUser(text string) string { return userInfo.ReplaceAllString(text, "://"+Redacted+"@") }

// Redact replaces every string in out, a pointer to a struct, whose field is tagged secret and not empty. In other strings
// it replaces user and password of URLs.
func Redact(out any) { redact(reflect.ValueOf(out).Elem(), false) }

func redact(v reflect.Value, secret bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			fresh := reflect.New(v.Type().Elem()) // not in place, as below
			fresh.Elem().Set(v.Elem())
			redact(fresh.Elem(), secret)
			v.Set(fresh)
		}
	case reflect.Struct:
		if IsText(v.Type()) {
			return
		}
		for _, f := range Fields(v.Type()) {
			redact(f.Of(v), f.Secret)
		}
	case reflect.Slice:
		if v.IsNil() {
			return
		}
		fresh := reflect.MakeSlice(v.Type(), v.Len(), v.Len()) // not in place, for the same reason as the map below
		reflect.Copy(fresh, v)
		v.Set(fresh)
		for i := range v.Len() {
			redact(v.Index(i), secret)
		}
	case reflect.Map:
		// Replaced, not changed: it may be shared with the config that is in force.
		fresh := reflect.MakeMap(v.Type())
		for _, key := range v.MapKeys() {
			element := reflect.New(v.Type().Elem()).Elem()
			element.Set(v.MapIndex(key))
			redact(element, secret)
			fresh.SetMapIndex(key, element)
		}
		if !v.IsNil() {
			v.Set(fresh)
		}
	case reflect.String:
		switch {
		case v.Len() == 0:
		case secret:
			v.SetString(Redacted)
		default:
			v.SetString(WithoutUser(v.String()))
		}
	}
}
