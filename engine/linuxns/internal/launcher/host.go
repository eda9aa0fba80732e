//go:build linux && (amd64 || arm64)

package launcher

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/agb-go/sdk/engine/linuxns/internal/layers"
	"github.com/agb-go/sdk/engine/linuxns/internal/seccomp"
)

func findHost(guestArgs, guestEnv []string) (layers.Host, error) {
	filter, err := seccomp.Filter()
	if err != nil {
		return layers.Host{}, err
	}
	last, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if err != nil {
		return layers.Host{}, fmt.Errorf("launcher: %w", err)
	}
	lastCap, err := strconv.Atoi(strings.TrimSpace(string(last)))
	if err != nil {
		return layers.Host{}, fmt.Errorf("launcher: cap_last_cap: %w", err)
	}
	score, err := victim()
	if err != nil {
		return layers.Host{}, err
	}
	return layers.Host{
		IDs: layers.FindIDs(), LastCap: lastCap, Landlock: layers.LandlockABI(), OOMScore: score,
		Filter: filter, GuestArgs: guestArgs, GuestEnv: guestEnv,
	}, nil
}
