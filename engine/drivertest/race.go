//go:build race

package drivertest

// slack is how much longer things may take with the race detector.
const slack = 5
