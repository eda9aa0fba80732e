package agent

import (
	"context"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

// live are the commands that run and can be told something, by number.
type live struct {
	mu   sync.Mutex
	last uint64
	all  map[uint64]*living
}

// living is a command that runs.
type living struct {
	proc *process
	tty  *os.File // nil without
}

// add makes a command known until remove.
func (l *live) add(c *living) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[uint64]*living{}
	}
	l.last++
	l.all[l.last] = c
	return l.last
}

func (l *live) remove(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.all, id)
}

func (l *live) find(id uint64) (*living, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.all[id]; c != nil {
		return c, nil
	}
	return nil, fail(guest.NotExist, unix.ESRCH, "the process is over")
}

// Signal implements guest.Handler.
func (a *agent) Signal(_ context.Context, id uint64, signal int) error {
	c, err := a.live.find(id)
	if err != nil {
		return err
	}
	return a.children.signal(c.proc, syscall.Signal(signal))
}

// Resize implements guest.Handler.
func (a *agent) Resize(_ context.Context, id uint64, size guest.Size) error {
	c, err := a.live.find(id)
	if err != nil {
		return err
	}
	if c.tty == nil {
		return fail(guest.Invalid, unix.ENOTTY, "the process has no terminal")
	}
	return setSize(c.tty, size)
}
