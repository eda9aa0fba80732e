package code_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/code"
)

type place struct {
	Row int `json:"row"`
}

type given struct {
	place

	N     int       `json:"n"`
	Small int8      `json:"small,omitempty"`
	Count uint      `json:"count,omitempty"`
	Rate  float64   `json:"rate,omitempty"`
	Name  string    `json:"name,omitempty"`
	All   []place   `json:"all,omitempty"`
	Raw   []byte    `json:"raw,omitempty"`
	When  time.Time `json:"when,omitzero"`
	Yes   bool      `json:"yes,omitempty"`
}

// What is wrong with a call is told in words of the code, not of Go.
func TestArgumentsAreNamed(t *testing.T) {
	needs(t, "python3")
	s := agbtest.NewSession(t)
	require.NoError(t, code.Expose(s.Code, "add", func(_ context.Context, g given) (int, error) { return g.N + g.Row, nil }, nil))
	require.NoError(t, code.Expose(s.Code, "text", func(_ context.Context, text string) (string, error) { return text, nil }, nil))
	require.NoError(t, code.Expose(s.Code, "nothing", func(context.Context, struct{}) (int, error) { return 0, nil }, nil))
	const takes = "; it takes all, count, n, name, rate, raw, row, small, when, yes"
	for source, want := range map[string]string{
		"add(n='1')":              "add() argument n: want an integer, got a string",
		"add(n=1.5)":              "add() argument n: want an integer, got 1.5",
		"add(small=300)":          "add() argument small: want an integer from -128 to 127, got 300",
		"add(count=-1)":           "add() argument count: want an integer from 0 to 18446744073709551615, got -1",
		"add(n=1 << 63)":          "add() argument n: want an integer from -9223372036854775808 to 9223372036854775807, got 9223372036854775808",
		"add(rate=[1])":           "add() argument rate: want a number, got an array",
		"add(name=1)":             "add() argument name: want a string, got a number",
		"add(yes={})":             "add() argument yes: want true or false, got an object",
		"add(raw=1)":              "add() argument raw: want a string, got a number",
		"add(all={})":             "add() argument all: want an array, got an object",
		"add(all=[1])":            "add() argument all: want an object, got a number",
		"add(all=[{'row': '1'}])": "add() argument all.row: want an integer, got a string",
		"add(row=True)":           "add() argument row: want an integer, got true or false",
		"add(m=1)":                `add() has no argument "m"` + takes,
		"add(all=[{'m': 1}])":     `add() argument: unknown field "m"`,
		"add(1)":                  "add() argument: want an object, got a number" + takes,
		"text()":                  "text() argument: want a string, got an object",
		"nothing(n=1)":            `nothing() has no argument "n"`,
		"add(raw='?')":            "add() argument: illegal base64 data at input byte 0",
	} {
		res := ran(t, s, code.Python, source, code.RunOptions{})
		require.NotNil(t, res.Error, source)
		require.Equal(t, want, res.Error.Value, source)
	}
	res := ran(t, s, code.Python, "try: add(when='soon')\nexcept RuntimeError as e: print(e)\nadd()", code.RunOptions{})
	require.Contains(t, res.Stdout, `add() argument: parsing time "soon"`)
	require.Equal(t, "0", res.Results[0].Text, "what is left out is zero")

	needs(t, "node")
	res = ran(t, s, code.JavaScript, "try { await add({n: '1'}) } catch (e) { console.log(e.message) }", code.RunOptions{})
	require.Equal(t, "add() argument n: want an integer, got a string\n", res.Stdout)
}
