package code_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/code"
	"github.com/agb-go/sdk/engine"
)

// The first run of a session from the pool finds an interpreter that has
// started, which no other session has used.
func TestPoolCode(t *testing.T) {
	needs(t, "bash")
	eng, err := engine.New(engine.Config{Pool: map[string]int{"host": 2}, PoolCode: []string{"sh", "python"}})
	require.NoError(t, err)
	defer func() { require.NoError(t, eng.Close()) }()
	client, err := agb.New(agb.WithTransport(eng.Transport()))
	require.NoError(t, err)
	for found, tries := 0, 0; found < 4; tries++ {
		require.Less(t, tries, 40, "none comes from the pool")
		time.Sleep(300 * time.Millisecond) // for the pool to fill
		res, err := client.Create(t.Context(), nil)
		require.NoError(t, err)
		s := res.Session
		list, err := s.Code.Contexts.List(t.Context())
		require.NoError(t, err)
		if len(list.Contexts) == 0 { // the machine is busy
			_, err = client.Delete(t.Context(), s.ID)
			require.NoError(t, err)
			continue
		}
		found++
		require.Equal(t, code.Bash, list.Contexts[0].Language)
		require.True(t, list.Contexts[0].Default)
		run, err := s.Code.Run(t.Context(), code.Bash, "echo [$x]; x=1; hostname", nil)
		require.NoError(t, err)
		require.Equal(t, "[]\nagb\n", run.Stdout)
		require.Equal(t, 1, run.ExecutionCount)
		_, err = client.Delete(t.Context(), s.ID)
		require.NoError(t, err)
	}
}
