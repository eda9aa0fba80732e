//go:build !race

package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/internal/httpapi"
)

// TestLeastLimits: a session with the least of everything still runs commands. A
// guest with the race detector needs more.
func TestLeastLimits(t *testing.T) {
	v := newReal(t, Config{Limits: Limits(leastLimits)})
	s := mustCreate(t, v, httpapi.CreateParams{})
	require.Equal(t, "hello\n", output(t, v, s.ID, "echo hello > file; cat file"))
}
