package strict

import (
	"encoding"
	"reflect"
	"strconv"
	"strings"
)

// Defaults sets the defaults of out, a pointer to a struct.
func Defaults(out any) { setDefaults(reflect.ValueOf(out).Elem()) }

func setDefaults(v reflect.Value) {
	if v.Kind() != reflect.Struct || IsText(v.Type()) {
		return
	}
	for _, f := range Fields(v.Type()) {
		field := f.Of(v)
		if f.Default != "" {
			setText(field, f.Default)
		}
		setDefaults(field)
	}
}

// setText sets v from a default tag. A tag that does not fit its type is a mistake in the program.
func setText(v reflect.Value, s string) {
	var err error
	switch t := v.Type(); {
	case IsText(t):
		err = v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s))
	case t.Kind() == reflect.Slice:
		items := strings.Split(s, ",")
		v.Set(reflect.MakeSlice(t, len(items), len(items)))
		for i, item := range items {
			setText(v.Index(i), item)
		}
	case t.Kind() == reflect.String:
		v.SetString(s)
	case t.Kind() == reflect.Bool:
		var b bool
		b, err = strconv.ParseBool(s)
		v.SetBool(b)
	case v.CanInt():
		var i int64
		i, err = strconv.ParseInt(s, 10, 64)
		v.SetInt(i)
	case v.CanUint():
		var u uint64
		u, err = strconv.ParseUint(s, 10, 64)
		v.SetUint(u)
	default:
		panic("strict: no default for a " + t.String())
	}
	if err != nil {
		panic("strict: default " + strconv.Quote(s) + ": " + err.Error())
	}
}
