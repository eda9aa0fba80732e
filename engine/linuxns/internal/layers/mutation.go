//go:build linux && (amd64 || arm64)

package layers

// A test of the tests leaves one part of the isolation out, and something has
// to notice. Programs built with the tag agbmutation can do so, see [Without];
// in all others nothing of it is left.

// Parts that can be left out, besides the layers of package driver.
const (
	partNetwork = "network namespace"
	partPID     = "pid namespace"
	partDev     = "private /dev"
)
