package engine

import (
	"os"
	"strconv"
	"strings"
	"sync"
)

// namespaceKinds are in the order of guest.Self.
var namespaceKinds = [7]string{"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"}

// ownNamespaces returns the inodes of this program's own namespaces, see
// namespaces(7), and zeros where there are none to be found.
var ownNamespaces = sync.OnceValue(findNamespaces)

func findNamespaces() [7]uint64 {
	var own [7]uint64
	for i, kind := range namespaceKinds {
		link, err := os.Readlink("/proc/self/ns/" + kind)
		if err != nil {
			return [7]uint64{}
		}
		text := strings.TrimSuffix(strings.TrimPrefix(link, kind+":["), "]")
		if own[i], err = strconv.ParseUint(text, 10, 64); err != nil {
			return [7]uint64{}
		}
	}
	return own
}

// sharedNamespaces returns the kinds of which a guest has none of its own, or
// none that it could name.
func sharedNamespaces(guest, own [7]uint64) []string {
	var shared []string
	for i, kind := range namespaceKinds {
		if guest[i] == 0 || guest[i] == own[i] {
			shared = append(shared, kind)
		}
	}
	return shared
}
