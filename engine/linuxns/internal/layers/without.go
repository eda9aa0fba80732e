//go:build linux && (amd64 || arm64) && !agbmutation

package layers

// Without reports whether a part of the isolation is left out: none ever is.
func Without(string) bool { return false }

func guestEnv(env []string) []string { return env }

func (*builder) leaveOpen() {}

func (*builder) keepCapabilities(int) {}
