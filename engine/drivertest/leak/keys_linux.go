package leak

import (
	"encoding/binary"
	"strings"

	"golang.org/x/sys/unix"
)

// keys counts what is in this process's keyrings and its user's. Other keyrings
// are those of processes, and end with them.
func (s Snapshot) keys() {
	seen := map[int]bool{}
	for _, ring := range []int{unix.KEY_SPEC_SESSION_KEYRING, unix.KEY_SPEC_USER_KEYRING, unix.KEY_SPEC_USER_SESSION_KEYRING} {
		if id, err := unix.KeyctlGetKeyringID(ring, false); err == nil {
			s.key(id, seen)
		}
	}
}

// key counts one, and of a keyring all that are in it.
func (s Snapshot) key(id int, seen map[int]bool) {
	description, err := unix.KeyctlString(unix.KEYCTL_DESCRIBE, id) // type;uid;gid;permissions;name
	if err != nil || seen[id] {
		return
	}
	seen[id] = true
	kind, rest, _ := strings.Cut(description, ";")
	s["key "+kind+" "+rest[strings.LastIndexByte(rest, ';')+1:]]++
	if kind != "keyring" {
		return
	}
	const size = 4 // of a number in a keyring
	ids := make([]byte, 1024*size)
	n, err := unix.KeyctlBuffer(unix.KEYCTL_READ, id, ids, 0)
	if err != nil {
		return
	}
	for ids = ids[:min(n, len(ids))]; len(ids) >= size; ids = ids[size:] {
		s.key(int(int32(binary.NativeEndian.Uint32(ids))), seen)
	}
}
