package wire

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
)

// Mismatch says, in words of JSON, what a value should have been and what it is:
// "want an integer, got a string".
func Mismatch(e *json.UnmarshalTypeError) string {
	want, got := wanted(e.Type), cmp.Or(found[e.Value], e.Value)
	if number, ok := strings.CutPrefix(e.Value, "number "); ok {
		got = fmt.Sprintf("%.40s", number)
		if want == integer && !strings.ContainsAny(number, ".eE") {
			want += bounds(e.Type)
		}
	}
	return "want " + want + ", got " + got
}

const integer = "an integer"

// wanted says what a value of t is in JSON.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return integer
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "a string" // in base64
		}
		return "an array"
	case reflect.Array:
		return "an array"
	case reflect.Map, reflect.Struct:
		return "an object"
	default:
		return "another type"
	}
}

// bounds says which integers a type of them has.
func bounds(t reflect.Type) string {
	over := 64 - t.Bits()
	if t.Kind() >= reflect.Uint {
		return fmt.Sprintf(" from 0 to %d", uint64(math.MaxUint64)>>over)
	}
	most := int64(math.MaxInt64) >> over
	return fmt.Sprintf(" from %d to %d", -most-1, most)
}

// found is what package json calls values, as [wanted] does.
var found = map[string]string{
	"string": "a string", "bool": "true or false", "number": "a number", "array": "an array", "object": "an object",
}
