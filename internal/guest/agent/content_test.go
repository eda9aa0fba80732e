//go:build linux

package agent

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/guest"
)

func (s *sandbox) store(t *testing.T, path, content string, how guest.Store) guest.State {
	t.Helper()
	n, after, err := s.Store(t.Context(), path, how, strings.NewReader(content))
	require.NoError(t, err)
	require.EqualValues(t, len(content), n)
	return after
}

func (s *sandbox) fetch(t *testing.T, path string, f guest.Fetch) (string, guest.State, error) {
	t.Helper()
	var b bytes.Buffer
	var state guest.State
	n, err := s.Fetch(t.Context(), path, f, func(s guest.State) error { state = s; return nil }, &b)
	require.EqualValues(t, b.Len(), n)
	return b.String(), state, err
}

func sumOfText(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// names are those in the home directory.
func (s *sandbox) names(t *testing.T) []string {
	t.Helper()
	list, err := os.ReadDir(s.home)
	require.NoError(t, err)
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func TestFetch(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.write(t, "f", "0123456789")
	for _, c := range []struct {
		f    guest.Fetch
		want string
	}{
		{guest.Fetch{}, "0123456789"},
		{guest.Fetch{Offset: 3, Length: 3}, "345"},
		{guest.Fetch{Offset: 8, Length: 5}, "89"},
		{guest.Fetch{Offset: 10}, ""},
		{guest.Fetch{Offset: 10, Length: 3}, ""},
		{guest.Fetch{Offset: 1 << 62, Length: 1 << 62}, ""},
		{guest.Fetch{IfMatch: "sha256:" + sumOfText("0123456789")}, "0123456789"},
	} {
		got, state, err := s.fetch(t, "f", c.f)
		require.NoError(t, err)
		require.Equal(t, c.want, got, "%+v", c.f)
		require.EqualValues(t, 10, state.Size)
	}
	state, err := s.Inspect(t.Context(), "f", true, true)
	require.NoError(t, err)
	require.Equal(t, sumOfText("0123456789"), state.Sum)
	_, _, err = s.fetch(t, "f", guest.Fetch{IfMatch: state.Tag})
	require.NoError(t, err)
	s.write(t, "f", "012345678")
	for _, condition := range []string{state.Tag, "sha256:" + state.Sum, "other"} {
		_, _, err = s.fetch(t, "f", guest.Fetch{IfMatch: condition})
		requireKind(t, guest.Mismatch, err)
	}
	for _, condition := range []string{"sha256:abc", "a b", strings.Repeat("x", guest.TagLimit+1)} {
		_, _, err = s.fetch(t, "f", guest.Fetch{IfMatch: condition})
		requireKind(t, guest.Invalid, err)
	}
	meminfo, _, err := s.fetch(t, "/proc/meminfo", guest.Fetch{})
	require.NoError(t, err)
	require.Contains(t, meminfo, "MemTotal")
	_, _, err = s.fetch(t, "/proc/self/mem", guest.Fetch{Length: 1})
	require.Error(t, err)
}

func TestStore(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := t.Context()
	after := s.store(t, "d/f", "0123456789", guest.Store{Perm: 0o600, SetPerm: true})
	require.Equal(t, fs.FileMode(0o600), after.Mode)
	s.store(t, "d/f", "ab", guest.Store{Mode: guest.Update, Offset: 4})
	require.Equal(t, "0123ab6789", s.read(t, "d/f", 0, 0))
	s.store(t, "d/f", "Z", guest.Store{Mode: guest.Update, Offset: 12})
	require.Equal(t, "0123ab6789\x00\x00Z", s.read(t, "d/f", 0, 0))
	_, _, err := s.Store(ctx, "none", guest.Store{Mode: guest.Update}, strings.NewReader("x"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, _, err = s.Store(ctx, "d/f", guest.Store{Mode: guest.CreateNew}, strings.NewReader("x"))
	require.ErrorIs(t, err, fs.ErrExist)
	_, _, err = s.Store(ctx, "d/f", guest.Store{Mode: guest.PlaceNew + 1}, strings.NewReader("x"))
	requireKind(t, guest.Invalid, err)
	_, _, err = s.Store(ctx, "d/f", guest.Store{Offset: 1}, strings.NewReader("x"))
	requireKind(t, guest.Invalid, err)

	require.NoError(t, s.Truncate(ctx, "d/f", 4))
	require.Equal(t, "0123", s.read(t, "d/f", 0, 0))
	require.NoError(t, s.Truncate(ctx, "d/f", 5))
	require.Equal(t, "0123\x00", s.read(t, "d/f", 0, 0))
	requireKind(t, guest.IsDir, s.Truncate(ctx, "d", 5))
	requireKind(t, guest.Invalid, s.Truncate(ctx, "d/f", -1))
}

func TestReplace(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := t.Context()
	s.store(t, "f", "old", guest.Store{Mode: guest.Replace, Perm: 0o640, SetPerm: true})
	require.NoError(t, s.Symlink(ctx, "f", "link"))
	held, err := os.Open(filepath.Join(s.home, "f"))
	require.NoError(t, err)
	defer func() { require.NoError(t, held.Close()) }()
	after := s.store(t, "link", "new", guest.Store{Mode: guest.Replace, Perm: 0o666})
	require.Equal(t, fs.FileMode(0o640), after.Mode, "kept")
	info, err := os.Lstat(filepath.Join(s.home, "link"))
	require.NoError(t, err)
	require.Equal(t, fs.ModeSymlink, info.Mode().Type(), "the link is still one")
	b, err := io.ReadAll(held)
	require.NoError(t, err)
	require.Equal(t, "old", string(b))
	require.Equal(t, "new", s.read(t, "f", 0, 0))

	// A transfer that breaks leaves all as it was.
	broken := errors.New("broken")
	_, _, err = s.Store(ctx, "f", guest.Store{Mode: guest.Replace}, io.MultiReader(strings.NewReader("x"), iotestErr{broken}))
	require.ErrorIs(t, err, broken)
	for len(s.names(t)) > 2 { // the guest hears of it after us
		_, err := s.Stat(ctx, "f", true)
		require.NoError(t, err)
	}
	require.Equal(t, "new", s.read(t, "f", 0, 0))

	// Of many who replace the same content one alone succeeds.
	var all sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		all.Go(func() {
			_, _, errs[i] = s.Store(ctx, "f", guest.Store{Mode: guest.Replace, IfMatch: "sha256:" + sumOfText("new")}, strings.NewReader("newer"))
		})
	}
	all.Wait()
	done := 0
	for _, err := range errs {
		if err == nil {
			done++
		} else {
			requireKind(t, guest.Mismatch, err)
		}
	}
	require.Equal(t, 1, done)
	require.Equal(t, []string{"f", "link"}, s.names(t))
}

func TestPlaceNew(t *testing.T) {
	t.Parallel()
	s := start(t)
	after := s.store(t, "d/f", "x", guest.Store{Mode: guest.PlaceNew, Perm: 0o600})
	require.Equal(t, fs.FileMode(0o600), after.Mode)
	require.NoError(t, s.Symlink(t.Context(), "none", "link"))
	for _, path := range []string{"d/f", "link"} {
		_, _, err := s.Store(t.Context(), path, guest.Store{Mode: guest.PlaceNew}, strings.NewReader("y"))
		require.ErrorIs(t, err, fs.ErrExist, path)
	}
	_, _, err := s.Store(t.Context(), "new", guest.Store{Mode: guest.PlaceNew, IfMatch: after.Tag}, strings.NewReader("y"))
	requireKind(t, guest.Invalid, err)
	require.Equal(t, "x", s.read(t, "d/f", 0, 0))

	// Of many who make a file one alone succeeds.
	var all sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		all.Go(func() {
			_, _, errs[i] = s.Store(t.Context(), "g", guest.Store{Mode: guest.PlaceNew}, strings.NewReader("y"))
		})
	}
	all.Wait()
	done := 0
	for _, err := range errs {
		if err == nil {
			done++
		} else {
			require.ErrorIs(t, err, fs.ErrExist)
		}
	}
	require.Equal(t, 1, done)
	require.Equal(t, []string{"d", "g", "link"}, s.names(t))
}

func TestCopyChmodSymlink(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := t.Context()
	s.write(t, "a/b/f", "x")
	require.NoError(t, s.Chmod(ctx, "a/b/f", 0o711))
	require.NoError(t, s.Symlink(ctx, "/etc/passwd", "a/link"))
	require.NoError(t, s.Copy(ctx, "a", "new/copy"))
	require.Equal(t, "x", s.read(t, "new/copy/b/f", 0, 0))
	state, err := s.Inspect(ctx, "new/copy/b/f", true, false)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o711), state.Mode)
	state, err = s.Inspect(ctx, "new/copy/link", false, false)
	require.NoError(t, err)
	require.Equal(t, "/etc/passwd", state.Target)
	requireKind(t, guest.Invalid, s.Copy(ctx, "a", "a/b/c"))
	require.ErrorIs(t, s.Copy(ctx, "none", "b"), fs.ErrNotExist)
	require.NoError(t, os.Mkdir(filepath.Join(s.home, "empty"), 0o700))
	for _, to := range []string{"empty", "new", "new/copy", "a"} {
		requireKind(t, guest.IsDir, s.Copy(ctx, "a", to))
		requireKind(t, guest.IsDir, s.Copy(ctx, "a/b/f", to))
	}
	require.Equal(t, []string{"a", "empty", "new"}, s.names(t))
	require.ErrorIs(t, s.Symlink(ctx, "x", "a/link"), fs.ErrExist)
	requireKind(t, guest.Loop, s.Chmod(ctx, "/proc/self/root/tmp", 0o700))
	require.Error(t, s.Chmod(ctx, "/proc/self/status", 0o700))
	for _, bad := range badPaths {
		if bad.kind != guest.Invalid && bad.kind != guest.NameTooLong {
			continue
		}
		requireKind(t, bad.kind, s.Chmod(ctx, bad.path, 0))
		requireKind(t, bad.kind, s.Copy(ctx, bad.path, "z"))
		requireKind(t, bad.kind, s.Truncate(ctx, bad.path, 0))
		_, err := s.Extract(ctx, bad.path, strings.NewReader(""))
		requireKind(t, bad.kind, err)
	}
}

func TestWalk(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, p := range []string{"t/a/1", "t/a/2", "t/a.b", "t/a0", "t/b/c/d", "t/e"} {
		s.write(t, p, "x")
	}
	want := []string{"a", "a/1", "a/2", "a.b", "a0", "b", "b/c", "b/c/d", "e"}
	for limit := 1; limit <= len(want)+1; limit++ {
		var got []string
		for after, more := "", true; more; {
			page, err := s.Walk(t.Context(), "t", after, limit)
			require.NoError(t, err)
			for _, e := range page.Entries {
				got = append(got, e.Path)
			}
			if more = page.More; more {
				after = got[len(got)-1]
			}
		}
		require.Equal(t, want, got, "%d at a time", limit)
	}
	_, err := s.Walk(t.Context(), "t", "../x", 1)
	requireKind(t, guest.Invalid, err)
	_, err = s.Walk(t.Context(), "t", "", guest.PageLimit+1)
	requireKind(t, guest.Invalid, err)
	_, err = s.Walk(t.Context(), "t/e", "", 1)
	requireKind(t, guest.NotDir, err)
}
