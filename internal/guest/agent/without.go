//go:build linux && !agbmutation

package agent

// without reports whether a part of the isolation is left out, by its name in
// package driver: none ever is.
func without(string) bool { return false }
