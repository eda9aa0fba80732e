package wire

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// A FormatError says which part of a request is not what it has to be, in the
// protocol's words.
type FormatError struct {
	Field string // path in the JSON, or name in the query; empty: all of it
	Fault string // such as "want an integer"
}

// Error implements error.
func (e *FormatError) Error() string {
	if e.Field == "" {
		return e.Fault
	}
	return e.Field + ": " + e.Fault
}

// maxFieldEcho is how many bytes of a field's path are told back: keys of maps
// are the client's.
const maxFieldEcho = 128

// Unmarshal decodes JSON into v. Errors are [*FormatError].
func Unmarshal(b []byte, v any) error { return formatError("", json.Unmarshal(b, v)) }

// formatError returns what err, of package json or of this one, says of field
// or of a field in it.
func formatError(field string, err error) error {
	if err == nil {
		return nil
	}
	e := &FormatError{Field: field, Fault: "invalid JSON: " + err.Error()}
	var mismatch *json.UnmarshalTypeError
	var own *FormatError
	switch {
	case errors.As(err, &own):
		e.Field, e.Fault = strings.Trim(field+"."+own.Field, "."), own.Fault
	case errors.As(err, &mismatch):
		e.Fault = "want " + wanted(mismatch.Type)
		if path := strings.TrimPrefix(mismatch.Field, embedded+"."); path != "" {
			e.Field = strings.TrimPrefix(field+"."+path, ".")
		}
	}
	if len(e.Field) > maxFieldEcho {
		e.Field = strings.ToValidUTF8(e.Field[:maxFieldEcho], "") + "…"
	}
	return e
}

// Clients in languages without integers of their own send 300.0 for 300.

// embedded is what the types are called that the UnmarshalJSON methods below
// embed: package json puts the name into paths of fields.
const embedded = "plain"

// whole is an integer, also when it comes as 300.0.
type whole int64

// UnmarshalJSON implements [json.Unmarshaler].
func (n *whole) UnmarshalJSON(b []byte) error {
	return readInteger(b, (*int64)(n), func(f float64) float64 { return f })
}

// roundedUp is an integer, the next one away from zero when it comes with a
// fraction: timeouts may be longer than asked for, never shorter.
type roundedUp int64

// UnmarshalJSON implements [json.Unmarshaler].
func (n *roundedUp) UnmarshalJSON(b []byte) error {
	return readInteger(b, (*int64)(n), func(f float64) float64 { return math.Copysign(math.Ceil(math.Abs(f)), f) })
}

func readInteger(b []byte, n *int64, round func(float64) float64) error {
	s := string(b)
	if s == "null" {
		return nil
	}
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		*n = i
		return nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if f = round(f); err != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<63 {
		return &json.UnmarshalTypeError{Value: "number " + s, Type: reflect.TypeFor[int64]()}
	}
	*n = int64(f)
	return nil
}

// UnmarshalJSON implements [json.Unmarshaler].
func (r *CreateSessionRequest) UnmarshalJSON(b []byte) error {
	type plain CreateSessionRequest
	v := struct {
		*plain
		Timeout    roundedUp  `json:"timeout"`
		LifetimeMS *roundedUp `json:"lifetimeMs"`
	}{plain: (*plain)(r)}
	err := json.Unmarshal(b, &v)
	r.Timeout = int(max(-1, min(v.Timeout, math.MaxInt32))) // beyond either all is refused alike
	r.LifetimeMS = (*int64)(v.LifetimeMS)
	return err
}

// UnmarshalJSON implements [json.Unmarshaler].
func (a *ShellArgs) UnmarshalJSON(b []byte) error {
	type plain ShellArgs
	v := struct {
		*plain
		TimeoutMS roundedUp `json:"timeout_ms"`
	}{plain: (*plain)(a)}
	err := json.Unmarshal(b, &v)
	a.TimeoutMS = int64(v.TimeoutMS)
	return err
}

// UnmarshalJSON implements [json.Unmarshaler].
func (a *RunCodeArgs) UnmarshalJSON(b []byte) error {
	type plain RunCodeArgs
	v := struct {
		*plain
		TimeoutS  roundedUp `json:"timeout_s"`
		TimeoutMS roundedUp `json:"timeout_ms"`
	}{plain: (*plain)(a)}
	err := json.Unmarshal(b, &v)
	a.TimeoutS, a.TimeoutMS = int64(v.TimeoutS), int64(v.TimeoutMS)
	return err
}

// UnmarshalJSON implements [json.Unmarshaler].
func (a *ReadFileArgs) UnmarshalJSON(b []byte) error {
	type plain ReadFileArgs
	v := struct {
		*plain
		Offset whole `json:"offset"`
		Length whole `json:"length"`
	}{plain: (*plain)(a)}
	err := json.Unmarshal(b, &v)
	a.Offset, a.Length = int64(v.Offset), int64(v.Length)
	return err
}

// readLabels reads labels. Numbers and booleans stand for their JSON text:
// AGB's clients pass on whatever their callers give them.
func readLabels(b []byte, labels *map[string]string) error {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(b, &values); err != nil || values == nil {
		return err
	}
	read := make(map[string]string, len(values))
	for key, v := range values {
		switch text := string(v); {
		case text[0] == '"':
			var s string
			if err := json.Unmarshal(v, &s); err != nil {
				return err
			}
			read[key] = s
		case text == "null" || text[0] == '{' || text[0] == '[':
			return &json.UnmarshalTypeError{Value: "value", Type: reflect.TypeFor[string](), Field: key}
		default:
			read[key] = text
		}
	}
	*labels = read
	return nil
}

// queryError returns what is wrong with a field of a query.
func queryError(name string, err error) error {
	var number *strconv.NumError
	if errors.As(err, &number) {
		want := "want an integer"
		if number.Func == "ParseBool" {
			want = "want true or false"
		}
		return &FormatError{Field: name, Fault: want}
	}
	return formatError(name, err)
}
