package httpapi

import (
	"bytes"
	"io"
	"math"
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

// held returns how many bytes of k are in memory.
func (k *keeper) held() int {
	n := 0
	for _, s := range []*stream{&k.stdout, &k.stderr} {
		for _, p := range s.pieces {
			n += cap(p.mem)
		}
	}
	return n
}

// Of each stream at most 128 KiB are in memory; what is more is in a file that
// has no name. Where none is to be had, all is in
// memory.
func TestKeeperUsesAFile(t *testing.T) {
	const size = 1<<20 + 5
	for _, dir := range []string{t.TempDir(), "/nowhere"} {
		t.Setenv("TMPDIR", dir)
		k := space(newLedger(usual), "t").newKeeper(t.Context(), keptText)
		out, errOut := ascending(size), bytes.Repeat([]byte("€"), size/3)
		for _, s := range []struct {
			stream *stream
			text   []byte
		}{{&k.stdout, out}, {&k.stderr, errOut}} {
			_, err := s.stream.Write(s.text[:largestPiece])
			require.NoError(t, err)
			require.Nil(t, s.stream.pieces[len(s.stream.pieces)-1].file)
			_, err = s.stream.Write(s.text[largestPiece:])
			require.NoError(t, err)
		}
		require.Equal(t, out, joined(t, k.stdout.pieces))
		require.Equal(t, errOut, joined(t, k.stderr.pieces))
		if dir == "/nowhere" {
			require.Greater(t, k.held(), 2*size)
		} else {
			require.LessOrEqual(t, k.held(), 2*2*largestPiece)
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Empty(t, entries)
		}
		k.release()
		require.Nil(t, k.file)
		_, err := k.stdout.Write(out)
		require.NoError(t, err)
		require.Zero(t, k.held(), "nothing is kept any more")
	}
}

// What one stream gives up for the other is written over.
func TestKeeperUsesItsFileAgain(t *testing.T) {
	const most = 2 << 20
	k := space(newLedger(usual), "t").newKeeper(t.Context(), most)
	defer k.release()
	out, errOut := ascending(most), bytes.Repeat([]byte("b"), most)
	_, _ = k.stdout.Write(out)
	full := k.length
	require.Greater(t, full, int64(most/2))
	_, _ = k.stderr.Write(errOut)
	require.LessOrEqual(t, k.length, full+largestPiece)
	require.Equal(t, out[:most/2], joined(t, k.stdout.pieces))
	require.Equal(t, errOut[:most/2], joined(t, k.stderr.pieces))
}

// A file that breaks leaves what comes after in memory. What was in it makes
// the answer break off: it is never left out in silence.
func TestKeeperOfABrokenFile(t *testing.T) {
	k := space(newLedger(usual), "t").newKeeper(t.Context(), keptText)
	defer k.release()
	text := bytes.Repeat([]byte("a"), 4*largestPiece)
	_, _ = k.stdout.Write(text)
	require.NoError(t, k.file.File.Close())
	before := k.held()
	_, _ = k.stdout.Write(text)
	require.Greater(t, k.held(), before+3*largestPiece)
	require.Equal(t, 2*len(text), k.stdout.kept)

	require.Equal(t, mostCost*2*len(text), k.stdout.pieces.cost())
	require.Len(t, k.stdout.pieces.cutAt(math.MaxInt), 5, "those in memory before it")
	for _, raw := range []bool{false, true} {
		var r wire.ShellResult
		k.put(&r, raw)
		require.NotEmpty(t, r.Holes)
		for _, hole := range r.Holes {
			require.PanicsWithValue(t, http.ErrAbortHandler, func() { fill(io.Discard, []byte(hole.Mark), []wire.Hole{hole}) })
		}
	}
}
