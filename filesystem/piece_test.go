package filesystem

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

// Whatever the content is, the pieces are whole, bounded, and text only if they
// survive being text. Valid text is never sent as anything else.
func FuzzSplit(f *testing.F) {
	f.Add([]byte("text"), 0)
	f.Add([]byte("\xff\xfe"), 3)
	f.Add([]byte("€\xe2\x82"), wire.ChunkSize/3)
	f.Add([]byte("🏔a"), wire.ChunkSize/5+1)
	f.Fuzz(func(t *testing.T, b []byte, times int) {
		content := bytes.Repeat(b, 1+max(0, times)%(1+2*wire.ChunkSize/(1+len(b))))
		for rest := content; ; {
			n, text := split(rest)
			require.LessOrEqual(t, n, wire.ChunkSize)
			require.Equal(t, text, utf8.Valid(rest[:n]))
			if utf8.Valid(content) {
				require.True(t, text)
			}
			if len(rest) == 0 {
				return
			}
			require.Positive(t, n)
			rest = rest[n:]
		}
	})
}

func TestSplitKeepsCharacters(t *testing.T) {
	for _, char := range []string{"a", "ü", "€", "🏔"} {
		for shift := range 4 {
			content := strings.Repeat("x", shift) + strings.Repeat(char, wire.ChunkSize)
			n, text := split([]byte(content))
			require.True(t, text)
			require.Greater(t, n, wire.ChunkSize-utf8.UTFMax)
			require.LessOrEqual(t, n, wire.ChunkSize)
		}
	}
}
