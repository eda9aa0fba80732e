package code_test

import (
	"context"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/code"
	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/session"
)

// needs skips a test for which this machine, whose toolchains are the
// sandbox's, has no interpreter.
func needs(tb testing.TB, program string) {
	tb.Helper()
	if _, err := exec.LookPath(program); err != nil {
		tb.Skipf("there is no %s here", program)
	}
}

func TestPython(t *testing.T) {
	needs(t, "python3")
	s := agbtest.NewSession(t)
	res, err := s.Code.Run(t.Context(), "Py", "import sys\nprint('out')\nprint('err', file=sys.stderr)\n6 * 7", nil)
	require.NoError(t, err)
	require.Equal(t, "out\n", res.Stdout)
	require.Equal(t, "err\n", res.Stderr)
	require.Nil(t, res.Error)
	require.Len(t, res.Results, 1)
	require.Equal(t, "42", res.Results[0].Text)
	require.True(t, res.Results[0].Main)
	require.Positive(t, res.Duration)
	require.NotEmpty(t, res.RequestID)

	res, err = s.Code.Run(t.Context(), code.Python, "print('before')\n1/0", nil)
	require.NoError(t, err, "an error of the code is a result")
	require.Equal(t, "before\n", res.Stdout)
	require.NotNil(t, res.Error)
	require.Equal(t, "ZeroDivisionError", res.Error.Name)
	require.Equal(t, "division by zero", res.Error.Value)
	require.Contains(t, res.Error.Traceback, "1/0")
}

func TestBash(t *testing.T) {
	needs(t, "bash")
	s := agbtest.NewSession(t)
	res, err := s.Code.Run(t.Context(), code.Bash, "a=(1 2 3); echo ${#a[@]}", nil)
	require.NoError(t, err)
	require.Equal(t, "3\n", res.Stdout)
}

func TestTimeout(t *testing.T) {
	needs(t, "bash")
	s := agbtest.NewSession(t)
	start := time.Now()
	res, err := s.Code.Run(t.Context(), code.Bash, "echo before; sleep 60", &code.RunOptions{Timeout: 300 * time.Millisecond})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Contains(t, err.Error(), "code timeout")
	require.NotNil(t, res)
	require.Equal(t, "before\n", res.Stdout)
	require.Less(t, time.Since(start), 10*time.Second)
}

func TestLanguages(t *testing.T) {
	for name, want := range map[string]code.Language{
		" Python ": code.Python, "py": code.Python, "python3": code.Python,
		"js": code.JavaScript, "Node": code.JavaScript, "nodejs": code.JavaScript,
		"JAVA": code.Java, "R": code.R, "bash": code.Bash, "sh": code.Bash,
	} {
		got, err := code.ParseLanguage(name)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, name := range []string{"", "ruby", "python2", "c++"} {
		_, err := code.ParseLanguage(name)
		require.ErrorIs(t, err, agb.ErrInvalidArgument)
	}
}

func TestUsage(t *testing.T) {
	needs(t, "bash")
	s := agbtest.NewSession(t)
	res, err := s.Code.Run(t.Context(), code.Bash, "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done", nil)
	require.NoError(t, err)
	require.Greater(t, res.CPUTime, 10*time.Millisecond)
	require.Greater(t, res.MaxRSS, int64(1<<20))
	require.False(t, res.TimedOut || res.CPULimited || res.OOMKilled)
}

func TestCPUTimeout(t *testing.T) {
	needs(t, "bash")
	s := agbtest.NewSession(t)
	res, err := s.Code.Run(t.Context(), code.Bash, "echo before; while :; do :; done", &code.RunOptions{CPUTimeout: 200 * time.Millisecond})
	require.ErrorIs(t, err, agb.ErrResourceExhausted)
	require.NotErrorIs(t, err, context.DeadlineExceeded)
	require.NotNil(t, res)
	require.True(t, res.CPULimited)
	require.Equal(t, "before\n", res.Stdout)
	_, err = s.Code.Run(t.Context(), code.Bash, "true", &code.RunOptions{CPUTimeout: -1})
	require.ErrorIs(t, err, agb.ErrInvalidArgument)
}

func TestOutOfMemory(t *testing.T) {
	needs(t, "python3")
	s := agbtest.NewSession(t, agbtest.WithEngineConfig(engine.Config{Limits: engine.Limits{MemoryBytes: 96 << 20}}))
	layers, err := s.Isolation(t.Context())
	require.NoError(t, err)
	if !layers.Active(session.LayerMemoryLimit) {
		t.Skip("nothing limits memory here: ", layers.Layers)
	}
	res, err := s.Code.Run(t.Context(), code.Python, "print('before', flush=True)\nx = []\nwhile True: x.append(b'x' * (1 << 20))", nil)
	require.NoError(t, err)
	require.True(t, res.OOMKilled)
	require.NotNil(t, res.Error)
	require.Equal(t, "OutOfMemoryError", res.Error.Name)
	require.Equal(t, "before\n", res.Stdout)

	res, err = s.Code.Run(t.Context(), code.Python, "import subprocess\nprint(subprocess.run(['tail', '/dev/zero']).returncode)", nil)
	require.NoError(t, err)
	require.Equal(t, "-9\n", res.Stdout)
	require.Contains(t, res.Restarted, "memory")
	require.True(t, res.OOMKilled, "of what it started")
	require.Nil(t, res.Error)

	res, err = s.Code.Run(t.Context(), code.Python, "import sys; sys.exit(3)", nil)
	require.NoError(t, err)
	require.NotNil(t, res.Error)
	require.False(t, res.OOMKilled)

	// A timeout is told as one, whatever was killed before.
	res, err = s.Code.Run(t.Context(), code.Python,
		"import subprocess, time\nsubprocess.run(['tail', '/dev/zero'])\nprint('killed', flush=True)\ntime.sleep(60)", &code.RunOptions{Timeout: 3 * time.Second})
	require.ErrorIs(t, err, agb.ErrTimeout)
	require.NotNil(t, res)
	require.Equal(t, "killed\n", res.Stdout)
	require.True(t, res.OOMKilled)
	require.Equal(t, "TimeoutError", res.Error.Name)
}
