//go:build linux && (amd64 || arm64)

package linuxns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/apierr"
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
