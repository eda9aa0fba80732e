//go:build linux && (amd64 || arm64)

package hostile

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/code"
	"github.com/agb-go/sdk/command"
	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/drivertest/leak"
	"github.com/agb-go/sdk/session"
)

// endsWithin is how long a session may go on whose guest does not: that it kills
// commands, and takes in what it is told, is waited for.
const endsWithin = slower * 10 * time.Second

// takeover is what an attacker does with a guest.
type takeover struct {
	id   string
	take attacker
	told apierr.Code // what the first command of a caller with a second's time is told
}

func takeovers() []takeover {
	noise := make([]byte, 64<<10)
	_, _ = rand.Read(noise) // never fails
	return []takeover{
		{"P02-silent", attacker{say: func(*net.UnixConn, []byte) error { return nil }}, apierr.DeadlineExceeded},
		{"P02-half", attacker{say: func(c *net.UnixConn, said []byte) error {
			_, err := c.Write(said[:min(len(said), 3)])
			return err
		}}, apierr.DeadlineExceeded},
		{"P02-end", attacker{say: func(*net.UnixConn, []byte) error { return os.ErrClosed }}, apierr.SessionNotFound},
		{"P03", attacker{say: func(c *net.UnixConn, _ []byte) error {
			_, err := c.Write(noise)
			return err
		}}, apierr.SessionNotFound},
		{"P04", attacker{say: replay()}, apierr.SessionNotFound},
		{"P09", attacker{deaf: true}, apierr.DeadlineExceeded},
	}
}

// TestGuest is of guests that user code has taken over. What they may say is
// tested where it is decoded; here it is how the whole engine takes it. These
// attacks on a conversation have no counterpart in a bare process.
func TestGuest(t *testing.T) {
	for _, c := range takeovers() {
		t.Run(c.id, func(t *testing.T) {
			t.Cleanup(func() { tally.count(t) })
			rt := newTampering(t)
			l := newLab(t, engine.Config{Runtime: rt})
			neighbour, s := l.create(t), l.create(t)
			sh(t, s, "true")
			c.take.session = s.ID
			rt.attacker.Store(&c.take)
			slowest := meanwhile(t, neighbour, func() { useCompromised(t, s, c.told) })
			require.LessOrEqual(t, slowest, neighbourly)
			requireEnded(t, s)
			remove(t, s)
			remove(t, neighbour)
			rt.attacker.Store(nil)
		})
	}
	t.Run("P08", func(t *testing.T) {
		t.Cleanup(func() { tally.count(t) })
		giveDescriptors(t)
	})
}

// replay says everything twice, now and when something else is said.
func replay() func(*net.UnixConn, []byte) error {
	var last []byte
	return func(c *net.UnixConn, said []byte) error {
		_, err := c.Write(slices.Concat(last, said, said))
		last = slices.Clone(said)
		return err
	}
}

// useCompromised makes calls of a session that cannot answer properly. None may
// take longer than its time, nor succeed with something else than it asked for.
// The first is told why.
func useCompromised(t *testing.T, s *agb.Session, told apierr.Code) {
	t.Helper()
	const timeout = 1 * time.Second
	codes := []apierr.Code{told}
	within := func(what string, f func(context.Context) error) {
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		start := time.Now()
		err := f(ctx)
		require.Contains(t, codes, apierr.CodeOf(err), "%s: %v", what, err)
		codes = []apierr.Code{told, apierr.SessionNotFound} // it may have ended meanwhile
		require.LessOrEqual(t, time.Since(start), timeout+answerGrace, what)
	}
	large := bytes.Repeat([]byte("x"), 4<<20)
	within("command", func(ctx context.Context) error {
		for ctx.Err() == nil {
			nonce := rand.Text()
			res, err := s.Command.Run(ctx, "echo "+nonce, &command.RunOptions{Timeout: timeout})
			if err != nil {
				return err
			}
			// A guest may lie about its own call, and about no other.
			require.Empty(t, strings.Trim(strings.ReplaceAll(res.Stdout, nonce, ""), "\n"))
		}
		return ctx.Err()
	})
	within("read", func(ctx context.Context) error {
		_, err := s.FileSystem.ReadFile(ctx, "/etc/passwd", nil)
		return err
	})
	within("write", func(ctx context.Context) error {
		_, err := s.FileSystem.WriteFile(ctx, "large", large, nil)
		return err
	})
	within("code", func(ctx context.Context) error {
		_, err := s.Code.Run(ctx, code.Bash, "echo x", &code.RunOptions{Timeout: timeout})
		return err
	})
}

// requireEnded requires that a session that cannot answer properly has ended, or
// soon does.
func requireEnded(t *testing.T, s *agb.Session) {
	t.Helper()
	require.Eventually(t, func() bool {
		status, err := s.Status(t.Context())
		require.NoError(t, err)
		return status.State == session.Gone
	}, endsWithin, askPause)
}

// giveDescriptors requires that descriptors that come with what a guest says
// are not kept.
func giveDescriptors(t *testing.T) {
	t.Helper()
	const most = 253 // SCM_MAX_FD
	var p [2]int
	require.NoError(t, unix.Pipe2(p[:], unix.O_CLOEXEC))
	gift := bytes.Repeat([]byte{0}, 0)
	fds := make([]int, most)
	for i := range fds {
		fds[i] = p[1]
	}
	gift = append(gift, unix.UnixRights(fds...)...)
	rt := newTampering(t)
	l := newLab(t, engine.Config{Runtime: rt})
	s := l.create(t)
	sh(t, s, "true")
	before := leak.Take(leak.Options{Scope: leak.Self})
	rt.attacker.Store(&attacker{session: s.ID, say: func(c *net.UnixConn, said []byte) error {
		_, _, err := c.WriteMsgUnix(said, gift, nil)
		return err
	}})
	for range 20 {
		require.Equal(t, "fine", sh(t, s, "echo fine"))
	}
	leak.Check(t, before, leak.Options{Scope: leak.Self})
	rt.attacker.Store(nil)
	remove(t, s)
	// Who had kept a copy would keep the pipe from ending.
	require.NoError(t, unix.Close(p[1]))
	n, err := unix.Read(p[0], make([]byte, 1))
	require.NoError(t, err)
	require.Zero(t, n)
	require.NoError(t, unix.Close(p[0]))
}

// TestForgery is of output that pretends to be the engine's own.
func TestForgery(t *testing.T) {
	l := newLab(t, engine.Config{})
	t.Run("P07", func(t *testing.T) {
		t.Cleanup(func() { tally.count(t) })
		s := l.create(t)
		forged := `{"exit_code":0,"stdout":"forged","stderr":""}` + "\x00\x00\x00\x08\x00\x00\x00\x01\x02forged\n__AGB_END__0\n"
		_, err := s.FileSystem.WriteFile(t.Context(), "forged", []byte(forged), nil)
		require.NoError(t, err)
		res, err := s.Command.Run(t.Context(), `cat forged; cat forged >&2; for fd in 3 4 5 6 7 8 9; do eval "cat forged >&$fd"; done 2>/dev/null; exit 7`, nil)
		require.NoError(t, err)
		require.Equal(t, 7, res.ExitCode)
		require.Equal(t, forged, res.Stdout)
		require.True(t, strings.HasPrefix(res.Stderr, forged))
		out, err := s.Code.Run(t.Context(), code.Bash, `cat forged; for fd in 3 4 5; do eval "cat forged >&$fd"; done 2>/dev/null; exit 7`, nil)
		require.NoError(t, err)
		require.Equal(t, forged, out.Stdout)
		require.NotNil(t, out.Error)
		remove(t, s)
	})
}

// TestLies is of a guest that says of every command that it went well and took
// nothing: that much it may say of its own, but accounts are the kernel's.
func TestLies(t *testing.T) {
	rt := newTampering(t)
	l := newLab(t, engine.Config{Runtime: rt, Limits: tight})
	t.Run("P12", func(t *testing.T) {
		t.Cleanup(func() { tally.count(t) })
		skipWithout(t, l, []string{driver.MemoryLimit})
		s := l.create(t)
		sh(t, s, "true")
		rt.attacker.Store(&attacker{session: s.ID, say: lie()})
		for _, script := range []string{
			"i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; head -c 10M /dev/zero >f; exit 7",
			`exec perl -e '$x = "x" x 200e6'`, // more memory than there is
		} {
			res, err := s.Command.Run(t.Context(), script, &command.RunOptions{Timeout: scriptTimeout})
			require.NoError(t, err)
			require.Zero(t, res.ExitCode+int(res.CPUTime)+int(res.MaxRSS), "it has lied")
			require.Equal(t, strings.Contains(script, "perl"), res.OOMKilled)
		}
		usage, err := s.Usage(t.Context())
		require.NoError(t, err)
		require.GreaterOrEqual(t, usage.PeakMemoryBytes, tight.MemoryBytes)
		require.GreaterOrEqual(t, usage.CPU, 50*time.Millisecond)
		require.Positive(t, usage.OOMKills)
		rt.attacker.Store(nil)
		remove(t, s)
	})
}

// lie replaces the result of every command by one of the same form that is all
// zeros. See packages guest and mux on the form of what is said.
func lie() func(*net.UnixConn, []byte) error {
	const frameHead, frameData, recordHead, recordResult = 9, 2, 5, 8
	numbers := make([]byte, 9) // of a result
	var said []byte
	return func(c *net.UnixConn, more []byte) error {
		said = append(said, more...)
		var out []byte
		for len(said) >= frameHead {
			size := frameHead + int(binary.BigEndian.Uint32(said))
			if len(said) < size {
				break
			}
			frame := said[:size]
			if said = said[size:]; len(frame) > frameHead+recordHead && frame[8] == frameData && frame[frameHead] == recordResult {
				frame = slices.Concat(frame[:frameHead+recordHead], numbers)
				binary.BigEndian.PutUint32(frame, uint32(len(frame)-frameHead))
				binary.BigEndian.PutUint32(frame[frameHead+1:], uint32(len(numbers)))
			}
			out = append(out, frame...)
		}
		_, err := c.Write(out)
		return err
	}
}
