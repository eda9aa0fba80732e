package spool_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/agb-go/sdk/engine/internal/spool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// all reads what is kept from an offset to the end, by kind, and how much was
// dropped.
func all(t *testing.T, l *spool.Log, offset int64) (kinds map[byte]string, dropped int64) {
	t.Helper()
	parts := map[byte]*bytes.Buffer{}
	buf := make([]byte, 10_000)
	for {
		kind, from, n, err := l.Read(t.Context(), offset, buf)
		dropped += from - offset
		offset = from + int64(n)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if parts[kind] == nil {
			parts[kind] = &bytes.Buffer{}
		}
		parts[kind].Write(buf[:n])
	}
	kinds = map[byte]string{}
	for kind, b := range parts {
		kinds[kind] = b.String()
	}
	return kinds, dropped
}

// pattern returns n bytes that tell where they are.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return b
}

// What fits into memory, what fits into a file, and one byte more of each.
func TestKeepsTheLatest(t *testing.T) {
	for _, size := range []int{0, 1, spool.MemoryLimit, spool.MemoryLimit + 1, spool.FileLimit, spool.FileLimit + 1, 2*spool.FileLimit + 17} {
		l := spool.New()
		l.Release()
		sent := pattern(size)
		for p := sent; len(p) > 0; {
			n := min(len(p), 30_011)
			l.Append('a', p[:n])
			p = p[n:]
		}
		l.Close()
		got, dropped := all(t, l, 0)
		want := max(0, int64(size)-spool.FileLimit)
		require.Equal(t, want, dropped, size)
		require.True(t, bytes.Equal(sent[want:], []byte(got['a'])), size)
		start, end := l.Bounds()
		require.Equal(t, want, start)
		require.EqualValues(t, size, end)
		// From anywhere else, too.
		for _, from := range []int64{want, want + 1, int64(size) / 2, int64(size) - 1, int64(size)} {
			if from < want || from > int64(size) || from < 0 {
				continue
			}
			got, dropped := all(t, l, from)
			require.Zero(t, dropped)
			require.True(t, bytes.Equal(sent[from:], []byte(got['a'])), "%d from %d", size, from)
		}
		l.Free()
	}
}

// A disk that cannot be had leaves what fits into memory.
func TestWithoutAFile(t *testing.T) {
	t.Setenv("TMPDIR", "/nowhere")
	l := spool.New()
	defer l.Free()
	l.Release()
	sent := pattern(3*spool.MemoryLimit + 5)
	l.Append('a', sent)
	l.Close()
	got, dropped := all(t, l, 0)
	require.EqualValues(t, len(sent)-spool.MemoryLimit, dropped)
	require.Equal(t, string(sent[dropped:]), got['a'])
}

// So many files, and one more stays in memory.
func TestFilesLimit(t *testing.T) {
	logs := make([]*spool.Log, spool.FilesLimit+1)
	for i := range logs {
		logs[i] = spool.New()
		logs[i].Release()
		logs[i].Append('a', make([]byte, spool.MemoryLimit+1))
		start, _ := logs[i].Bounds()
		require.Equal(t, i == spool.FilesLimit, start > 0, i)
	}
	for _, l := range logs {
		l.Free()
	}
	l := spool.New()
	l.Release()
	l.Append('a', make([]byte, spool.MemoryLimit+1))
	start, _ := l.Bounds()
	require.Zero(t, start, "there is room again")
	l.Free()
}

func TestFileHasNoName(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	l := spool.New()
	l.Release()
	l.Append('a', make([]byte, spool.MemoryLimit+1))
	entries, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	require.Empty(t, entries)
	l.Free()
	l.Append('a', []byte("late"))
	got, _ := all(t, l, 0)
	require.Empty(t, got)
}

func TestKinds(t *testing.T) {
	l := spool.New()
	defer l.Free()
	l.Append('a', []byte("one"))
	l.Append('b', []byte("two"))
	l.Append('b', []byte("three"))
	l.Append('a', []byte("four"))
	l.Close()
	got, dropped := all(t, l, 1)
	require.Zero(t, dropped)
	require.Equal(t, map[byte]string{'a': "nefour", 'b': "twothree"}, got)
}

// Whoever changes between streams with each byte loses the oldest.
func TestManyChanges(t *testing.T) {
	l := spool.New()
	defer l.Free()
	l.Release()
	for i := range spool.SegmentLimit + 1 {
		l.Append(byte('a'+i%2), []byte{'x'})
	}
	l.Close()
	got, dropped := all(t, l, 0)
	require.EqualValues(t, 1, dropped)
	require.Len(t, got['a']+got['b'], spool.SegmentLimit)
}

// What is held is not dropped: who writes waits.
func TestHold(t *testing.T) {
	for name, write := range map[string]func(*spool.Log, int){
		"bytes":   func(l *spool.Log, _ int) { l.Append('a', pattern(spool.MemoryLimit/8)) },
		"changes": func(l *spool.Log, i int) { l.Append(byte('a'+i%2), []byte{'x'}) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := spool.New()
				const writes = 2*spool.SegmentLimit + 1
				done := make(chan struct{})
				go func() {
					defer close(done)
					for i := range writes {
						write(l, i)
					}
					l.Close()
				}()
				buf, offset, total := make([]byte, 5000), int64(0), 0
				for {
					_, from, n, err := l.Read(t.Context(), offset, buf)
					if errors.Is(err, io.EOF) {
						break
					}
					require.NoError(t, err)
					require.Equal(t, offset, from, "nothing is dropped")
					offset += int64(n)
					total += n
					l.Hold(offset)
				}
				<-done
				_, end := l.Bounds()
				require.EqualValues(t, end, total)
				l.Free()
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		l := spool.New()
		done := make(chan struct{})
		go func() {
			defer close(done)
			l.Append('a', make([]byte, spool.MemoryLimit+1))
		}()
		synctest.Wait()
		_, end := l.Bounds()
		require.EqualValues(t, spool.MemoryLimit, end, "one byte waits")
		l.Release()
		<-done
		_, end = l.Bounds()
		require.EqualValues(t, spool.MemoryLimit+1, end)
		l.Free()
	})
}

func TestReadWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := spool.New()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _, _, err := l.Read(ctx, 0, make([]byte, 1))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		go func() {
			time.Sleep(time.Second)
			l.Append('a', []byte("xy"))
			time.Sleep(time.Second)
			l.Close()
		}()
		buf := make([]byte, 10)
		kind, from, n, err := l.Read(t.Context(), 1, buf)
		require.NoError(t, err)
		require.Equal(t, []any{byte('a'), int64(1), "y"}, []any{kind, from, string(buf[:n])})
		_, from, _, err = l.Read(t.Context(), 7, buf)
		require.ErrorIs(t, err, io.EOF)
		require.EqualValues(t, 7, from)
		l.Free()
	})
}

// However it is written and read, bytes are where they were.
func FuzzLog(f *testing.F) {
	f.Add([]byte{1, 200, 3, 4, 255, 6, 77}, uint16(100))
	f.Fuzz(func(t *testing.T, steps []byte, scale uint16) {
		l := spool.New()
		defer l.Free()
		l.Release()
		var sent []byte
		for i, s := range steps {
			p := pattern(int(s) * int(scale))
			if len(sent)+len(p) > 6<<20 {
				break
			}
			sent = append(sent, p...)
			l.Append(byte(i%3), p)
		}
		l.Close()
		offset, buf := int64(0), make([]byte, 64<<10)
		for {
			_, from, n, err := l.Read(t.Context(), offset, buf)
			if err != nil {
				require.ErrorIs(t, err, io.EOF)
				break
			}
			require.True(t, bytes.Equal(sent[from:from+int64(n)], buf[:n]))
			offset = from + int64(n)
		}
		require.EqualValues(t, len(sent), offset)
	})
}
