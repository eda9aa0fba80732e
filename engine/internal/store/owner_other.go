//go:build !linux

package store

// started does not know.
func started(int) (string, bool) { return "", false }

// boot does not know.
func boot() string { return "" }
