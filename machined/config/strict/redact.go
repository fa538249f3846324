package strict

import "reflect"

// Redacted stands where a secret was.
const Redacted = "REDACTED"

// Redact replaces every string in out, a pointer to a struct, whose field is tagged secret and not empty.
func Redact(out any) { redact(reflect.ValueOf(out).Elem(), false) }

func redact(v reflect.Value, secret bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			redact(v.Elem(), secret)
		}
	case reflect.Struct:
		if isText(v.Type()) {
			return
		}
		for _, f := range Fields(v.Type()) {
			redact(v.FieldByIndex(f.index), f.Secret)
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
		if secret && v.Len() > 0 {
			v.SetString(Redacted)
		}
	}
}
