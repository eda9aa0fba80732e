package filesystem_test

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/filesystem"
)

// What cannot be sent is refused before anything is sent.
func TestArguments(t *testing.T) {
	c, f := newCloud(t)
	methods := map[string]func(path string) error{
		"ReadFile":  func(p string) error { _, err := f.ReadFile(t.Context(), p, nil); return err },
		"ReadFiles": func(p string) error { _, err := f.ReadFiles(t.Context(), []string{"/a", p}, nil); return err },
		"WriteFile": func(p string) error { _, err := f.WriteFile(t.Context(), p, nil, nil); return err },
		"Open":      func(p string) error { _, err := f.Open(t.Context(), p, nil); return err },
		"Create":    func(p string) error { _, err := f.Create(t.Context(), p, nil); return err },
		"Stat":      func(p string) error { _, err := f.Stat(t.Context(), p, nil); return err },
		"List":      func(p string) error { _, err := f.List(t.Context(), p, nil); return err },
		"Mkdir":     func(p string) error { _, err := f.Mkdir(t.Context(), p, nil); return err },
		"Move":      func(p string) error { _, err := f.Move(t.Context(), "/a", p, nil); return err },
		"Remove":    func(p string) error { _, err := f.Remove(t.Context(), p, nil); return err },
		"Search":    func(p string) error { _, err := f.Search(t.Context(), p, "*", nil); return err },
		"Edit":      func(p string) error { _, err := f.Edit(t.Context(), p, []filesystem.Edit{{Old: "a"}}, nil); return err },
		"Changes":   func(p string) error { _, err := f.Changes(t.Context(), p, nil); return err },
		"FS.Stat":   func(p string) error { _, err := f.FS(t.Context(), p).Stat("."); return err },
		"FS.Open":   func(p string) error { _, err := f.FS(t.Context(), p).Open("name"); return err },
	}
	for method, call := range methods {
		for name, path := range map[string]string{
			"empty": "", "NUL": "/a\x00b", "not UTF-8": "/a\xff", "long": strings.Repeat("a", filesystem.MaxPathBytes+1),
		} {
			t.Run(method+" "+name, func(t *testing.T) {
				requireFault(t, call(path), apierr.InvalidArgument, method)
				e := fault(t, call(path))
				require.Less(t, len(e.Error()), 1000)
			})
		}
	}
	_, err := f.Move(t.Context(), "", "/b", nil)
	requireFault(t, err, apierr.InvalidArgument, "Move")
	require.Empty(t, c.called())

	c.put(strings.Repeat("a", filesystem.MaxPathBytes), nil)
	_, err = f.ReadFile(t.Context(), strings.Repeat("a", filesystem.MaxPathBytes), nil)
	require.NoError(t, err)
}

func TestOtherArguments(t *testing.T) {
	c, f := newCloud(t)
	edits := func(n int, e filesystem.Edit) []filesystem.Edit { return slices.Repeat([]filesystem.Edit{e}, n) }
	ok := filesystem.Edit{Old: "a", New: "b"}
	for name, err := range map[string]error{
		"Edit nothing":    second(f.Edit(t.Context(), "/a", nil, nil)),
		"Edit no old":     second(f.Edit(t.Context(), "/a", edits(1, filesystem.Edit{New: "b"}), nil)),
		"Edit not UTF-8":  second(f.Edit(t.Context(), "/a", edits(1, filesystem.Edit{Old: "a", New: "\xff"}), nil)),
		"Edit many":       second(f.Edit(t.Context(), "/a", edits(filesystem.MaxEdits+1, ok), nil)),
		"Edit large":      second(f.Edit(t.Context(), "/a", edits(1, filesystem.Edit{Old: strings.Repeat("a", filesystem.MaxEditBytes+1)}), nil)),
		"Search empty":    second(f.Search(t.Context(), "/a", "", nil)),
		"Search exclude":  second(f.Search(t.Context(), "/a", "*", &filesystem.SearchOptions{Exclude: []string{""}})),
		"Search many":     second(f.Search(t.Context(), "/a", "*", &filesystem.SearchOptions{Exclude: slices.Repeat([]string{"x"}, filesystem.MaxExcludes+1)})),
		"ReadFiles many":  second(f.ReadFiles(t.Context(), slices.Repeat([]string{"/a"}, filesystem.MaxFiles+1), nil)),
		"WriteFile mode":  second(f.WriteFile(t.Context(), "/a", nil, &filesystem.WriteOptions{Mode: 3})),
		"Create mode":     second(f.Create(t.Context(), "/a", &filesystem.WriteOptions{Mode: -1})),
		"ReadFile length": second(f.ReadFile(t.Context(), "/a", &filesystem.ReadOptions{Length: -1})),
		"ReadFile limit":  second(f.ReadFile(t.Context(), "/a", &filesystem.ReadOptions{MaxBytes: -1})),
	} {
		t.Run(name, func(t *testing.T) {
			method, _, _ := strings.Cut(name, " ")
			requireFault(t, err, apierr.InvalidArgument, method)
		})
	}
	res, err := f.ReadFiles(t.Context(), nil, nil)
	require.NoError(t, err)
	require.Empty(t, res.Files)
	require.Empty(t, c.called())

	for _, name := range []string{"/a", "../a", "a/", ""} {
		_, err := f.FS(t.Context(), "/d").Open(name)
		require.ErrorIs(t, err, fs.ErrInvalid)
	}
	require.Empty(t, c.called())
}

func second[T any](_ T, err error) error { return err }
