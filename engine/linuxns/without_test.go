//go:build linux && (amd64 || arm64) && agbmutation

package linuxns_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/engine/linuxns"
)

// TestWithout: each part can be left out, sandboxes work all the same, and that
// it is missing shows inside. The script succeeds where the part is in place.
func TestWithout(t *testing.T) {
	for _, c := range []struct{ part, script string }{
		{driver.Seccomp, `! setarch -R true`},
		{driver.Landlock, `! mknod /tmp/node c 0 0`},
		{"network namespace", `test $(tail -n +3 /proc/net/dev | wc -l) -eq 1`},
		{"pid namespace", `grep -q guest /proc/1/cmdline`},
		{driver.ProcessLimit, `test $(awk '/Max processes/ { print $3 }' /proc/self/limits) -lt 1000`},
		{driver.Capabilities, `grep -q '^CapEff:.*0000000000000000' /proc/self/status`},
		{driver.NoNewPrivs, `grep -q '^NoNewPrivs:.*1' /proc/self/status`},
		{"private /dev", `test $(ls /dev | wc -l) -lt 20`},
		{driver.Descriptors, `! ls -l /proc/$$/fd | grep -q ' /$'`},
		{driver.DiskLimit, `test $(stat -f -c %b /tmp) -gt 0 && test $(stat -f -c %c /tmp) -gt 0`},
		{driver.GuestHidden, `! cat /proc/1/environ`},
		{driver.ReadOnlyRoot, `mkdir /x 2>&1 | grep -q 'Read-only'`},
	} {
		t.Run(c.part, func(t *testing.T) {
			linuxns.Without("")
			whole := drivertest.Create(t, usable(t), drivertest.Spec)
			require.Zero(t, whole.Run(t, c.script).Exit.Code)
			linuxns.Without(c.part)
			defer linuxns.Without("")
			r := newRuntime(t)
			t.Cleanup(func() { require.NoError(t, r.Close()) })
			part := drivertest.Create(t, r, drivertest.Spec)
			require.NotZero(t, part.Run(t, c.script).Exit.Code)
		})
	}
}
