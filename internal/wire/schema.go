package wire

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"
)

// schema is the part of JSON Schema that the arguments of tools and functions
// need. The zero schema is of anything.
type schema struct {
	Type                 string             `json:"type,omitempty"`
	Format               string             `json:"format,omitempty"`
	Properties           map[string]*schema `json:"properties,omitempty"`
	Required             []string           `json:"required,omitempty"`
	Items                *schema            `json:"items,omitempty"`
	AdditionalProperties *schema            `json:"additionalProperties,omitempty"`
}

// schemaDepth is how deep types are looked into: one may be in itself.
const schemaDepth = 16

// SchemaOf returns the JSON schema of a type, as encoding/json sees it: what may
// be left out there is optional. What encodes itself, and what is deeper than 16
// levels, may be anything.
func SchemaOf[T any]() json.RawMessage {
	// A schema of strings, slices and maps of them always encodes.
	b, _ := json.Marshal(schemaFor(reflect.TypeFor[T](), schemaDepth))
	return b
}

var (
	marshaler = reflect.TypeFor[json.Marshaler]()
	moment    = reflect.TypeFor[time.Time]()
)

func schemaFor(t reflect.Type, depth int) *schema {
	switch {
	case t == moment:
		return &schema{Type: "string", Format: "date-time"}
	case t.Kind() == reflect.Pointer:
		return schemaFor(t.Elem(), depth)
	case depth == 0 || t.Implements(marshaler):
		return &schema{}
	}
	switch t.Kind() {
	case reflect.String:
		return &schema{Type: "string"}
	case reflect.Bool:
		return &schema{Type: "boolean"}
	case reflect.Float32, reflect.Float64:
		return &schema{Type: "number"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return &schema{Type: "integer"}
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 && t.Kind() == reflect.Slice {
			return &schema{Type: "string"} // in base64
		}
		return &schema{Type: "array", Items: schemaFor(t.Elem(), depth-1)}
	case reflect.Map:
		return &schema{Type: "object", AdditionalProperties: schemaFor(t.Elem(), depth-1)}
	case reflect.Struct:
		s := &schema{Type: "object", Properties: map[string]*schema{}}
		s.fields(t, depth)
		return s
	}
	return &schema{}
}

// fields adds the fields of a struct.
func (s *schema) fields(t reflect.Type, depth int) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" && options == "", !f.IsExported() && !f.Anonymous:
			continue
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			s.fields(f.Type, depth-1)
			continue
		case name == "":
			name = f.Name
		}
		s.Properties[name] = schemaFor(f.Type, depth-1)
		if f.Type.Kind() != reflect.Pointer && !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero") {
			s.Required = append(s.Required, name)
		}
	}
}
