package agent

import (
	"runtime"
	"sync"
)

// While a command starts, the agent is held to the limit of processes that
// commands have, see limits. When they have used that up, the runtime cannot
// make a thread that it wants at that moment, and ends. So it has some that are
// idle: one for each command under way, since each may have a thread in a call
// of the kernel, and two more, but no more than threadsMost, because they count
// against the same limit. Once commands have used it up there are threadsEnough:
// other calls may have a thread in the kernel each, and what the agent's own
// limit has in reserve is more than that.
const (
	threadsMost   = 6
	threadsEnough = 12
)

// threads is how many the Go runtime has in reserve.
type threads int

// reserve has the runtime make threads for so many commands at a time, which it
// keeps when they have nothing to do. The agent's own limit must be in force.
func (t *threads) reserve(commands int) {
	t.atLeast(min(commands+2, threadsMost))
}

// exhausted is reserve for an agent whose commands have no processes left.
func (t *threads) exhausted() { t.atLeast(threadsEnough) }

func (t *threads) atLeast(n int) {
	if int(*t) < n {
		makeThreads(n)
		*t = threads(n)
	}
}

// makeThreads returns when there are n threads at once with nothing to do.
func makeThreads(n int) {
	var locked, done sync.WaitGroup
	release := make(chan struct{})
	for range n {
		locked.Add(1)
		done.Go(func() {
			runtime.LockOSThread() // from here on others need another thread
			locked.Done()
			<-release
			runtime.UnlockOSThread()
		})
	}
	locked.Wait()
	close(release)
	done.Wait()
}
