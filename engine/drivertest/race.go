//go:build race

package drivertest

import "testing"

// slack is how much longer things may take with the race detector.
const slack = 5

// SkipRace skips a test that is nothing for the race detector, and says why.
func SkipRace(t *testing.T, why string) {
	t.Helper()
	t.Skip("nothing for the race detector: " + why)
}
