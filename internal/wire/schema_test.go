package wire

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type inner struct {
	Deep  []float64 `json:"deep"`
	Again *inner    `json:"again,omitempty"`
}

type everything struct {
	inner
	Name   string            `json:"name"`
	Plain  int8              //nolint:tagliatelle // as it is without a tag
	Opt    *string           `json:"opt"`
	Then   *time.Time        `json:"then"`
	When   time.Time         `json:"when"`
	Raw    json.RawMessage   `json:"raw,omitzero"`
	Bytes  []byte            `json:"bytes"`
	Any    any               `json:"any"`
	Labels map[string]string `json:"labels"`
	Not    bool              `json:"-"`
	hidden int
}

func TestSchemaOf(t *testing.T) {
	var got map[string]any
	require.NoError(t, json.Unmarshal(SchemaOf[everything](), &got))
	require.Equal(t, "object", got["type"])
	require.ElementsMatch(t, []any{"deep", "name", "Plain", "when", "bytes", "any", "labels"}, got["required"])
	p := got["properties"].(map[string]any)
	require.Len(t, p, 11)
	require.Equal(t, p["when"], p["then"])
	require.Equal(t, map[string]any{"type": "array", "items": map[string]any{"type": "number"}}, p["deep"])
	require.Equal(t, map[string]any{"type": "string"}, p["opt"])
	require.Equal(t, map[string]any{"type": "string", "format": "date-time"}, p["when"])
	require.Equal(t, map[string]any{}, p["raw"])
	require.Equal(t, map[string]any{"type": "string"}, p["bytes"])
	require.Equal(t, map[string]any{}, p["any"])
	require.Equal(t, map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "string"}}, p["labels"])
	require.JSONEq(t, `{"type":"integer"}`, string(SchemaOf[*uint]()))
	require.NotContains(t, string(SchemaOf[RunCodeArgs]()), `"stdin":{"type":"integer"}`)
	_ = everything{}.hidden
}
