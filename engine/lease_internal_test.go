package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// expiry starts a lease and returns it with what tells when and why it ended.
func expiry(idle, life time.Duration) (*lease, <-chan string) {
	ended := make(chan string, 1)
	return startLease(idle, life, func(why string) { ended <- why }), ended
}

// alive checks that the lease goes on for d.
func alive(t *testing.T, ended <-chan string, d time.Duration) {
	t.Helper()
	time.Sleep(d)
	synctest.Wait()
	require.Empty(t, ended)
}

func TestLeaseEndsWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ended := expiry(time.Minute, time.Hour)
		alive(t, ended, 59*time.Second)
		require.True(t, l.touch())
		alive(t, ended, 59*time.Second)
		require.True(t, l.begin())
		alive(t, ended, 5*time.Minute) // busy
		require.True(t, l.begin())
		l.end()
		alive(t, ended, 5*time.Minute) // still busy
		l.end()
		alive(t, ended, time.Minute-time.Nanosecond)
		start := time.Now()
		require.Equal(t, endedIdle, <-ended)
		require.Equal(t, time.Nanosecond, time.Since(start))
		require.False(t, l.touch())
		require.False(t, l.begin())
	})
}

func TestLeaseTellsItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		at := func(l *lease) (time.Duration, time.Duration) {
			idle, end := l.idleUntil()
			return idle, end.Sub(start)
		}
		l, _ := expiry(time.Minute, 3*time.Minute)
		defer l.stop()
		idle, end := at(l)
		require.Equal(t, []time.Duration{time.Minute, time.Minute}, []time.Duration{idle, end})
		time.Sleep(30 * time.Second)
		_, end = at(l)
		require.Equal(t, time.Minute, end, "asking is no activity")
		require.True(t, l.touch())
		_, end = at(l)
		require.Equal(t, 90*time.Second, end)
		require.True(t, l.begin())
		time.Sleep(time.Minute)
		_, end = at(l)
		require.Equal(t, 150*time.Second, end, "a busy session is not idle")
		time.Sleep(time.Minute)
		_, end = at(l)
		require.Equal(t, 3*time.Minute, end, "never beyond its life")
		require.Equal(t, start.Add(3*time.Minute), l.ending)

		endless, _ := expiry(NoTimeout, time.Hour)
		defer endless.stop()
		idle, until := endless.idleUntil()
		require.Zero(t, idle)
		require.Zero(t, until)
	})
}

func TestLeaseEndsWithItsLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ended := expiry(time.Minute, 10*time.Minute)
		require.True(t, l.begin())
		alive(t, ended, 10*time.Minute-time.Nanosecond)
		time.Sleep(time.Nanosecond)
		require.Equal(t, endedLife, <-ended)
		l.end() // the call that was under way
		require.False(t, l.begin())
	})
}

func TestLeaseWithoutLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ended := expiry(NoTimeout, NoTimeout)
		alive(t, ended, 365*24*time.Hour)
		require.True(t, l.begin())
		l.end()
		require.True(t, l.touch())

		_, ended = expiry(NoTimeout, time.Hour)
		alive(t, ended, time.Hour-time.Nanosecond)
		require.Equal(t, endedLife, <-ended)

		_, ended = expiry(time.Hour, NoTimeout)
		alive(t, ended, time.Hour-time.Nanosecond)
		require.Equal(t, endedIdle, <-ended)
	})
}

func TestLeaseStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ended := expiry(time.Minute, time.Hour)
		require.True(t, l.begin())
		l.stop()
		l.stop()
		l.end()
		require.False(t, l.touch())
		alive(t, ended, 2*time.Hour)
	})
}

// TestLeaseIsExtendedOrOver races activity against the end of the lease.
func TestLeaseIsExtendedOrOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 1000 {
			l, ended := expiry(time.Second, NoTimeout)
			time.Sleep(time.Second)
			extended := l.touch()
			synctest.Wait()
			require.Equal(t, extended, len(ended) == 0)
			l.stop()
		}
	})
}
