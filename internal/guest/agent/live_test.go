//go:build linux

package agent

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/guest"
)

// seen is output that can be waited for.
type seen struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (s *seen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Write(p)
}

func (s *seen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.String()
}

func (s *seen) await(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(s.String(), text) }, 20*time.Second, 5*time.Millisecond, text)
}

// talk is a command under way.
type talk struct {
	*seen
	id    uint64
	stdin *io.PipeWriter
	exit  chan guest.Exit
}

// begin starts a command that can be told something.
func (s *sandbox) begin(t *testing.T, cmd guest.Command) *talk {
	t.Helper()
	r, w := io.Pipe()
	k := &talk{seen: &seen{}, stdin: w, exit: make(chan guest.Exit, 1)}
	id := make(chan uint64, 1)
	cmd.Started = func(n uint64, pid int) {
		if pid > 0 {
			id <- n
		}
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = r, k, k
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		exit, err := s.Run(t.Context(), cmd)
		if err == nil {
			k.exit <- exit
		}
		close(k.exit)
	}()
	t.Cleanup(func() {
		_ = w.Close()
		<-ended
	})
	k.id = <-id
	return k
}

func TestSignal(t *testing.T) {
	t.Parallel()
	s := start(t)
	k := s.begin(t, guest.Command{Args: []string{"sh", "-c", `trap "echo usr" USR1; echo up; while :; do sleep 0.05; done`}})
	k.await(t, "up")
	require.NoError(t, s.Signal(t.Context(), k.id, int(syscall.SIGUSR1)))
	k.await(t, "usr")
	requireKind(t, guest.Invalid, s.Resize(t.Context(), k.id, guest.Size{Rows: 1, Columns: 1}))
	requireKind(t, guest.Invalid, s.Signal(t.Context(), k.id, 0))
	requireKind(t, guest.Invalid, s.Signal(t.Context(), k.id, 65))
	require.NoError(t, s.Signal(t.Context(), k.id, int(syscall.SIGTERM)))
	require.Equal(t, int(syscall.SIGTERM), (<-k.exit).Signal)
	requireKind(t, guest.NotExist, s.Signal(t.Context(), k.id, int(syscall.SIGTERM)))
	requireKind(t, guest.NotExist, s.Signal(t.Context(), 4711, int(syscall.SIGTERM)))
	requireKind(t, guest.NotExist, s.Resize(t.Context(), 4711, guest.Size{}))
}

// needTerminals skips the test where there are none.
func needTerminals(t *testing.T) {
	t.Helper()
	tty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	require.NoError(t, tty.Close())
}

// The end of the input is read once, whatever came before it.
func TestEndOfTerminal(t *testing.T) {
	t.Parallel()
	needTerminals(t)
	s := start(t)
	for _, input := range []string{"", "x", "x\n", "x\r", "x\x04", "1\n2", "x\xff"} {
		t.Run(strconv.Quote(input), func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			exit, err := s.Run(t.Context(), guest.Command{
				Args: []string{"sh", "-c", "cat; echo over; cat; echo twice"}, TTY: &guest.Size{Rows: 1, Columns: 1},
				Stdin: strings.NewReader(input), Stdout: &out, Timeout: 2 * time.Second,
			})
			require.NoError(t, err)
			require.True(t, exit.TimedOut, "the second waits")
			require.Contains(t, out.String(), "over\r\n")
			require.NotContains(t, out.String(), "twice")
		})
	}
}

func TestTerminal(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("stty"); err != nil {
		t.Skip("there is no stty here")
	}
	needTerminals(t)
	s := start(t)
	before := len(descriptors(t, s.pid))
	k := s.begin(t, guest.Command{
		Args: []string{"sh", "-c", `trap "stty size" WINCH; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo a $TERM; stty size; cat; echo end; read x && echo got $x; while :; do sleep 0.05; done`},
		TTY:  &guest.Size{Rows: 11, Columns: 22},
	})
	k.await(t, "a xterm-256color\r\n11 22\r\n")
	_, err := k.stdin.Write([]byte("hello\n\x04")) // the terminal echoes, then cat
	require.NoError(t, err)
	k.await(t, "hello\r\nhello\r\nend")
	_, err = k.stdin.Write([]byte("line\n"))
	require.NoError(t, err)
	k.await(t, "got line")
	require.NoError(t, s.Resize(t.Context(), k.id, guest.Size{Rows: 33, Columns: 44}))
	k.await(t, "33 44")
	_, err = k.stdin.Write([]byte{3}) // Ctrl-C
	require.NoError(t, err)
	require.Equal(t, int(syscall.SIGINT), (<-k.exit).Signal)

	// Without input it reads the end at once.
	var out bytes.Buffer
	exit, err := s.Run(t.Context(), guest.Command{Args: []string{"sh", "-c", "cat; echo over"}, TTY: &guest.Size{Rows: 1, Columns: 1}, Stdout: &out})
	require.NoError(t, err)
	require.Zero(t, exit.Code)
	require.Contains(t, out.String(), "over\r\n")
	require.Eventually(t, func() bool { return len(descriptors(t, s.pid)) == before }, 5*time.Second, 5*time.Millisecond)
}
