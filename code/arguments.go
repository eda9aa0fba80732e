package code

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/agb-go/sdk/internal/wire"
)

// decode decodes what code gave to f into in, a pointer, strictly. The error is
// for the code to see: it speaks of f and its arguments.
func (f *FunctionInfo) decode(args json.RawMessage, in any) error {
	dec := json.NewDecoder(bytes.NewReader(args))
	dec.DisallowUnknownFields()
	if err := dec.Decode(in); err != nil {
		return f.misused(args, reflect.TypeOf(in).Elem(), err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return fmt.Errorf("%s() takes one argument", f.Name)
	}
	return nil
}

// misused returns err, of decoding args into an in, in the code's words.
func (f *FunctionInfo) misused(args json.RawMessage, in reflect.Type, err error) error {
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		if path := pathIn(in, mismatch.Field); path != "" {
			return fmt.Errorf("%s() argument %s: %s", f.Name, path, wire.Mismatch(mismatch))
		}
		return fmt.Errorf("%s() argument: %s%s", f.Name, wire.Mismatch(mismatch), f.takes())
	}
	// Package json has no type for this one, and does not say where the field is.
	if quoted, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		name, _ := strconv.Unquote(quoted)
		if given := namesIn(args); slices.Contains(given, name) && !slices.ContainsFunc(f.arguments(), func(a string) bool { return strings.EqualFold(a, name) }) {
			return fmt.Errorf("%s() has no argument %.100q%s", f.Name, name, f.takes())
		}
		return fmt.Errorf("%s() argument: unknown field %.100q", f.Name, name)
	}
	return fmt.Errorf("%s() argument: %w", f.Name, err)
}

// takes says which arguments f has, as the rest of a sentence.
func (f *FunctionInfo) takes() string {
	if all := f.arguments(); len(all) > 0 {
		return "; it takes " + strings.Join(all, ", ")
	}
	return ""
}

// arguments are the names of f's arguments, in alphabetical order.
func (f *FunctionInfo) arguments() []string {
	var schema struct {
		Properties json.RawMessage `json:"properties"`
	}
	_ = json.Unmarshal(f.Input, &schema) // it is our own
	return namesIn(schema.Properties)
}

// namesIn are the names in a JSON object, in alphabetical order; in other JSON
// there are none.
func namesIn(object json.RawMessage) []string {
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(object, &fields)
	return slices.Sorted(maps.Keys(fields))
}

// pathIn returns a path that package json gives of a field in a t, without the
// names of embedded structs, which are not in the JSON.
func pathIn(t reflect.Type, path string) string {
	var shown []string
	for name := range strings.SplitSeq(path, ".") {
		for t != nil && slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map}, t.Kind()) {
			t = t.Elem()
		}
		field, embedded := fieldOf(t, name)
		if t = field; !embedded {
			shown = append(shown, name)
		}
	}
	return strings.Join(shown, ".")
}

// fieldOf returns the type of the field that is called name in the JSON of a t,
// nil when there is none, and whether it is an embedded struct instead.
func fieldOf(t reflect.Type, name string) (field reflect.Type, embedded bool) {
	if t == nil || t.Kind() != reflect.Struct {
		return nil, false
	}
	for i := range t.NumField() {
		f := t.Field(i)
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag == name || tag == "" && f.Name == name {
			return f.Type, f.Anonymous && tag == ""
		}
	}
	return nil, false
}
