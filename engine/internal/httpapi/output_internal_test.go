package httpapi

import (
	"bytes"
	"encoding/json"
	"slices"
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

// split returns b in two pieces, as a keeper does.
func split(b []byte) pieces {
	half := len(b) / 2
	half -= unfinished(b[:half])
	return append(inMemory(b[:half]), inMemory(b[half:])...)
}

// joined returns all of p.
func joined(t *testing.T, p pieces) []byte {
	t.Helper()
	b, err := p.join()
	require.NoError(t, err)
	return b
}

func FuzzFitOutputs(f *testing.F) {
	f.Add([]byte("plain"), []byte("\x00\"\\\n"), 10)
	f.Add([]byte("€\u2028"), []byte{0xff, 0xfe, 0xe2, 0x82}, 7)
	f.Fuzz(func(t *testing.T, a, b []byte, budget int) {
		budget = max(0, budget%1000)
		fitA, fitB := fitOutputs(split(a), split(b), budget)
		require.True(t, bytes.HasPrefix(a, joined(t, fitA)) && bytes.HasPrefix(b, joined(t, fitB)))
		if utf8.Valid(a) {
			require.True(t, fitA.valid(), "cut inside a character")
		}
		var r wire.ShellResult
		empty, err := wire.Shell.Encode(r)
		require.NoError(t, err)
		var h holes
		r.Stdout, r.StdoutBytes = h.asText(fitA)
		r.Stderr, r.StderrBytes = h.asText(fitB)
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
		a, b := fitOutputs(split(x(c.a)), split(x(c.b)), 10)
		require.Equal(t, []int{c.fitA, c.fitB}, []int{a.size(), b.size()}, "%+v", c)
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
		kept, none := fitOutputs(split(all), nil, budget)
		require.GreaterOrEqual(t, kept.size(), want, "%q", unit)
		require.Empty(t, none)
	}
}

// Characters stay whole however output comes, and so does what is none.
func FuzzKeeper(f *testing.F) {
	f.Add([]byte("€"), 7, 300_000)
	f.Add([]byte("a\xe2\x82"), 4096, 100_000)
	f.Add([]byte("\xf0\x9f\x98\x80\xff\x80\x80"), 1000, 600_000)
	f.Fuzz(func(t *testing.T, unit []byte, chunk, size int) {
		if len(unit) == 0 || chunk <= 0 || size <= 0 || size > 1<<20 {
			return
		}
		ws := &Workspace{output: newLedger(bounds{engineOutput, tenantOutput, sessionOutput, runOutput}).open("t")}
		k := ws.newKeeper(t.Context(), keptText)
		all := bytes.Repeat(unit, size/len(unit)+1)
		for c := range slices.Chunk(all, chunk) {
			n, err := k.stdout.Write(c)
			require.NoError(t, err)
			require.Len(t, c, n)
		}
		require.True(t, bytes.Equal(all, joined(t, k.stdout.pieces)))
		var whole, parts strings.Builder
		whole.WriteString(replaceInvalid(all))
		for p, err := range k.stdout.pieces.all() {
			require.NoError(t, err)
			parts.WriteString(replaceInvalid(p))
		}
		require.Equal(t, whole.String(), parts.String())
		k.release()
	})
}

// What is written piece by piece is what package json makes of it.
func FuzzWriteNested(f *testing.F) {
	f.Add([]byte("a\"\\\n\r\t\b\f\x00\x1f\x7f\u2028\u2029\ufffd\xff<>&\U0001F600"))
	f.Add(bytes.Repeat([]byte("\"€"), nestedPiece))
	f.Fuzz(func(t *testing.T, b []byte) {
		var out bytes.Buffer
		require.NoError(t, writeNested(&out, inMemory(b)))
		inner := marshal(t, replaceInvalid(b))
		want := marshal(t, string(inner[1:len(inner)-1]))
		require.Equal(t, string(want[1:len(want)-1]), out.String())
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
