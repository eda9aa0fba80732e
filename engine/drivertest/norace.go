//go:build !race

package drivertest

import "testing"

// slack is how much longer things may take than they should.
const slack = 1

// SkipRace skips nothing here.
func SkipRace(*testing.T, string) {}
