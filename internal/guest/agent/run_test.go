//go:build linux

package agent

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/guest"
)

// result is what a command did.
type result struct {
	guest.Exit
	out, err string
}

func (s *sandbox) sh(tb testing.TB, script string) result {
	tb.Helper()
	return s.run(tb, guest.Command{Args: []string{"sh", "-c", script}})
}

func (s *sandbox) run(tb testing.TB, cmd guest.Command) result {
	tb.Helper()
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	exit, err := s.Run(tb.Context(), cmd)
	require.NoError(tb, err)
	return result{exit, out.String(), errOut.String()}
}

// requireKind asserts that err is a failure of kind inside the sandbox.
func requireKind(tb testing.TB, kind guest.Kind, err error) {
	tb.Helper()
	var e *guest.Error
	require.ErrorAs(tb, err, &e)
	require.Equal(tb, kind, e.Kind, e.Message)
	require.NotEmpty(tb, e.Message)
}

func TestRunReportsHowItEnded(t *testing.T) {
	t.Parallel()
	s := start(t)
	r := s.sh(t, "echo out; echo err >&2; exit 3")
	require.Equal(t, "out\n", r.out)
	require.Equal(t, "err\n", r.err)
	require.Equal(t, 3, r.Code)
	require.Zero(t, r.Signal)
	require.False(t, r.TimedOut)
	require.Positive(t, r.Duration)
	require.Positive(t, r.MaxRSS)
	require.Positive(t, r.CPU)

	r = s.sh(t, "kill -9 $$")
	require.Equal(t, 137, r.Code)
	require.Equal(t, 9, r.Signal)
}

func TestRunEnvironment(t *testing.T) {
	t.Parallel()
	s := start(t)
	r := s.run(t, guest.Command{Args: []string{"env"}})
	require.NotContains(t, r.out, "SECRET")
	require.Contains(t, r.out, "PATH="+searchPath+"\n")
	require.Contains(t, r.out, "HOME="+s.home+"\n")
	require.Contains(t, r.out, "PWD="+s.home+"\n")

	r = s.run(t, guest.Command{Args: []string{"env"}, Dir: "/tmp", Env: []string{"A=1", "LANG=x", "A=2", "E="}})
	require.Contains(t, r.out, "\nA=2\n")
	require.NotContains(t, r.out, "A=1")
	require.Contains(t, r.out, "LANG=x\n")
	require.NotContains(t, r.out, "UTF-8")
	require.Contains(t, r.out, "\nE=\n")
	require.Contains(t, r.out, "PWD=/tmp\n")
}

// What user code sets must not reach the next command, nor the agent.
func TestRunIgnoresHostileEnvironment(t *testing.T) {
	t.Parallel()
	s := start(t)
	r := s.run(t, guest.Command{Args: []string{"true"}, Env: []string{"PATH=/nowhere", "LD_PRELOAD=/nowhere.so"}})
	require.Zero(t, r.Code)
	require.NotContains(t, s.run(t, guest.Command{Args: []string{"env"}}).out, "LD_PRELOAD")
}

func TestRunDescriptors(t *testing.T) {
	t.Parallel()
	s := start(t)
	list := guest.Command{Args: []string{"sh", "-c", "exec ls -1 /proc/self/fd"}}
	// ls has the directory itself open.
	require.Equal(t, "0\n1\n2\n3\n", s.run(t, list).out)
	list.Control = io.Discard
	require.Equal(t, "0\n1\n2\n3\n4\n", s.run(t, list).out)
}

func TestRunStdin(t *testing.T) {
	t.Parallel()
	s := start(t)
	r := s.run(t, guest.Command{Args: []string{"cat"}})
	require.Empty(t, r.out)

	big := make([]byte, 3<<20)
	_, err := rand.Read(big)
	require.NoError(t, err)
	r = s.run(t, guest.Command{Args: []string{"cat"}, Stdin: bytes.NewReader(big)})
	require.True(t, bytes.Equal(big, []byte(r.out)))

	// A command that does not read all of it, or nothing.
	r = s.run(t, guest.Command{Args: []string{"head", "-c", "5"}, Stdin: bytes.NewReader(big)})
	require.Equal(t, string(big[:5]), r.out)
	r = s.run(t, guest.Command{Args: []string{"true"}, Stdin: bytes.NewReader(big)})
	require.Zero(t, r.Code)
}

// A reader that never ends and a command that never reads hold up nobody.
func TestRunStdinStuck(t *testing.T) {
	t.Parallel()
	s := start(t)
	pr, pw := io.Pipe()
	defer func() { require.NoError(t, pw.Close()) }()
	r := s.run(t, guest.Command{Args: []string{"echo", "done"}, Stdin: pr})
	require.Equal(t, "done\n", r.out)

	done := make(chan result, 1)
	go func() {
		var out bytes.Buffer
		exit, err := s.Run(t.Context(), guest.Command{
			Args: []string{"sleep", "60"}, Stdin: endless{}, Stdout: &out, Timeout: 500 * time.Millisecond,
		})
		if err == nil {
			done <- result{exit, out.String(), ""}
		}
		close(done)
	}()
	for range 20 {
		require.Equal(t, "hi\n", s.sh(t, "echo hi").out)
	}
	stuck, ok := <-done
	require.True(t, ok)
	require.True(t, stuck.TimedOut)
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestRunStdinFails(t *testing.T) {
	t.Parallel()
	s := start(t)
	broken := errors.New("broken")
	pr, pw := io.Pipe()
	go func() { _, _ = pw.Write([]byte("x")) }() // until cat has echoed it
	exit, err := s.Run(t.Context(), guest.Command{
		Args:  []string{"cat"},
		Stdin: pr,
		Stdout: writerFunc(func(p []byte) (int, error) {
			return len(p), pw.CloseWithError(broken)
		}),
	})
	require.ErrorIs(t, err, broken)
	require.Equal(t, 9, exit.Signal)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestRunStdoutFails(t *testing.T) {
	t.Parallel()
	s := start(t)
	broken := errors.New("broken")
	exit, err := s.Run(t.Context(), guest.Command{Args: []string{"yes"}, Stdout: failing{broken}})
	require.ErrorIs(t, err, broken)
	require.NotZero(t, exit.Signal)
}

func TestRunControl(t *testing.T) {
	t.Parallel()
	s := start(t)
	program := bytes.Repeat([]byte("0123456789abcdef"), 64<<10) // 1 MiB
	var told bytes.Buffer
	r := s.run(t, guest.Command{
		Args: []string{"sh", "-c", "cat <&3 >&3; cat; echo out"}, Stdin: bytes.NewReader(program), Control: &told,
	})
	require.Equal(t, "out\n", r.out)
	require.True(t, bytes.Equal(program, told.Bytes()))

	// It is at its end when there is nothing to read, and what nobody reads is no harm.
	r = s.run(t, guest.Command{Args: []string{"sh", "-c", "cat <&3"}, Control: io.Discard})
	require.Zero(t, r.Code)
	r = s.run(t, guest.Command{Args: []string{"true"}, Stdin: bytes.NewReader(program), Control: io.Discard})
	require.Zero(t, r.Code)
}

// What is written to the socket comes after the output that was written before,
// by whatever program.
func TestRunControlIsInOrder(t *testing.T) {
	t.Parallel()
	s := start(t)
	var all bytes.Buffer
	exit, err := s.Run(t.Context(), guest.Command{
		Args:   []string{"sh", "-c", `i=0; while [ $i -lt 300 ]; do echo o$i; sh -c "echo e$i >&2"; echo c$i >&3; i=$((i+1)); done`},
		Stdout: &all, Stderr: &all, Control: &all,
	})
	require.NoError(t, err)
	require.Zero(t, exit.Code)
	lines := strings.Fields(all.String())
	require.Len(t, lines, 900)
	at := map[string]int{}
	for i, line := range lines {
		at[line] = i
	}
	for i := range 300 {
		n := strconv.Itoa(i)
		require.Greater(t, at["c"+n], max(at["o"+n], at["e"+n]))
	}

	// Who floods its output holds what it says up for no longer than a pipe lasts.
	var flood, told int64
	_, err = s.Run(t.Context(), guest.Command{
		Args: []string{"sh", "-c", "yes & echo said >&3; sleep 0.3; kill %1 2>/dev/null || kill $!"}, OutputLimit: 1 << 40,
		Stdout:  writerFunc(func(p []byte) (int, error) { flood += int64(len(p)); return len(p), nil }),
		Control: writerFunc(func(p []byte) (int, error) { told = flood; return len(p), nil }),
	})
	require.NoError(t, err)
	require.Less(t, told, int64(16<<20))
	require.Greater(t, flood, told)
}

func TestRunOutputLimit(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, limit := range []int64{0, 1, 70_000} {
		want := limit
		if want == 0 {
			want = guest.OutputLimit
		}
		for _, extra := range []int64{0, 1, 1 << 20} {
			n := strconv.FormatInt(want+extra, 10)
			r := s.run(t, guest.Command{
				Args:        []string{"sh", "-c", "head -c " + n + " /dev/zero; head -c " + n + " /dev/zero >&2; exit 7"},
				OutputLimit: limit,
			})
			require.Len(t, r.out, int(want))
			require.Len(t, r.err, int(want))
			require.Equal(t, extra, r.StdoutDropped)
			require.Equal(t, extra, r.StderrDropped)
			require.Equal(t, 7, r.Code)
		}
	}
}

func TestRunFloodsBothStreams(t *testing.T) {
	t.Parallel()
	s := start(t)
	exit, err := s.Run(t.Context(), guest.Command{
		Args: []string{"sh", "-c", "yes & yes >&2 & wait"}, OutputLimit: 1 << 10, Timeout: 300 * time.Millisecond,
	})
	require.NoError(t, err)
	require.True(t, exit.TimedOut)
	require.Positive(t, exit.StdoutDropped)
}

func TestRunFailsToStart(t *testing.T) {
	t.Parallel()
	s := start(t)
	file := filepath.Join(s.home, "plain")
	script := filepath.Join(s.home, "script")
	require.NoError(t, os.WriteFile(file, []byte("text"), 0o644))
	require.NoError(t, os.WriteFile(script, []byte("#!/no/such/interpreter\n"), 0o600))
	require.NoError(t, os.Chmod(script, 0o755))
	odd := filepath.Join(s.home, "odd")
	require.NoError(t, os.WriteFile(odd, []byte("neither script nor program"), 0o600))
	require.NoError(t, os.Chmod(odd, 0o755))
	for _, test := range []struct {
		program string
		kind    guest.Kind
		is      error
	}{
		{"no-such-command", guest.CommandNotFound, fs.ErrNotExist},
		{"/no/such/command", guest.CommandNotFound, syscall.ENOENT},
		{"./no-such-command", guest.CommandNotFound, fs.ErrNotExist},
		{file, guest.NotExecutable, fs.ErrPermission},
		{s.home, guest.NotExecutable, fs.ErrPermission},
		{script, guest.CommandNotFound, fs.ErrNotExist},
		{odd, guest.NotExecutable, syscall.ENOEXEC},
		{"/proc/self/exe", guest.NotExecutable, syscall.ELOOP},
		{"", guest.Invalid, fs.ErrInvalid},
		{"a\x00b", guest.Invalid, fs.ErrInvalid},
		{strings.Repeat("x/", guest.PathLimit), guest.NameTooLong, syscall.ENAMETOOLONG},
	} {
		_, err := s.Run(t.Context(), guest.Command{Args: []string{test.program}})
		requireKind(t, test.kind, err)
		if test.is != fs.ErrInvalid { //nolint:errorlint // a row of the table
			require.ErrorIs(t, err, test.is)
		}
	}
}

func TestRunRelativeProgram(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.sh(t, "mkdir sub; printf '#!/bin/sh\\necho $PWD\\n' > sub/x; chmod +x sub/x")
	r := s.run(t, guest.Command{Args: []string{"./x"}, Dir: "sub"})
	require.Equal(t, s.home+"/sub\n", r.out)
}

func TestRunArguments(t *testing.T) {
	t.Parallel()
	s := start(t)
	r := s.run(t, guest.Command{Args: []string{"printf", "%s|", "", "a b", "\xff\n", "€"}})
	require.Equal(t, "|a b|\xff\n|€|", r.out)

	// Linux takes 128 KiB in one argument and some MiB in all.
	_, err := s.Run(t.Context(), guest.Command{Args: []string{"true", strings.Repeat("x", 200<<10)}})
	requireKind(t, guest.ArgsTooLong, err)
	_, err = s.Run(t.Context(), guest.Command{Args: append([]string{"true"}, strings.Fields(strings.Repeat("xxxxxxxxxxxxxxx ", 200_000))...)})
	require.Error(t, err)
	many := make([]string, 100_000)
	_, err = s.Run(t.Context(), guest.Command{Args: append([]string{"true"}, many...)})
	requireKind(t, guest.ArgsTooLong, err)
	_, err = s.Run(t.Context(), guest.Command{Args: []string{"true"}, Env: []string{"novalue"}})
	requireKind(t, guest.Invalid, err)
	require.Equal(t, "still here\n", s.sh(t, "echo still here").out)
}

func TestRunWorkingDirectory(t *testing.T) {
	t.Parallel()
	s := start(t)
	require.Equal(t, "/usr\n", s.run(t, guest.Command{Args: []string{"pwd"}, Dir: "/usr"}).out)
	s.sh(t, "mkdir -p a/b; ln -s a/b link; touch file")
	require.Equal(t, s.home+"/a/b\n", s.run(t, guest.Command{Args: []string{"pwd", "-P"}, Dir: "link"}).out)

	// A directory that is deleted while somebody stands in it.
	require.Zero(t, s.sh(t, "mkdir gone; cd gone; rmdir ../gone; sleep 61.0625 >/dev/null 2>&1 &").Code)
	pid := only(t, "sleep\x0061.0625")
	for _, dir := range []string{
		"/no/such/dir", "file", "/proc/self/cwd", "/proc/self/root", "/proc/self/fd/3", "/proc/self/fd/0",
		"/proc/" + strconv.Itoa(pid) + "/cwd", "/proc/" + strconv.Itoa(s.pid) + "/root/usr",
	} {
		_, err := s.Run(t.Context(), guest.Command{Args: []string{"pwd"}, Dir: dir})
		requireKind(t, guest.BadDir, err)
	}
}

func TestLookPath(t *testing.T) {
	t.Parallel()
	s := start(t)
	p, err := s.LookPath(t.Context(), "no-such-command", "sh")
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(p, "/sh"))
	p, err = s.LookPath(t.Context(), "/bin/sh")
	require.NoError(t, err)
	require.Equal(t, "/bin/sh", p)
	_, err = s.LookPath(t.Context(), "no-such-command", "../bin/sh")
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = s.LookPath(t.Context())
	require.ErrorIs(t, err, fs.ErrNotExist)
}
