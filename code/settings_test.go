package code_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/code"
)

// ran runs code that ends within its time.
func ran(t *testing.T, s *agb.Session, l code.Language, source string, opts code.RunOptions) *code.Result {
	t.Helper()
	opts.Timeout = 20 * time.Second
	res, err := s.Code.Run(t.Context(), l, source, &opts)
	require.NoError(t, err)
	return res
}

// What the code sets in its shell does not break the driver.
func TestBashSettings(t *testing.T) {
	needs(t, "bash")
	s := agbtest.NewSession(t)
	run := func(source, stdin string) *code.Result {
		return ran(t, s, code.Bash, source, code.RunOptions{Stdin: stdin})
	}
	run("set -C; set -u; set -o pipefail; x=1", "")
	for _, line := range []string{"one\n", "two\n"} {
		res := run("cat; echo $x", line)
		require.Equal(t, line+"1\n", res.Stdout)
		require.Empty(t, res.Stderr)
	}
	require.Equal(t, "++ y=2\n", run("set -x; y=2", "").Stderr)
	require.Equal(t, "++ echo 2\n", run("echo $y", "").Stderr, "it goes on, for the code alone")
	run("set +x; PATH=.", "")
	res := run("read -r line; echo $line", "three\n")
	require.Equal(t, "three\n", res.Stdout)
	require.Empty(t, res.Stderr)
	res = run(strings.Repeat(":\n", 200_000)+"echo $x", "")
	require.Equal(t, "1\n", res.Stdout)
	require.Less(t, res.Duration, 10*time.Second)
}

// R goes on after what cannot be printed, and code that is no text.
func TestROddCode(t *testing.T) {
	needs(t, "Rscript")
	s := agbtest.NewSession(t)
	res := ran(t, s, code.R, "x <- 1; print.odd <- function(x, ...) stop('no print'); structure(1, class = 'odd')", code.RunOptions{})
	require.Contains(t, res.Error.Value, "no print")
	require.False(t, res.Ended)
	res = ran(t, s, code.R, "x <-\x00 x + 1; structure(1, class = 'odd'); x <- 0", code.RunOptions{})
	require.Contains(t, res.Error.Value, "no print")
	res = ran(t, s, code.R, "x", code.RunOptions{})
	require.Equal(t, "[1] 2", strings.TrimSpace(res.Results[0].Text))
}
