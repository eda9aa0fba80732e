package wire

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
)

// BodyLimit is how many bytes of a request's body the client sends and the
// server reads. AGB's largest is a chunk of a file of 51,200 four-byte
// characters, escaped twice.
const BodyLimit = 4 << 20

// ErrTooLong is the error of a request that has more than [BodyLimit].
var ErrTooLong = errors.New("the request is too long")

// CheckBody returns an error that matches [ErrTooLong] when a body of so many
// bytes is more than the server reads.
func CheckBody(size int) error {
	if size <= BodyLimit {
		return nil
	}
	return fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrTooLong, size, BodyLimit)
}

// BodyDepth is how deep a request's body may nest.
const BodyDepth = 64

// Method returns the HTTP method of o.
func (o Op[Req, Resp]) Method() string {
	method, _, _ := strings.Cut(o.Pattern, " ")
	return method
}

// NewRequest returns the parts of an HTTP request that asks for req: method,
// path with query, and body, nil for a GET. A body of more than [BodyLimit] is
// an error that matches [ErrTooLong].
func (o Op[Req, Resp]) NewRequest(req Req) (method, target string, body []byte, err error) {
	method, target, _ = strings.Cut(o.Pattern, " ")
	q := url.Values{}
	for _, f := range queryFields(&req) {
		s, err := formatQuery(f.value)
		if err != nil {
			return "", "", nil, fmt.Errorf("wire: %s: query %s: %w", o.Name, f.name, err)
		}
		if s != "" || !f.omitEmpty {
			q.Set(f.name, s)
		}
	}
	if len(q) > 0 {
		target += "?" + q.Encode()
	}
	if method == http.MethodGet {
		return method, target, nil, nil
	}
	body, err = marshal(req)
	if err == nil {
		err = CheckBody(len(body))
	}
	if err != nil {
		return "", "", nil, fmt.Errorf("wire: %s: body: %w", o.Name, err)
	}
	return method, target, body, nil
}

// ReadRequest is the inverse of NewRequest. An empty body is an empty object,
// whatever its content type; more than [BodyLimit] is an error that matches
// [*http.MaxBytesError]. What is malformed is a [*FormatError].
func (o Op[Req, Resp]) ReadRequest(w http.ResponseWriter, r *http.Request) (req Req, err error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, BodyLimit))
	if err != nil {
		return req, fmt.Errorf("wire: %s: body: %w", o.Name, err)
	}
	if len(bytes.TrimSpace(body)) > 0 {
		if err := CheckDepth(body, BodyDepth); err != nil {
			return req, fmt.Errorf("wire: %s: body: %w", o.Name, err)
		}
		if err := Unmarshal(body, &req); err != nil {
			return req, fmt.Errorf("wire: %s: body: %w", o.Name, err)
		}
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return req, fmt.Errorf("wire: %s: %w", o.Name, &FormatError{Field: "query", Fault: "malformed"})
	}
	for _, f := range queryFields(&req) {
		if !q.Has(f.name) {
			continue
		}
		if err := parseQuery(f.value, q.Get(f.name)); err != nil {
			return req, fmt.Errorf("wire: %s: query: %w", o.Name, queryError(f.name, err))
		}
	}
	return req, nil
}

// queryField is a field of a request that travels in the query.
type queryField struct {
	name      string
	omitEmpty bool
	value     reflect.Value // addressable
}

// queryFields returns the fields of the struct that req points to which are
// tagged `query:"name"` or `query:"name,omitempty"`.
func queryFields(req any) []queryField {
	v := reflect.ValueOf(req).Elem()
	var fields []queryField
	for i := range v.NumField() {
		tag, ok := v.Type().Field(i).Tag.Lookup("query")
		if !ok {
			continue
		}
		name, option, _ := strings.Cut(tag, ",")
		fields = append(fields, queryField{name, option == "omitempty", v.Field(i)})
	}
	return fields
}

// formatQuery returns v as query text. The zero value of an optional field, a
// nil pointer, is "".
func formatQuery(v reflect.Value) (string, error) {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return "", nil
		}
		v = v.Elem()
	}
	if m, ok := v.Addr().Interface().(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		return string(text), err
	}
	switch v.Kind() {
	case reflect.String:
		return v.String(), nil
	case reflect.Int:
		return strconv.FormatInt(v.Int(), 10), nil
	case reflect.Bool:
		return strconv.FormatBool(v.Bool()), nil
	default:
		return "", fmt.Errorf("cannot travel as %s", v.Type())
	}
}

// parseQuery is the inverse of formatQuery.
func parseQuery(v reflect.Value, s string) (err error) {
	if v.Kind() == reflect.Pointer {
		if s == "" {
			return nil
		}
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(s))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Int:
		var n int
		n, err = strconv.Atoi(s)
		v.SetInt(int64(n))
	case reflect.Bool:
		var b bool
		b, err = strconv.ParseBool(s)
		v.SetBool(b)
	default:
		err = fmt.Errorf("cannot travel as %s", v.Type())
	}
	return err
}
