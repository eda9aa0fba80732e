package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func summarize(t *testing.T, lines ...string) (*summary, string) {
	t.Helper()
	s, err := read(strings.NewReader(strings.Join(lines, "\n")))
	require.NoError(t, err)
	var out bytes.Buffer
	s.print(&out)
	return s, out.String()
}

func TestCountsAndTellsReasons(t *testing.T) {
	s, out := summarize(t,
		`{"Action":"output","Package":"p","Test":"TestA","Output":"noise\n"}`,
		`{"Action":"pass","Package":"p","Test":"TestA"}`,
		`{"Action":"output","Package":"p","Test":"TestB","Output":"=== RUN   TestB\n"}`,
		`{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:7: no sandboxes here\n"}`,
		`{"Action":"output","Package":"p","Test":"TestB","Output":"--- SKIP: TestB (0.00s)\n"}`,
		`{"Action":"skip","Package":"p","Test":"TestB"}`,
		`{"Action":"output","Package":"p","Test":"TestC","Output":"    c_test.go:9: wrong\n"}`,
		`{"Action":"fail","Package":"p","Test":"TestC"}`,
		`{"Action":"fail","Package":"p"}`,
		`{"Action":"skip","Package":"empty"}`,
	)
	require.Equal(t, []string{"p TestC", "p "}, s.failed)
	require.Contains(t, out, "--- SKIP: p TestB: b_test.go:7: no sandboxes here\n")
	require.Contains(t, out, "c_test.go:9: wrong")
	require.NotContains(t, out, "noise")
	require.True(t, strings.HasSuffix(out, "1 passed, 2 failed, 1 skipped\n"), out)
}

func TestRefusesWhatIsNoEvent(t *testing.T) {
	_, err := read(strings.NewReader("# build failed\n"))
	require.Error(t, err)
}
