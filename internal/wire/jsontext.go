package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// JSONText is a T that travels as JSON inside a string, in a body or in the
// query. Where AGB's server is known to send the bare value at times, reading
// takes either.
type JSONText[T any] struct{ V T }

// TextOf returns a JSONText that holds v.
func TextOf[T any](v T) *JSONText[T] { return &JSONText[T]{V: v} }

// MarshalText implements [encoding.TextMarshaler].
func (t JSONText[T]) MarshalText() ([]byte, error) { return marshal(t.V) }

// UnmarshalText implements [encoding.TextUnmarshaler]. Empty text is a zero T.
func (t *JSONText[T]) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	return t.read(b)
}

// read decodes the JSON that t stands for.
func (t *JSONText[T]) read(b []byte) error {
	var err error
	if labels, ok := any(&t.V).(*map[string]string); ok {
		err = readLabels(b, labels)
	} else {
		err = json.Unmarshal(b, &t.V)
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		// Of an error of this type package json tells the field.
		return &json.UnmarshalTypeError{Value: "text that is not JSON", Type: reflect.TypeFor[T]()}
	}
	return err
}

// MarshalJSON implements [json.Marshaler].
func (t JSONText[T]) MarshalJSON() ([]byte, error) {
	text, err := t.MarshalText()
	if err != nil {
		return nil, err
	}
	return marshal(string(text))
}

// UnmarshalJSON implements [json.Unmarshaler].
func (t *JSONText[T]) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] != '"' {
		return t.read(b)
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	return t.UnmarshalText([]byte(text))
}

// marshal encodes v without escaping for HTML, which would make text inside
// text several times as long.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// CheckDepth returns a [*FormatError] when b, which may be any JSON, nests arrays and
// objects deeper than limit.
func CheckDepth(b []byte, limit int) error {
	depth, inString, escaped := 0, false, false
	for _, c := range b {
		switch {
		case escaped:
			escaped = false
		case inString:
			escaped = c == '\\'
			inString = c != '"'
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return &FormatError{Fault: fmt.Sprintf("JSON is nested deeper than %d", limit)}
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}
