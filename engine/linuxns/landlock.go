//go:build linux && (amd64 || arm64)

package linuxns

import (
	"fmt"
	"strings"
	"sync"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/linuxns/internal/layers"
)

// landlock returns the layer as it is on this machine.
var landlock = sync.OnceValue(func() driver.Layer { return landlockOf(layers.LandlockABI()) })

// landlockOf says what a version of Landlock's interface is good for here.
func landlockOf(abi int) driver.Layer {
	l := driver.Layer{Name: driver.Landlock, OK: abi >= layers.LandlockLeast}
	if !l.OK {
		l.Detail = "the kernel does not have it"
		if abi > 0 {
			l.Detail = fmt.Sprintf("ABI %d, with which files could not be moved between directories", abi)
		}
		l.Cure = "needs Linux 5.19 or newer with landlock among its security modules (lsm= on the kernel's command line)"
		return l
	}
	var missing []string
	for _, part := range []struct {
		since int
		name  string
	}{
		{layers.LandlockTruncate, "truncation"}, {layers.LandlockDevices, "devices"},
		{layers.LandlockScopes, "signals"}, {layers.LandlockScopes, "abstract sockets"},
	} {
		if abi < part.since {
			missing = append(missing, part.name)
		}
	}
	l.Detail = fmt.Sprintf("ABI %d", abi)
	if missing != nil {
		l.Detail += ", without " + strings.Join(missing, ", ")
	}
	return l
}
