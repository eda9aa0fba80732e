package leak_test

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/drivertest/leak"
)

// TestNoticesKeys: keys in keyrings of ours count, also deep in them, and those
// in others' do not.
func TestNoticesKeys(t *testing.T) {
	runtime.LockOSThread() // which ends with this test, as keyrings are a thread's
	if _, err := unix.KeyctlJoinSessionKeyring("agb-leak"); err != nil {
		t.Skip("this kernel, or the container around, has no keyrings: ", err)
	}
	before := leak.Take(leak.Options{})
	ring, err := unix.AddKey("keyring", "ours", nil, unix.KEY_SPEC_SESSION_KEYRING)
	require.NoError(t, err)
	_, err = unix.AddKey("user", "deep", []byte("x"), ring)
	require.NoError(t, err)
	_, err = unix.AddKey("user", "other", []byte("x"), unix.KEY_SPEC_THREAD_KEYRING)
	require.NoError(t, err)
	left := slices.DeleteFunc(leak.Take(leak.Options{}).Left(before), func(line string) bool { return !strings.HasPrefix(line, "key ") })
	require.Equal(t, []string{"key keyring ours: 1, had been 0", "key user deep: 1, had been 0"}, left)
}
