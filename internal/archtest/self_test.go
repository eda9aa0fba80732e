package archtest

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// Every rule finds what breaks it.
func TestCheck(t *testing.T) {
	const doc = "// Package a is one.\npackage a\n"
	for name, tc := range map[string]struct {
		files  map[string]string
		faults []string // what they start with
	}{
		"fine": {map[string]string{
			"a/a.go":              doc + `import ("fmt"; "` + module + `/b"; "` + module + `/d/e"; "github.com/google/uuid")`,
			"a/a_test.go":         `package a_test; import ("testing"; "` + module + `/c"; "github.com/stretchr/testify/require")`,
			"a/testdata/x.go":     "not go",
			"other/go.mod":        "module other",
			"other/x.go":          `package util; import "example.com/x"`,
			".hidden/x.go":        "not go",
			"examples/one/one.go": "// One does something.\npackage main\n" + `import "` + module + `/b"`,
		}, nil},
		"unknown":           {map[string]string{"z/z.go": doc}, []string{"z: unknown"}},
		"ours":              {map[string]string{"a/a.go": doc + `import "` + module + `/c"`}, []string{"a/a.go: a must not"}},
		"too deep":          {map[string]string{"a/a.go": doc + `import "` + module + `/d/e/f"`}, []string{"a/a.go: a must not"}},
		"root":              {map[string]string{"a/a_test.go": doc + `import "` + module + `"`}, []string{"a/a_test.go: a must not"}},
		"outside":           {map[string]string{"a/a.go": doc + `import "github.com/google/uuid2"`}, []string{"a/a.go: a must not"}},
		"outside in a test": {map[string]string{"a/a_test.go": doc + `import "example.com/x"`}, []string{"a/a_test.go: a must not"}},
		"of tests":          {map[string]string{"a/a.go": doc + `import "go.uber.org/goleak"`}, []string{"a/a.go: a must not"}},
		"testing":           {map[string]string{"a/a.go": doc + `import "testing"`}, []string{"a/a.go: a must not"}},
		"part of testing":   {map[string]string{"a/a.go": doc + `import "testing/fstest"`}, []string{"a/a.go: a must not"}},
		"cgo":               {map[string]string{"a/a.go": doc + `import "C"`}, []string{"a/a.go: a must not"}},
		"other systems":     {map[string]string{"a/a_windows.go": "//go:build windows\n\n" + doc + `import "` + module + `/c"`}, []string{"a/a_windows.go: a must not"}},
		"no comment":        {map[string]string{"a/a.go": "package a"}, []string{"a: no package comment"}},
		"comment in a test": {map[string]string{"a/a.go": "package a", "a/a_test.go": doc}, []string{"a: no package comment"}},
		"name":              {map[string]string{"a/a.go": "// Package util is bad.\npackage util"}, []string{"a/a.go: the name util"}},
		"longest":           {map[string]string{"a/a.go": doc + strings.Repeat("\n", maxLines-2)}, nil},
		"too long":          {map[string]string{"a/a.go": doc + strings.Repeat("\n", maxLines-1)}, []string{"a/a.go: 401 lines"}},
	} {
		t.Run(name, func(t *testing.T) {
			tree := fstest.MapFS{}
			for name, text := range tc.files {
				tree[name] = &fstest.MapFile{Data: []byte(text)}
			}
			r := rules{"a": {"b", "d/*", "+uuid"}}
			if name == "fine" {
				r["examples/*"] = []string{"*"}
			}
			if name == "unknown" {
				delete(r, "a")
			}
			faults, err := check(tree, r)
			require.NoError(t, err)
			require.Len(t, faults, len(tc.faults), "%q", faults)
			for i, want := range tc.faults {
				require.True(t, strings.HasPrefix(faults[i], want), "%q", faults)
			}
		})
	}
}

func TestCheckFindsWhatIsGone(t *testing.T) {
	faults, err := check(fstest.MapFS{}, rules{"gone": nil})
	require.NoError(t, err)
	require.Len(t, faults, 1)
	require.Contains(t, faults[0], "gone: there is no such package")
}

func TestCheckFailsOnWhatItCannotParse(t *testing.T) {
	_, err := check(fstest.MapFS{"a/a.go": {Data: []byte("pack age")}}, rules{"a": nil})
	require.Error(t, err)
}
