package engine

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/labels"
)

// TestDefaultsAreDocumented: the table in docs/security.md says what sessions are
// limited to when nobody says otherwise, and what may be asked for at least.
func TestDefaultsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/security.md")
	require.NoError(t, err)
	c, err := Config{}.withDefaults()
	require.NoError(t, err)
	l, least := c.limits(), leastLimits
	const kib, mib, gib = 1 << 10, 1 << 20, 1 << 30
	thousands := func(n int64) string { return fmt.Sprintf("%d,%03d", n/1000, n%1000) }
	minutes := func(d time.Duration) string { return fmt.Sprintf("%d min", d/time.Minute) }
	require.Zero(t, l.MemoryBytes%mib+l.DiskBytes%mib+l.FileBytes%mib+l.DataBytes%gib)
	require.Zero(t, least.MemoryBytes%mib+least.DiskBytes%mib+least.FileBytes%kib+least.DataBytes%mib)
	require.Equal(t, [2]int{1000, 10}, [2]int{l.MilliCPU, least.MilliCPU})
	for _, row := range []string{
		fmt.Sprintf("memory of a session, its files included | %d MiB, and 16 MiB for the agent, which commands can use up too | %d MiB",
			l.MemoryBytes/mib, least.MemoryBytes/mib),
		fmt.Sprintf("processes and threads | %d | %d", l.Processes, least.Processes),
		"processor | 1 core | 1/100 core",
		fmt.Sprintf("writable files, bytes and number | %d MiB, %s | %d MiB, %d",
			l.DiskBytes/mib, thousands(l.DiskInodes), least.DiskBytes/mib, least.DiskInodes),
		fmt.Sprintf("ordinary data of a process | %d GiB | %d MiB", l.DataBytes/gib, least.DataBytes/mib),
		fmt.Sprintf("one file | %d MiB | %d KiB", l.FileBytes/mib, least.FileBytes/kib),
		fmt.Sprintf("descriptors of a process | %s | %d", thousands(int64(l.OpenFiles)), least.OpenFiles),
		fmt.Sprintf("sessions; of them ready in a pool | %s; none | 1; 0", thousands(int64(c.MaxSessions))),
		fmt.Sprintf("idle time, lifetime | %s, %s |", minutes(c.IdleTimeout), minutes(c.MaxLifetime)),
		fmt.Sprintf("calls of a session at once | %d at work, %d waiting for %d s |", maxCalls, maxWaiting, waitForTurn/time.Second),
		fmt.Sprintf("labels | %d, of %d and %d bytes", labels.MaxLabels, labels.MaxKeyBytes, labels.MaxValueBytes),
	} {
		require.Contains(t, string(text), "\n| "+row+" |", "docs/security.md says otherwise, or the code does")
	}
	require.Empty(t, c.Pool)
}
