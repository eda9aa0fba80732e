//go:build linux

package agent

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/guest"
)

func TestSearch(t *testing.T) {
	t.Parallel()
	s := start(t)
	require.Zero(t, s.sh(t, "mkdir -p a/b node_modules/c .git; touch a/x.go a/b/y.go a/b/z.txt node_modules/c/n.go .git/g.go top.go; ln -s a link").Code)
	for _, test := range []struct {
		pattern string
		exclude []string
		want    string
	}{
		{"*.go", []string{"node_modules", ".*"}, "a/b/y.go a/x.go top.go"},
		{"*.go", []string{"a/b", "node_modules/*"}, ".git/g.go a/x.go top.go"},
		{"a/*/*.go", nil, "a/b/y.go"},
		{"b", nil, "a/b"},
		{"[xz].*", nil, "a/b/z.txt a/x.go"},
		{"nothing", nil, ""},
	} {
		found, err := s.Search(t.Context(), guest.SearchQuery{Dir: ".", Pattern: test.pattern, Exclude: test.exclude})
		require.NoError(t, err)
		require.False(t, found.Truncated)
		for i := range found.Paths {
			rel, err := filepath.Rel(s.home, found.Paths[i])
			require.NoError(t, err)
			found.Paths[i] = rel
		}
		require.Equal(t, test.want, strings.Join(found.Paths, " "), test.pattern)
	}
	_, err := s.Search(t.Context(), guest.SearchQuery{Dir: ".", Pattern: "[x"})
	requireKind(t, guest.Invalid, err)
	_, err = s.Search(t.Context(), guest.SearchQuery{Dir: ".", Pattern: "x", Exclude: []string{"[x"}})
	requireKind(t, guest.Invalid, err)
	_, err = s.Search(t.Context(), guest.SearchQuery{Dir: "top.go", Pattern: "x"})
	requireKind(t, guest.NotDir, err)
}

func TestSearchLimit(t *testing.T) {
	t.Parallel()
	s := start(t)
	for i := range guest.SearchLimit {
		require.NoError(t, os.WriteFile(filepath.Join(s.home, strconv.Itoa(i)), nil, 0o644))
	}
	found, err := s.Search(t.Context(), guest.SearchQuery{Dir: ".", Pattern: "*"})
	require.NoError(t, err)
	require.Len(t, found.Paths, guest.SearchLimit)
	require.False(t, found.Truncated)
	s.write(t, "more", "")
	found, err = s.Search(t.Context(), guest.SearchQuery{Dir: ".", Pattern: "*"})
	require.NoError(t, err)
	require.Len(t, found.Paths, guest.SearchLimit)
	require.True(t, found.Truncated)
}

func TestEdit(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := t.Context()
	require.Zero(t, s.sh(t, "mkdir d; printf 'one two one' >d/f; chmod 751 d/f; ln -s d/f link").Code)
	edits := []guest.Edit{{Old: "one", New: "1"}, {Old: "two one", New: "€"}}
	got, err := s.Edit(ctx, "link", edits, true)
	require.NoError(t, err)
	require.Equal(t, "1 €", string(got))
	require.Equal(t, "one two one", s.read(t, "d/f", 0, 0))
	got, err = s.Edit(ctx, "link", edits, false)
	require.NoError(t, err)
	require.Equal(t, "1 €", string(got))
	require.Equal(t, "1 €", s.read(t, "d/f", 0, 0))
	require.Equal(t, "751 d/f\nf\n", s.sh(t, "stat -c '%a %n' d/f; ls -A d; [ -L link ]").out)

	_, err = s.Edit(ctx, "d/f", []guest.Edit{{Old: "1", New: "2"}, {Old: "absent"}}, false)
	requireKind(t, guest.NoMatch, err)
	require.Equal(t, "1 €", s.read(t, "d/f", 0, 0), "all or none")
	_, err = s.Edit(ctx, "d/f", []guest.Edit{{Old: "", New: "2"}}, false)
	requireKind(t, guest.Invalid, err)
	got, err = s.Edit(ctx, "d/f", nil, false)
	require.NoError(t, err)
	require.Equal(t, "1 €", string(got))
	_, err = s.Edit(ctx, "nothing", nil, false)
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = s.Edit(ctx, "d", nil, false)
	requireKind(t, guest.IsDir, err)
}

func TestEditLimits(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := t.Context()
	s.write(t, "f", strings.Repeat("x", guest.EditLimit))
	got, err := s.Edit(ctx, "f", []guest.Edit{{Old: "x", New: "y"}}, false)
	require.NoError(t, err)
	require.Len(t, got, guest.EditLimit)
	_, err = s.Edit(ctx, "f", []guest.Edit{{Old: "y", New: "yy"}}, false)
	requireKind(t, guest.TooLarge, err)
	s.write(t, "f", strings.Repeat("x", guest.EditLimit+1))
	_, err = s.Edit(ctx, "f", nil, false)
	requireKind(t, guest.TooLarge, err)

	s.write(t, "g", strings.Repeat("a", guest.EditsLimit+1))
	many := make([]guest.Edit, guest.EditsLimit)
	for i := range many {
		many[i] = guest.Edit{Old: "a", New: "b"}
	}
	got, err = s.Edit(ctx, "g", many, false)
	require.NoError(t, err)
	require.Equal(t, guest.EditsLimit, bytes.Count(got, []byte("b")))
	_, err = s.Edit(ctx, "g", append(many, many[0]), false)
	requireKind(t, guest.TooLarge, err)
}

func TestChanges(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := t.Context()
	require.Zero(t, s.sh(t, "mkdir -p w/d; echo 1 >w/a; echo 1 >w/b; echo 1 >w/d/c").Code)
	changes := func() []guest.Change {
		c, err := s.Changes(ctx, "w")
		require.NoError(t, err)
		return c
	}
	require.Empty(t, changes())
	require.Empty(t, changes())
	require.Zero(t, s.sh(t, "cd w; echo 22 >a; rm b; mkdir n; echo 1 >n/x; mv d/c d/e").Code)
	root := s.home + "/w/"
	require.Equal(t, []guest.Change{
		{Kind: guest.Modified, Path: root + "a"},
		{Kind: guest.Deleted, Path: root + "b"},
		{Kind: guest.Deleted, Path: root + "d/c"},
		{Kind: guest.Created, Path: root + "d/e"},
		{Kind: guest.Created, Path: root + "n", Dir: true},
		{Kind: guest.Created, Path: root + "n/x"},
	}, changes())
	require.Empty(t, changes())
	require.Zero(t, s.sh(t, "cd w; rm a; mkdir a; echo 2 >n/y; mv n/y n/x").Code)
	require.Equal(t, []guest.Change{
		{Kind: guest.Deleted, Path: root + "a"},
		{Kind: guest.Created, Path: root + "a", Dir: true},
		{Kind: guest.Modified, Path: root + "n/x"},
	}, changes())
}

func TestWatchesAreBounded(t *testing.T) {
	t.Parallel()
	files := func(n int) map[string]look {
		m := make(map[string]look, n)
		for i := range n {
			m[strconv.Itoa(i)] = look{}
		}
		return m
	}
	var w watches
	for i := range guest.WatchLimit {
		require.Nil(t, w.exchange(strconv.Itoa(i), files(1)))
	}
	require.NotNil(t, w.exchange("0", files(1)), "at the limit all are known")
	require.Nil(t, w.exchange("more", files(1)))
	require.NotNil(t, w.exchange("0", files(1)))
	require.Nil(t, w.exchange("1", files(1)), "the one not asked for the longest was forgotten")
	require.Len(t, w.byDir, guest.WatchLimit)
	require.Nil(t, w.exchange("big", files(guest.ChangeLimit)))
	require.Len(t, w.byDir, 1, "all together")
	require.NotNil(t, w.exchange("big", files(guest.ChangeLimit)))
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	s := start(t)
	m, err := s.Metrics(t.Context())
	require.NoError(t, err)
	require.Equal(t, runtime.NumCPU(), m.CPUCount)
	require.Positive(t, m.MemTotal)
	require.Positive(t, m.MemUsed)
	require.Positive(t, m.DiskTotal)
	require.GreaterOrEqual(t, m.DiskTotal, m.DiskUsed)
	require.False(t, m.Time.IsZero())
	require.Zero(t, s.sh(t, "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done").Code)
	m, err = s.Metrics(t.Context())
	require.NoError(t, err)
	require.Positive(t, m.CPUUsed)
}

func TestParse(t *testing.T) {
	t.Parallel()
	e, ok := parseStat([]byte("12 (a) Z (b c)) S 3 4 5 0 -1 0 0 0 0 0 10 20 30 40 20 0 1 0 777 1 2\n"))
	require.True(t, ok)
	require.Equal(t, procEntry{pid: 12, parent: 3, cpu: 100}, e)
	for state, dead := range map[string]bool{"Z 3 4 5 0 -1 0 0 0 0 0 1 2 3 4 20 0 1 0": true, "Z 3 4 5 0 -1 0 0 0 0 0 1 2 3 4 20 0 2 0": false} {
		e, ok = parseStat([]byte("12 (a) " + state))
		require.True(t, ok)
		require.Equal(t, dead, e.dead, "a first thread that has ended is not all of a process")
	}
	for _, bad := range []string{"", "1", "1 (x", "1 (x) S", "x (y) S 3 4 5 0 -1 0 0 0 0 0 10 20 30 40 20 0 1 0 777"} {
		_, ok := parseStat([]byte(bad))
		require.False(t, ok, bad)
	}
	in, out := traffic([]byte("Inter-|\n face |bytes\n    lo: 100 0 0 0 0 0 0 0 100 0\n  eth0: 5 0 0 0 0 0 0 0 7 0\n eth1:1 0 0 0 0 0 0 0 2 0\n"))
	require.EqualValues(t, 6, in)
	require.EqualValues(t, 9, out)
}

// A long call ends when it is given up, and its turn is free again.
func TestCancelWalk(t *testing.T) {
	t.Parallel()
	s := start(t)
	for range 4 * walkLimit {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = s.Search(ctx, guest.SearchQuery{Dir: "/", Pattern: "nothing"})
		}()
		cancel()
		<-done
	}
	_, err := s.List(t.Context(), ".")
	require.NoError(t, err)
}
