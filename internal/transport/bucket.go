package transport

import "sync"

// The budget of retries that all calls of a client share, so that an outage
// does not multiply the load on a service that is trying to recover.
const (
	bucketSize    = 500
	costTransient = 14 // of a retry after a lost connection or a 5xx
	costThrottle  = 5  // of a retry after a 429
	rewardClean   = 1  // for a call that succeeded at once
)

// bucket holds the tokens that retries cost. It is safe for concurrent use.
type bucket struct {
	mu     sync.Mutex
	tokens int
}

func newBucket() *bucket { return &bucket{tokens: bucketSize} }

// take takes n tokens, or none and reports false.
func (b *bucket) take(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tokens < n {
		return false
	}
	b.tokens -= n
	return true
}

// give returns n tokens.
func (b *bucket) give(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(b.tokens+n, bucketSize)
}
