package drivertest

import (
	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/drivertest/leak"
)

// leaks does everything some times over and counts.
func (s *suite) leaks() {
	t := s.t
	first := s.newRuntime(t)
	_, err := tryCreate(t.Context(), first, Spec)
	require.NoError(t, err)
	require.NoError(t, first.Close()) // what the process keeps for good is there now
	before := leak.AtRest(leak.Options{})
	for range 3 {
		r := s.newRuntime(t)
		for range 5 {
			b, err := tryCreate(t.Context(), r, Spec)
			require.NoError(t, err)
			b.Run(t, "sleep 1000 >/dev/null 2>&1 & exit 3")
			b.Destroy(t)
		}
		for range 3 {
			_, err := tryCreate(t.Context(), r, Spec)
			require.NoError(t, err)
		}
		require.NoError(t, r.Close())
	}
	leak.Check(t, before, leak.Options{})
}
