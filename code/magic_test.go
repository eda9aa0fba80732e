package code_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/code"
)

// Lines that have matplotlib draw into the notebook have nothing to do, and the
// others keep their numbers and their text.
func TestMagicOfMatplotlib(t *testing.T) {
	needs(t, "python3")
	s := agbtest.NewSession(t)
	run := func(source string) *code.Result { return ran(t, s, code.Python, source, code.RunOptions{}) }
	for _, source := range []string{
		"%matplotlib inline\n7", "%matplotlib\r\n7\r\n", "import os\n%matplotlib inline\n\n%matplotlib notebook  # twice\n7",
		"import asyncio\n%matplotlib inline\nawait asyncio.sleep(0)\n7",
	} {
		res := run(source)
		require.Nil(t, res.Error, "%q: %+v", source, res.Error)
		require.Len(t, res.Results, 1)
		require.Equal(t, "7", res.Results[0].Text)
	}
	res := run("%matplotlib inline\n'''\n%matplotlib inline'''")
	require.Equal(t, `'\n%matplotlib inline'`, res.Results[0].Text, "a text is none")
	require.Equal(t, "1", run("matplotlib, inline = 4, 3\n(5\n%matplotlib)").Results[0].Text, "nor is a remainder")

	res = run("%matplotlib inline\ndef f():\n    return 1/0\nf()")
	require.Equal(t, "ZeroDivisionError", res.Error.Name)
	require.Contains(t, res.Error.Traceback, "line 4, in <module>\n    f()")
	require.Contains(t, res.Error.Traceback, "line 3, in f\n    return 1/0")

	res = run("%matplotlib inline\n1 +")
	require.Equal(t, "SyntaxError", res.Error.Name)
	require.Contains(t, res.Error.Value, "line 2")
	require.NotContains(t, res.Error.Value, "IPython")
	require.NotContains(t, res.Error.Traceback, "During handling")
}

func TestMagicsHaveHint(t *testing.T) {
	needs(t, "python3")
	s := agbtest.NewSession(t)
	run := func(source string) *code.ExecError {
		res := ran(t, s, code.Python, source, code.RunOptions{})
		require.NotNil(t, res.Error, source)
		require.Contains(t, res.Stderr, res.Error.Traceback)
		return res.Error
	}
	for source, line := range map[string]string{
		"%pip install x": "line 1", "x = 1\n!ls -l": "line 2", "%matplotlib inline\n%timeit x = 1": "line 2", "files = !ls": "line 1",
		"for i in range(3):\n    !echo it's": "line 2", "%%bash\necho it's": "line 2", "(1,\n%matplotlib inline\n)": "line 2",
	} {
		err := run(source)
		require.Equal(t, "SyntaxError", err.Name)
		require.Contains(t, err.Value, "magics of IPython", source)
		require.Contains(t, err.Value, line, source)
		require.NotContains(t, err.Traceback, "During handling")
		require.NotContains(t, err.Traceback, "<agb ")
	}
	for _, source := range []string{"1 +", "!=", "x = ('%d'\n  % 1 2)", "x = (1\n != 2 3)", strings.Repeat("(", 3), "x = '''\n%pip"} {
		require.NotContains(t, run(source).Value, "IPython", source)
	}
}
