package agb_test

import (
	"go/build"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDependencies: a program that uses the hosted service links two modules
// (and go-cleanhttp, which go-retryablehttp needs), and nothing of the engine.
func TestDependencies(t *testing.T) {
	const module = "github.com/agb-go/sdk/"
	ours, outside := map[string]bool{}, map[string]bool{}
	var walk func(pkg string)
	walk = func(pkg string) {
		if ours[pkg] {
			return
		}
		ours[pkg] = true
		p, err := build.ImportDir(filepath.Join("..", filepath.FromSlash(pkg)), 0)
		require.NoError(t, err)
		for _, path := range p.Imports {
			if rest, ok := strings.CutPrefix(path, module); ok {
				walk(rest)
			} else if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") {
				outside[path] = true
			}
		}
	}
	walk("agb")
	require.Equal(t, []string{
		"agb", "apierr", "code", "command", "filesystem", "internal/transport", "internal/wire", "labels", "session",
	}, slices.Sorted(maps.Keys(ours)))
	require.Equal(t, []string{"github.com/google/uuid", "github.com/hashicorp/go-retryablehttp"}, slices.Sorted(maps.Keys(outside)))
}
