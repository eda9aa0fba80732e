//go:build linux && (amd64 || arm64)

package launcher

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestLeaveKeyring: the keys of whoever started the launcher cannot be found.
func TestLeaveKeyring(t *testing.T) {
	runtime.LockOSThread() // which ends with this test, as keyrings are a thread's
	if _, err := unix.KeyctlJoinSessionKeyring("agb-test"); err != nil {
		t.Skip("this kernel, or the container around, has no keyrings: ", err)
	}
	key, err := unix.AddKey("user", "agb-test", []byte("secret"), unix.KEY_SPEC_SESSION_KEYRING)
	require.NoError(t, err)
	found, err := unix.KeyctlSearch(unix.KEY_SPEC_SESSION_KEYRING, "user", "agb-test", 0)
	require.NoError(t, err)
	require.Equal(t, key, found)
	require.NoError(t, leaveKeyring())
	_, err = unix.KeyctlSearch(unix.KEY_SPEC_SESSION_KEYRING, "user", "agb-test", 0)
	require.ErrorIs(t, err, unix.ENOKEY)
}
