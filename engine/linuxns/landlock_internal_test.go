//go:build linux && (amd64 || arm64)

package linuxns

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/driver"
)

func TestLandlockOf(t *testing.T) {
	for abi, detail := range map[int]string{
		0: "the kernel does not have it",
		1: "ABI 1, with which files could not be moved between directories",
		2: "ABI 2, without truncation, devices, signals, abstract sockets",
		4: "ABI 4, without devices, signals, abstract sockets",
		5: "ABI 5, without signals, abstract sockets",
		6: "ABI 6",
		9: "ABI 9",
	} {
		l := landlockOf(abi)
		require.Equal(t, driver.Landlock, l.Name)
		require.Equal(t, detail, l.Detail)
		require.Equal(t, abi > 1, l.OK, "version %d", abi)
		require.Equal(t, l.OK, l.Cure == "", "version %d", abi)
	}
}
