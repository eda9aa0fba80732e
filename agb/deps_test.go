package agb_test

import (
	"cmp"
	"go/build"
	"maps"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

const module = "github.com/agb-go/sdk"

// TestDependencies: a program that uses the hosted service links three modules
// and go-cleanhttp, which go-retryablehttp needs, and nothing of the engine.
func TestDependencies(t *testing.T) {
	const root = ".."
	modules := outsideModules(t, filepath.Join(root, "go.mod"))
	ours, outside := map[string]bool{}, map[string]bool{}
	var walk func(pkg, dir string, seen map[string]bool)
	walk = func(pkg, dir string, seen map[string]bool) {
		if seen[pkg] {
			return
		}
		seen[pkg] = true
		p, err := build.ImportDir(dir, 0)
		require.NoError(t, err)
		for _, imported := range p.Imports {
			if rest, ok := strings.CutPrefix(imported, module+"/"); ok {
				walk(rest, filepath.Join(root, filepath.FromSlash(rest)), ours)
			} else if first, _, _ := strings.Cut(imported, "/"); strings.Contains(first, ".") {
				walk(imported, dirOf(t, modules, imported), outside)
			}
		}
	}
	walk("agb", filepath.Join(root, "agb"), ours)
	require.Equal(t, []string{
		"agb", "apierr", "code", "command", "filesystem", "internal/egress", "internal/memnet", "internal/transport", "internal/wire", "labels",
		"session",
	}, slices.Sorted(maps.Keys(ours)))
	require.Equal(t, []string{
		"github.com/coder/websocket", "github.com/coder/websocket/internal/bpool", "github.com/coder/websocket/internal/errd",
		"github.com/coder/websocket/internal/util",
		"github.com/google/uuid", "github.com/hashicorp/go-cleanhttp", "github.com/hashicorp/go-retryablehttp",
	}, slices.Sorted(maps.Keys(outside)))
}

// outsideModules returns where the modules are that a go.mod file requires.
func outsideModules(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	cache := moduleCache()
	modules := map[string]string{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(strings.TrimPrefix(line, "require "))
		if len(fields) >= 2 && strings.Contains(fields[0], ".") && strings.HasPrefix(fields[1], "v") {
			modules[fields[0]] = filepath.Join(cache, filepath.FromSlash(escaped(fields[0])+"@"+escaped(fields[1])))
		}
	}
	require.NotEmpty(t, modules)
	return modules
}

// moduleCache returns where the go command keeps modules: this program is made
// from it. Built with -trimpath it does not know.
func moduleCache() string {
	entry := reflect.ValueOf(uuid.NewString).Pointer()
	file, _ := runtime.FuncForPC(entry).FileLine(entry)
	if root, _, ok := strings.Cut(filepath.ToSlash(file), "/github.com/google/uuid@"); ok {
		return filepath.FromSlash(root)
	}
	gopath := filepath.SplitList(build.Default.GOPATH)
	return cmp.Or(os.Getenv("GOMODCACHE"), filepath.Join(gopath[0], "pkg", "mod"))
}

// escaped returns s as it is written in the module cache, which serves file
// systems that do not tell capitals apart.
func escaped(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsUpper(r) {
			b.WriteByte('!')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// dirOf returns where a package of another module is.
func dirOf(t *testing.T, modules map[string]string, pkg string) string {
	t.Helper()
	for mod := pkg; mod != "."; mod = path.Dir(mod) {
		if dir, ok := modules[mod]; ok {
			return filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(pkg, mod)))
		}
	}
	t.Fatalf("%s is of no module that go.mod requires", pkg)
	return ""
}
