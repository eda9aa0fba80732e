package code_test

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/code"
)

// writer is a function as a writer.
type writer func(p []byte) (int, error)

func (f writer) Write(p []byte) (int, error) { return f(p) }

// requireResultsAsTheyCome has code wait for what is done with its first result.
func requireResultsAsTheyCome(t *testing.T, s *agb.Session) {
	t.Helper()
	var got []string
	_, err := s.Code.Run(t.Context(), code.Python, `
import os, time
display(1)
while not os.path.exists("/tmp/told"): time.sleep(0.01)
os.remove("/tmp/told")
2
`, &code.RunOptions{OnResult: func(i code.Item) {
		got = append(got, i.Text)
		if len(got) == 1 {
			_, err := s.FileSystem.WriteFile(t.Context(), "/tmp/told", nil, nil)
			require.NoError(t, err)
		}
	}})
	require.NoError(t, err)
	require.Equal(t, []string{"1", "2"}, got)
}

func TestRunStreams(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("there is no python3 here")
	}
	s := agbtest.NewSession(t)
	var out, errOut bytes.Buffer
	var once sync.Once
	first := make(chan time.Time, 1)
	res, err := s.Code.Run(t.Context(), code.Python, `
import sys, time, os
print("first", flush=True)
time.sleep(0.5)
print("err", file=sys.stderr)
os.write(1, b"\xff\x00")
40 + 2
`, &code.RunOptions{
		Stdout: writer(func(p []byte) (int, error) {
			once.Do(func() { first <- time.Now() })
			return out.Write(p)
		}),
		Stderr: &errOut,
	})
	ended := time.Now()
	require.NoError(t, err)
	require.Equal(t, "first\n\xff\x00", out.String())
	require.Equal(t, "err\n", errOut.String())
	require.Greater(t, ended.Sub(<-first), 250*time.Millisecond, "it comes before the end")
	require.Empty(t, res.Stdout+res.Stderr)
	require.Equal(t, "42", res.Results[0].Text)
	require.NotEmpty(t, res.RequestID)
	require.Positive(t, res.Duration)

	res, err = s.Code.Run(t.Context(), code.Python, "1/0", &code.RunOptions{Stdout: &out})
	require.NoError(t, err)
	require.Equal(t, "ZeroDivisionError", res.Error.Name)

	requireResultsAsTheyCome(t, s)

	// As much as comes.
	n := 0
	_, err = s.Code.Run(t.Context(), code.Bash, "head -c 50000000 /dev/zero", &code.RunOptions{
		Stdout: writer(func(p []byte) (int, error) { n += len(p); return len(p), nil }),
	})
	require.NoError(t, err)
	require.Equal(t, 50_000_000, n)

	res, err = s.Code.Run(t.Context(), code.Bash, "echo begun; sleep 100", &code.RunOptions{Stdout: &out, Timeout: 300 * time.Millisecond})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.True(t, res.TimedOut)
	require.True(t, strings.HasSuffix(out.String(), "begun\n"))

	broken := errors.New("broken")
	_, err = s.Code.Run(t.Context(), code.Bash, "echo x; sleep 100", &code.RunOptions{Stdout: writer(func([]byte) (int, error) { return 0, broken })})
	require.ErrorIs(t, err, broken)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = s.Code.Run(ctx, code.Bash, "sleep 100", &code.RunOptions{Stdout: &out})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	for { // what was given up ends
		r, err := s.Command.Run(t.Context(), `for p in /proc/[0-9]*; do tr "\0" " " <$p/cmdline; echo; done 2>/dev/null | grep -c "^sleep 100 "`, nil)
		require.NoError(t, err)
		if r.Stdout == "0\n" {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	_, err = s.Code.Run(t.Context(), code.Language("cobol"), "x", &code.RunOptions{Stdout: &out})
	require.ErrorIs(t, err, apierr.InvalidArgument.Err())
	_, err = s.Delete(t.Context())
	require.NoError(t, err)
	_, err = s.Code.Run(t.Context(), code.Bash, "true", &code.RunOptions{Stdout: &out})
	require.ErrorIs(t, err, apierr.SessionNotFound.Err())
}

// What has no line's end comes at once, too.
func TestPartsOfLinesStream(t *testing.T) {
	s := agbtest.NewSession(t)
	for language, c := range map[code.Language]struct{ program, source string }{
		code.Python: {"python3", `
import os, time
print("begin")
print("loading", end="")
while not os.path.exists("/tmp/seen"): time.sleep(0.01)
os.remove("/tmp/seen")`},
		code.JavaScript: {"node", `
console.log("begin");
process.stdout.write("loading");
while (!require("fs").existsSync("/tmp/seen")) ;
require("fs").unlinkSync("/tmp/seen")`},
		code.Java: {"java", `
System.out.println("begin");
System.out.print("loading");
while (!Files.exists(Path.of("/tmp/seen"))) Thread.sleep(10);
Files.delete(Path.of("/tmp/seen"));`},
	} {
		t.Run(string(language), func(t *testing.T) {
			needs(t, c.program)
			var out bytes.Buffer
			_, err := s.Code.Run(t.Context(), language, c.source, &code.RunOptions{Stdout: writer(func(p []byte) (int, error) {
				if out.Write(p); strings.HasSuffix(out.String(), "loading") {
					_, err := s.FileSystem.WriteFile(t.Context(), "/tmp/seen", nil, nil)
					require.NoError(t, err)
				}
				return len(p), nil
			})})
			require.NoError(t, err)
			require.Equal(t, "begin\nloading", out.String())
		})
	}
}
