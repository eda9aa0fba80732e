//go:build !linux

package leak

func (Snapshot) keys() {}
