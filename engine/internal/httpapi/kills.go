package httpapi

import (
	"errors"
	"sync/atomic"

	"github.com/agb-go/sdk/apierr"
)

// kills notices when the kernel kills processes of a session because its
// memory is used up. It goes by the sandbox's account, which nothing inside
// can change.
//
// The account is of the whole session. So what it tells of a command is that
// a process was killed while the command ran, whoever had started it. Of
// commands at a time each is told of every kill. The zero value has no account
// and tells of none; its methods may be called concurrently.
type kills struct {
	count func() (int64, error) // see [driver.Sandbox.OOMKills]
	none  atomic.Bool           // there is no account
}

// unknown is a count that could not be had.
const unknown = -1

// now returns how many kills there have been, or unknown.
func (k *kills) now() int64 {
	if k.count == nil || k.none.Load() {
		return unknown
	}
	n, err := k.count()
	if err == nil {
		return n
	}
	if errors.Is(err, apierr.Unsupported.Err()) {
		k.none.Store(true)
	}
	return unknown
}

// since reports whether there were kills since before, which now returned. The
// kernel counts a process before it kills it, so when the end of a command is
// known then so is what was killed for it to end.
func (k *kills) since(before int64) bool { return before != unknown && k.now() > before }
