package httpapi

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
)

func TestKills(t *testing.T) {
	count, failed := int64(0), error(nil)
	k := kills{count: func() (int64, error) { return count, failed }}

	one, two := k.now(), k.now()
	require.False(t, k.since(one))
	count = 1
	require.True(t, k.since(one))
	require.True(t, k.since(two), "it ran at that time, too")
	require.False(t, k.since(k.now()), "it started later")

	failed = errors.New("not to be read")
	require.False(t, k.since(one), "not known at the end")
	one, failed = k.now(), nil
	require.False(t, k.since(one), "not known at the start")
	require.True(t, k.since(two), "one failure is not for ever")
}

// Nobody is asked again for an account that there is not.
func TestKillsWithoutAccount(t *testing.T) {
	asked := 0
	k := kills{count: func() (int64, error) { asked++; return 0, apierr.Errorf(apierr.Unsupported, "no account") }}
	for range 3 {
		require.False(t, k.since(k.now()))
	}
	require.Equal(t, 1, asked)
	var none kills
	require.False(t, none.since(none.now()))
	require.False(t, none.since(0))
}
