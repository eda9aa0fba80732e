package agbtest

import "testing"

// SetProbe replaces, until the test ends, what finds out whether sandboxes can
// be made on this machine.
func SetProbe(t *testing.T, probe func() error) {
	t.Helper()
	old := sandboxes
	sandboxes = probe
	t.Cleanup(func() { sandboxes = old })
}
