//go:build linux && (amd64 || arm64)

package linuxns_test

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/drivertest"
)

// TestInheritedDescriptors: a descriptor that the owner hands to whatever it
// starts is not kept open by the launcher.
func TestInheritedDescriptors(t *testing.T) {
	r := usable(t)
	var p [2]int
	require.NoError(t, unix.Pipe2(p[:], unix.O_CLOEXEC))
	high, err := unix.FcntlInt(uintptr(p[1]), unix.F_DUPFD, 100) // not closed on exec
	require.NoError(t, err)
	require.NoError(t, unix.Close(p[1]))
	drivertest.Create(t, r, drivertest.Spec)
	require.NoError(t, unix.Close(high))
	pipe := os.NewFile(uintptr(p[0]), "pipe")
	defer func() { require.NoError(t, pipe.Close()) }()
	ended := make(chan error, 1)
	go func() {
		_, err := pipe.Read(make([]byte, 1))
		ended <- err
	}()
	select {
	case err := <-ended:
		require.Error(t, err)
	case <-time.After(goneWithin):
		require.Fail(t, "somebody has the other end of the pipe")
	}
}

// TestPrecedence: what an owner has over other programs its sandboxes have not;
// what it does without they do, too.
func TestPrecedence(t *testing.T) {
	for _, c := range []struct {
		name   string
		attr   unix.SchedAttr
		nice   string
		policy string
	}{
		{"first", unix.SchedAttr{Policy: unix.SCHED_NORMAL, Nice: -5}, "0", "0"},
		{"real time", unix.SchedAttr{Policy: unix.SCHED_RR, Priority: 1}, "0", "0"},
		{"batch first", unix.SchedAttr{Policy: unix.SCHED_BATCH, Nice: -5}, "0", "3"},
		{"last", unix.SchedAttr{Policy: unix.SCHED_NORMAL, Nice: 5}, "5", "0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			drivertest.SkipUnavailable(t, newRuntime(t))
			c.attr.Size = unix.SizeofSchedAttr
			created := make(chan *drivertest.Box, 1)
			denied := make(chan error, 1)
			r := newRuntime(t)
			t.Cleanup(func() { require.NoError(t, r.Close()) })
			go func() {
				runtime.LockOSThread() // for good: the thread ends with the goroutine
				if err := unix.SchedSetAttr(0, &c.attr, 0); err != nil {
					denied <- err
					return
				}
				created <- drivertest.Create(t, r, drivertest.Spec)
			}()
			select {
			case err := <-denied:
				t.Skipf("this program may not take precedence: %v", err)
			case b := <-created:
				text := b.Output(t, "cat /proc/1/stat")
				fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
				require.Equal(t, c.nice, fields[16])
				require.Equal(t, c.policy, fields[38])
			}
		})
	}
}

// guestScore is a command that prints the guest's oom_score_adj. While a command
// starts the guest's is the command's, 1000.
const guestScore = `for i in 1 2 3 4 5 6 7 8 9 10; do
	read score </proc/1/oom_score_adj
	[ "$score" = 1000 ] || break
	sleep 0.1
done
echo "$score"`

// TestVictims: when memory runs out, commands go before the guest, and both
// before the owner; the guest of an owner that is already the first to go may
// have to be that, too.
func TestVictims(t *testing.T) {
	score := func(text string) int {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		require.NoError(t, err)
		return n
	}
	read := func() int {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", os.Getpid()))
		require.NoError(t, err)
		return score(string(text))
	}
	before := read()
	b := drivertest.Create(t, usable(t), drivertest.Spec)
	guest, command := score(b.Output(t, guestScore)), score(b.Output(t, "cat /proc/self/oom_score_adj"))
	require.Contains(t, []int{500, max(before, 500)}, guest)
	require.Equal(t, 1000, command)
	require.Equal(t, before, read(), "the owner's own is left alone")
}
