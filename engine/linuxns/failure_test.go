//go:build linux && (amd64 || arm64)

package linuxns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/linuxns/internal/cgroup"
	"github.com/agb-go/sdk/engine/linuxns/internal/layers"
	"github.com/agb-go/sdk/engine/linuxns/internal/tape"
)

func TestExplain(t *testing.T) {
	failed := func(layer string, errno unix.Errno) error {
		return &tape.Failure{Layer: layer, Step: "step", Errno: errno}
	}
	for _, c := range []struct {
		err  error
		code apierr.Code
	}{
		{failed(layers.Proc, unix.EPERM), apierr.IsolationUnavailable},
		{failed(layers.Clone, unix.EPERM), apierr.IsolationUnavailable},
		{failed(layers.Clone, unix.ENOSYS), apierr.IsolationUnavailable},
		{failed(layers.Clone, unix.EAGAIN), apierr.ResourceExhausted},
		{failed(layers.Private, unix.ENOMEM), apierr.ResourceExhausted},
		{failed(layers.RootFiles, unix.ENOSPC), apierr.IsolationUnavailable},
		{fmt.Errorf("socketpair: %w", unix.EMFILE), apierr.ResourceExhausted},
		{&startError{layerCopy, unix.EACCES}, apierr.IsolationUnavailable},
		{context.Canceled, apierr.Canceled},
		{context.DeadlineExceeded, apierr.DeadlineExceeded},
		{errSlow, apierr.Unavailable},
		{errBroken, apierr.Unavailable},
		{tape.ErrVanished, apierr.Unavailable},
		{errors.New("other"), apierr.Internal},
	} {
		e := explain(c.err)
		require.Equal(t, c.code, e.Code, "%v", c.err)
		require.ErrorIs(t, e, c.err)
		if c.code == apierr.IsolationUnavailable || c.code == apierr.ResourceExhausted {
			require.NotEmpty(t, e.Hint, "%v", c.err)
		}
	}
}

// TestCures: whatever fails, the user is told what to do.
func TestCures(t *testing.T) {
	for _, layer := range layers.Order {
		for _, errno := range []unix.Errno{unix.EPERM, unix.EACCES, unix.EINVAL, unix.ENOSYS, unix.ENOENT, unix.EIO} {
			require.NotEmpty(t, cure(layer, "step", errno), "%s: %v", layer, errno)
		}
	}
}

// TestGroupCures: what helps depends on who asks, and where.
func TestGroupCures(t *testing.T) {
	memory := cgroup.Place{Dir: "/made/up/memory/m", Version: 1, Controls: []string{cgroup.Memory}}
	two := cgroup.Place{Dir: "/made/up/unified/u", Version: 2, Controls: []string{cgroup.Core}}
	sealed := cgroup.Place{Dir: "/sys/fs/cgroup", Version: 2}
	user := cureGroups([]cgroup.Place{memory, two}, 7)
	require.Contains(t, user, "for D in /made/up/memory/m; do")
	require.Contains(t, user, "chown -R 7 ")
	systemd := cureGroups([]cgroup.Place{two}, 7)
	require.Contains(t, systemd, "systemd-run --user")
	cures := []string{user, systemd, cureGroups(nil, 7), cureGroups([]cgroup.Place{memory, two}, 0)}
	if readOnly(sealed) {
		cures = append(cures, cureGroups([]cgroup.Place{sealed}, 0))
		require.Equal(t, cures[4], cureGroups([]cgroup.Place{sealed}, 7))
	}
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(cures))), len(cures))
	require.NotContains(t, cures, "")
}

func TestSizes(t *testing.T) {
	for want, n := range map[string]int64{
		"0 bytes": 0, "1023 bytes": 1023, "1 KiB": 1024, "1025 bytes": 1025, "512 MiB": 512 << 20, "3 GiB": 3 << 30, "1024 GiB": 1 << 40,
	} {
		require.Equal(t, want, size(n))
	}
}

// TestAppArmorProfile: here the text is the product.
func TestAppArmorProfile(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	text := apparmorCure()
	require.Contains(t, text, fmt.Sprintf("%q flags=(unconfined) {\n  userns,\n}", self))
	require.Regexp(t, `profile agb-[A-Za-z0-9_-]+ "/`, text)
	require.Regexp(t, `apparmor_parser -r /etc/apparmor.d/agb-[A-Za-z0-9_-]+\n`, text)
	require.Contains(t, text, "kernel.apparmor_restrict_unprivileged_userns=0")
}
