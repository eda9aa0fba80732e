//go:build linux && (amd64 || arm64)

package hostile

import (
	"os"
	"testing"
)

// mayLackControl are the cases that a bare process does not win everywhere, and
// where. Of any other case that it does not win, the control is broken.
var mayLackControl = map[string]string{
	"X18":       "a machine at work leaves a bare process no more of a processor than a session has",
	"X18-share": "the same",
	"N07":       "a kernel may have no keyrings",
	"N13":       "a kernel may have no 32-bit calls",
	"N16":       "a kernel may have no vsock",
}

// mayLackControlOfUser are those that a bare process of an ordinary user does not
// win everywhere, besides.
var mayLackControlOfUser = map[string]string{
	"F16": "programs are root's to write",
	"F21": "settings of the kernel are root's to write",
	"N20": "devices are root's to make",
	"N08": "kernel.unprivileged_bpf_disabled",
	"N09": "kernel.io_uring_disabled",
	"N10": "kernel.perf_event_paranoid",
}

// skipUncontrolled skips a case that shows nothing, because a bare process does
// not win either. It fails the test when the case is none of those of which
// that is known.
func skipUncontrolled(t *testing.T, id string, out []byte) {
	t.Helper()
	why := mayLackControl[id]
	if why == "" && os.Getuid() != 0 {
		why = mayLackControlOfUser[id]
	}
	if why == "" {
		t.Fatalf("the control is broken: a bare process does not win: %.2000q", out)
	}
	tally.uncontrolled.Add(1)
	t.Skipf("SKIP-NOCONTROL: a bare process does not win either (%s): %.200q", why, out)
}
