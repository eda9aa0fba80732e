package transport

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// Bounds of the wait before another attempt.
const (
	waitBase      = 50 * time.Millisecond
	waitThrottled = time.Second // base after a 429
	waitCap       = 20 * time.Second
	// waitSlack is how much longer than our own wait Retry-After may make us
	// wait.
	waitSlack = 5 * time.Second
	// retryAfterMax bounds what we report that a server asked for.
	retryAfterMax = 365 * 24 * time.Hour
)

// backoff returns how long to wait after the attempt of that number, counting
// from 1: anything up to base·2ⁿ⁻¹, or what the server asked for, clamped.
func backoff(attempt, status int, asked time.Duration) time.Duration {
	base := waitBase
	if status == http.StatusTooManyRequests {
		base = waitThrottled
	}
	ceiling := min(base<<min(attempt-1, 10), waitCap)
	wait := rand.N(ceiling + 1)
	return min(max(asked, wait), wait+waitSlack)
}

// retryAfter returns what a Retry-After header asks for: whole seconds or an
// HTTP date, strictly. It returns 0 when there is nothing to be understood.
func retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		return 0
	}
	if v[0] >= '0' && v[0] <= '9' {
		s, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			return 0
		}
		return time.Duration(min(s, uint64(retryAfterMax/time.Second))) * time.Second
	}
	t, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	return min(max(time.Until(t), 0), retryAfterMax)
}
