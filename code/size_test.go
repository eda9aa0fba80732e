package code_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/code"
	"github.com/agb-go/sdk/internal/wire"
)

// Code that does not fit into a request is refused before it is sent, whichever
// way it would take; what just fits runs.
func TestSizeOfCode(t *testing.T) {
	needs(t, "bash")
	s := agbtest.NewSession(t)
	args := wire.RunCodeArgs{Language: "bash", TimeoutS: 60}
	text, err := wire.TextOf(args).MarshalText()
	require.NoError(t, err)
	_, _, call, err := wire.CallTool.NewRequest(wire.CallToolRequest{SessionID: s.ID, Name: wire.RunCode.Name, Args: string(text)})
	require.NoError(t, err)
	_, _, stream, err := wire.StreamCode.Op().NewRequest(wire.StreamCodeRequest{SessionID: s.ID, Args: args})
	require.NoError(t, err)
	for name, way := range map[string]struct {
		rest int // of the request, besides the code
		opts *code.RunOptions
		said func(*code.Result, *strings.Builder) string
	}{
		"call":   {len(call), nil, func(r *code.Result, _ *strings.Builder) string { return r.Stdout }},
		"stream": {len(stream), &code.RunOptions{}, func(_ *code.Result, out *strings.Builder) string { return out.String() }},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if way.opts != nil {
				way.opts.Stdout = &out
			}
			source := "echo ran #"
			source += strings.Repeat("x", wire.BodyLimit-way.rest-len(source))
			res, err := s.Code.Run(t.Context(), code.Bash, source, way.opts)
			require.NoError(t, err)
			require.Equal(t, "ran\n", way.said(res, &out))

			_, err = s.Code.Run(t.Context(), code.Bash, source+"x", way.opts)
			require.ErrorIs(t, err, agb.ErrInvalidArgument)
			var e *agb.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, "code.Run", e.Op)
			require.Zero(t, e.HTTPStatus, "it was not sent")
			require.Contains(t, e.Message, fmt.Sprint(wire.BodyLimit+1))
			require.Contains(t, e.Message, fmt.Sprint(wire.BodyLimit))
			require.Contains(t, e.Hint, "file")
		})
	}
}

// A picture of 10 MiB comes, one by one and in an answer. One that has no room
// for it besides the output says so.
func TestLargeResults(t *testing.T) {
	needs(t, "python3")
	s := agbtest.NewSession(t)
	show := func(bytes int, opts code.RunOptions) *code.Result {
		t.Helper()
		return ran(t, s, code.Python, fmt.Sprintf("class P:\n  def _repr_png_(self): return b'x' * %d\nP()", bytes), opts)
	}
	var got []code.Item
	res := show(10<<20, code.RunOptions{OnResult: func(it code.Item) { got = append(got, it) }})
	require.Len(t, got, 1)
	require.Len(t, got[0].PNG, 10<<20)
	require.False(t, got[0].Truncated || res.Truncated)

	res = show(10<<20, code.RunOptions{})
	require.Len(t, res.Results[0].PNG, 10<<20)
	require.False(t, res.Truncated)

	res = ran(t, s, code.Python, "print('\"' * (1 << 18))\nP()", code.RunOptions{})
	require.Len(t, res.Results, 1)
	require.Contains(t, res.Results[0].Text, "left out")
	require.True(t, res.Results[0].Truncated)
	require.True(t, res.Truncated)
	require.Len(t, res.Stdout, 1<<18+1)

	res = ran(t, s, code.Python, "display(P(), P())", code.RunOptions{})
	require.Equal(t, 1, res.ResultsDropped)
	require.True(t, res.Truncated)
}
