package httpapi

import (
	"encoding/json"
	"reflect"
	"strings"
)

// schema is the part of JSON Schema that tools' arguments need.
type schema struct {
	Type                 string             `json:"type"`
	Properties           map[string]*schema `json:"properties,omitempty"`
	Required             []string           `json:"required,omitempty"`
	Items                *schema            `json:"items,omitempty"`
	AdditionalProperties *schema            `json:"additionalProperties,omitempty"`
}

// schemaOf returns the JSON schema of a tool's arguments, from their
// declaration: what may be left out there is optional.
func schemaOf[Args any]() json.RawMessage {
	// A schema of strings, slices and maps of them always encodes.
	b, _ := json.Marshal(schemaFor(reflect.TypeFor[Args]()))
	return b
}

func schemaFor(t reflect.Type) *schema {
	switch t.Kind() {
	case reflect.String:
		return &schema{Type: "string"}
	case reflect.Bool:
		return &schema{Type: "boolean"}
	case reflect.Float64:
		return &schema{Type: "number"}
	case reflect.Slice:
		return &schema{Type: "array", Items: schemaFor(t.Elem())}
	case reflect.Map:
		return &schema{Type: "object", AdditionalProperties: schemaFor(t.Elem())}
	case reflect.Struct:
		s := &schema{Type: "object", Properties: map[string]*schema{}}
		for i := range t.NumField() {
			name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			s.Properties[name] = schemaFor(t.Field(i).Type)
			if !strings.Contains(options, "omitempty") {
				s.Required = append(s.Required, name)
			}
		}
		return s
	default:
		return &schema{Type: "integer"}
	}
}
