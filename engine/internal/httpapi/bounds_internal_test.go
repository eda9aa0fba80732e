package httpapi

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestBoundsAreDocumented: the table in docs/security.md says the bounds that
// this package keeps.
func TestBoundsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../docs/security.md")
	require.NoError(t, err)
	const mib = 1 << 20
	for _, row := range []string{
		fmt.Sprintf("wall time of a command | %d s |", defaultTimeout/time.Second),
		fmt.Sprintf("output kept for answers | %d MiB a session, %d MiB an API key, %d MiB an engine |",
			sessionOutput/mib, tenantOutput/mib, engineOutput/mib),
		fmt.Sprintf("WebSockets of a session at once | %d, %d runs on each,", maxSockets, maxSocketRuns),
		fmt.Sprintf("a stream whose client takes in nothing | %d min |", stallTimeout/time.Minute),
		fmt.Sprintf("processes to talk to, of a session | %d,", maxProcesses),
		fmt.Sprintf("contexts of code of a session | %d |", maxContexts),
		fmt.Sprintf("files that go by a URL, of a session at once | %d,", maxTransfers),
	} {
		require.Contains(t, string(text), "\n| "+row, "docs/security.md says otherwise, or the code does")
	}
}
