// Package archtest checks who imports whom, and what else keeps the tree in
// order. It has tests only: rules_test.go is the architecture.
package archtest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestArchitecture(t *testing.T) {
	// Parsing, not "go list": files that the test opens itself are part of the
	// test cache's key, what a subprocess reads is not.
	faults, err := check(os.DirFS(filepath.Join("..", "..")), parseRules(architecture))
	require.NoError(t, err)
	for _, f := range faults {
		assert.Fail(t, f)
	}
}
