//go:build linux && (amd64 || arm64) && !agbmutation

package linuxns

func withoutEnv() []string { return nil }
