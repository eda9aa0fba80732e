package store

import (
	"bytes"
	"fmt"
	"os"
)

// started returns when a process that has not ended started, in clock ticks
// since the machine did, see /proc/pid/stat in proc(5).
func started(pid int) (string, bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", false
	}
	// The second field, the name, may hold anything, but the last ")" ends it.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 || bytes.ContainsAny(fields[0], "ZXx") {
		return "", false
	}
	return string(fields[19]), true
}

// boot returns the id of the machine's present life, see random(4).
func boot() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(id))
}
