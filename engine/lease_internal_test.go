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
		require.NoError(t, l.begin())
		alive(t, ended, 5*time.Minute) // busy
		require.NoError(t, l.begin())
		l.end()
		alive(t, ended, 5*time.Minute) // still busy
		l.end()
		alive(t, ended, time.Minute-time.Nanosecond)
		start := time.Now()
		require.Equal(t, endedIdle, <-ended)
		require.Equal(t, time.Nanosecond, time.Since(start))
		require.False(t, l.touch())
		require.ErrorIs(t, l.begin(), errLeaseOver)
	})
}

func TestLeaseTellsItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		at := func(l *lease) (time.Duration, time.Duration) {
			_, idle, end := l.deadlines()
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
		require.NoError(t, l.begin())
		time.Sleep(time.Minute)
		_, end = at(l)
		require.Equal(t, 150*time.Second, end, "a busy session is not idle")
		time.Sleep(time.Minute)
		_, end = at(l)
		require.Equal(t, 3*time.Minute, end, "never beyond its life")
		life, _, _ := l.deadlines()
		require.Equal(t, start.Add(3*time.Minute), life)

		endless, _ := expiry(NoTimeout, time.Hour)
		defer endless.stop()
		_, idle, until := endless.deadlines()
		require.Zero(t, idle)
		require.Zero(t, until)
	})
}

func TestLeaseEndsWithItsLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ended := expiry(time.Minute, 10*time.Minute)
		require.NoError(t, l.begin())
		alive(t, ended, 10*time.Minute-time.Nanosecond)
		time.Sleep(time.Nanosecond)
		require.Equal(t, endedLife, <-ended)
		l.end() // the call that was under way
		require.ErrorIs(t, l.begin(), errLeaseOver)
	})
}

func TestLeaseWithoutLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ended := expiry(NoTimeout, NoTimeout)
		alive(t, ended, 365*24*time.Hour)
		require.NoError(t, l.begin())
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
		require.NoError(t, l.begin())
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

func TestLeaseIsExtended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ended := expiry(NoTimeout, time.Minute)
		alive(t, ended, 59*time.Second)
		require.True(t, l.extend(time.Hour)) // from now
		alive(t, ended, time.Hour-time.Nanosecond)
		require.True(t, l.extend(time.Second), "sooner than before is an extension too")
		alive(t, ended, time.Second-time.Nanosecond)
		require.True(t, l.extend(NoTimeout))
		life, _, _ := l.deadlines()
		require.Zero(t, life)
		alive(t, ended, 1000*time.Hour)
		require.True(t, l.extend(time.Second))
		start := time.Now()
		require.Equal(t, endedLife, <-ended)
		require.Equal(t, time.Second, time.Since(start))
		require.False(t, l.extend(time.Hour))
	})
}

// TestExtensionIsNoActivity: a session that is extended is released when idle.
func TestExtensionIsNoActivity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ended := expiry(time.Minute, time.Hour)
		alive(t, ended, 59*time.Second)
		require.True(t, l.extend(10*time.Hour))
		time.Sleep(time.Second)
		require.Equal(t, endedIdle, <-ended)
	})
}

// TestLeaseIsExtendedOrEnds races extensions against the end of the life: who
// was told that it was extended has the time.
func TestLeaseIsExtendedOrEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		won := 0
		for range 1000 {
			l, ended := expiry(NoTimeout, time.Second)
			time.Sleep(time.Second)
			extended := l.extend(time.Minute)
			time.Sleep(time.Minute - time.Nanosecond)
			synctest.Wait()
			require.Equal(t, extended, len(ended) == 0)
			if extended {
				won++
			}
			l.stop()
		}
		t.Logf("%d of 1000 extensions won", won)
	})
}

func TestPausedLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ended := expiry(time.Minute, 10*time.Hour)
		alive(t, ended, 40*time.Second)
		require.NoError(t, l.begin())
		require.ErrorIs(t, l.pause(), errLeaseBusy)
		l.end()
		alive(t, ended, 40*time.Second)
		require.NoError(t, l.pause())
		require.NoError(t, l.pause())
		require.ErrorIs(t, l.begin(), errLeasePaused)
		life, idle, idleEnd := l.deadlines()
		require.NotZero(t, life)
		require.Equal(t, time.Minute, idle)
		require.Zero(t, idleEnd, "the idle clock stands still")
		alive(t, ended, 5*time.Hour)
		l.resume()
		l.resume()
		alive(t, ended, 20*time.Second-time.Nanosecond)
		start := time.Now()
		require.Equal(t, endedIdle, <-ended, "40 s before the pause and 20 s after it")
		require.Equal(t, time.Nanosecond, time.Since(start))
		require.ErrorIs(t, l.pause(), errLeaseOver)
		l.resume()
		require.ErrorIs(t, l.begin(), errLeaseOver)
	})
}

func TestPausedLeaseIsTouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ended := expiry(time.Minute, NoTimeout)
		alive(t, ended, 50*time.Second)
		require.NoError(t, l.pause())
		alive(t, ended, time.Hour)
		require.True(t, l.touch())
		alive(t, ended, time.Hour)
		l.resume()
		alive(t, ended, time.Minute-time.Nanosecond)
		require.Equal(t, endedIdle, <-ended)
	})
}

func TestPausedLeaseEndsWithItsLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ended := expiry(time.Minute, time.Hour)
		require.NoError(t, l.pause())
		alive(t, ended, time.Hour-time.Nanosecond)
		require.Equal(t, endedLife, <-ended)
	})
}
