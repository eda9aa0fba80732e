package httpapi

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

// marshal encodes as answers are.
func marshal(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	require.NoError(t, enc.Encode(v))
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func FuzzFitOutputs(f *testing.F) {
	f.Add([]byte("plain"), []byte("\x00\"\\\n"), 10)
	f.Add([]byte("€\u2028"), []byte{0xff, 0xfe, 0xe2, 0x82}, 7)
	f.Fuzz(func(t *testing.T, a, b []byte, budget int) {
		budget = max(0, budget%1000)
		fitA, fitB := fitOutputs(a, b, budget)
		require.True(t, bytes.HasPrefix(a, fitA) && bytes.HasPrefix(b, fitB))
		if utf8.Valid(a) {
			require.True(t, utf8.Valid(fitA), "cut inside a character")
		}
		var r wire.ShellResult
		empty, err := wire.Shell.Encode(r)
		require.NoError(t, err)
		r.Stdout, r.StdoutBytes = asText(fitA)
		r.Stderr, r.StderrBytes = asText(fitB)
		full, err := wire.Shell.Encode(r)
		require.NoError(t, err)
		const names = 2 * len(`,\"stdout_bytes\":\"==\"`) // of the fields that were left out
		require.LessOrEqual(t, len(marshal(t, full))-len(marshal(t, empty)), budget+names)
	})
}

func TestFitOutputsShares(t *testing.T) {
	x := func(n int) []byte { return bytes.Repeat([]byte("x"), n) }
	for _, c := range []struct{ a, b, fitA, fitB int }{
		{5, 5, 5, 5}, {20, 5, 5, 5}, {5, 20, 5, 5}, {20, 2, 8, 2}, {2, 20, 2, 8}, {10, 0, 10, 0}, {0, 11, 0, 10},
	} {
		a, b := fitOutputs(x(c.a), x(c.b), 10)
		require.Equal(t, []int{c.fitA, c.fitB}, []int{len(a), len(b)}, "%+v", c)
	}
}

// TestKeptOutput checks what docs/protocol.md says of output, at a thousandth
// of the size.
func TestKeptOutput(t *testing.T) {
	const budget, limit = 14 << 10, 10 << 10
	for unit, want := range map[string]int{
		"abcd\n": limit, "äöü€": limit - limit%len("äöü€"), "y\n": 7 << 10, `"`: 7 << 9, `\`: 7 << 9, "\x00": 2 << 10, "\xff": 2 << 10,
	} {
		all := bytes.Repeat([]byte(unit), limit/len(unit))
		kept, none := fitOutputs(all, nil, budget)
		require.GreaterOrEqual(t, len(kept), want, "%q", unit)
		require.Empty(t, none)
	}
	full := bytes.Repeat([]byte{0xff}, limit)
	a, b := fitBytes(full, nil, budget)
	require.Len(t, a, limit)
	require.Empty(t, b)
	a, b = fitBytes(full, full, budget)
	require.GreaterOrEqual(t, len(a)+len(b), 21<<9-8)
}

func FuzzFitBytes(f *testing.F) {
	f.Add([]byte("plain"), []byte("\x00\"\\\n"), 10)
	f.Fuzz(func(t *testing.T, a, b []byte, budget int) {
		budget = max(0, budget%1000)
		fitA, fitB := fitBytes(a, b, budget)
		require.True(t, bytes.HasPrefix(a, fitA) && bytes.HasPrefix(b, fitB))
		cost := base64.StdEncoding.EncodedLen(len(fitA)) + base64.StdEncoding.EncodedLen(len(fitB))
		require.LessOrEqual(t, cost, budget)
		const waste = 16 // roundings
		require.True(t, len(fitA) == len(a) && len(fitB) == len(b) || cost+waste >= budget, "%d of %d", cost, budget)
	})
}

func FuzzEncodedLen(f *testing.F) {
	f.Add("a\"\\\n\x00\u2028\ufffd\xff<>&")
	f.Fuzz(func(t *testing.T, s string) {
		require.Len(t, marshal(t, s), encodedLen(s))
	})
}

func FuzzNextRune(f *testing.F) {
	f.Add([]byte("a€b\xe2\x82\xffc\xf0\x9f\x98\x80"), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, size uint8) {
		chunk := max(1, int(size))
		var joined strings.Builder
		for at := 0; at < len(b); at += chunk {
			joined.Write(b[nextRune(b, at):nextRune(b, at+chunk)])
			if start := nextRune(b, at); start < len(b) && utf8.Valid(b) {
				require.True(t, utf8.RuneStart(b[start]))
			}
		}
		require.Equal(t, string(b), joined.String())
	})
}
