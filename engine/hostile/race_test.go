//go:build race && linux && (amd64 || arm64)

package hostile

import "testing"

// slower is by how much the race detector slows down what has a time to keep.
const slower = 3

// timeLimit is how long everything may take together: here as long as it may.
const timeLimit = wallTime

// skipKernel skips attacks on the kernel and what it enforces: the race detector
// watches the owner, which has no part in them.
func skipKernel(t *testing.T) {
	t.Helper()
	t.Skip("attacks on the kernel are run without the race detector, which sees nothing of them")
}
