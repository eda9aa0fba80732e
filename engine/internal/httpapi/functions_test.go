package httpapi_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

// runsCode begins a run of code over a stream.
func (c coder) runsCode(t *testing.T, code string, functions ...string) raw {
	t.Helper()
	body, err := json.Marshal(wire.StreamCodeRequest{
		SessionID: c.session, Args: wire.RunCodeArgs{Code: code, Language: c.language}, Functions: functions,
	})
	require.NoError(t, err)
	return c.p.stream(t, "/v1/code/run", string(body), upgrade...)
}

// A client that answers calls with what is no answer has left.
func TestFunctionsOfAHostileClient(t *testing.T) {
	c := newCoder(t, "python")
	frame := func(kind wire.FrameKind, p string) string {
		var b strings.Builder
		require.NoError(t, wire.NewFrameWriter(&b).WriteFrame(kind, []byte(p)))
		return b.String()
	}
	returned := func(p string) string { return frame(wire.FrameReturn, p) + frame(wire.FrameReturn, "") }
	c.run(t, "x = 1")
	for name, answer := range map[string]string{
		"another call's": returned(`{"id":7,"value":1}`),
		"twice":          returned(`{"id":1,"value":1}`) + returned(`{"id":1,"value":1}`),
		"no JSON":        returned(`{`),
		"nothing":        frame(wire.FrameReturn, ""),
		"too long":       strings.Repeat(frame(wire.FrameReturn, strings.Repeat(" ", wire.FrameLimit)), wire.MaxCallBytes/wire.FrameLimit+1),
		"too deep":       returned(`{"id":1,"value":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + `}`),
		"another frame":  frame(wire.FrameStdinEnd, ""),
	} {
		s := c.runsCode(t, "f(a=1)\nimport time; time.sleep(100)", "f")
		require.Equal(t, http.StatusSwitchingProtocols, s.status, name)
		frames := wire.NewFrameReader(s.r)
		kind, _, err := frames.Next()
		require.NoError(t, err)
		require.Equal(t, wire.FrameCall, kind)
		_, err = frames.Payload()
		require.NoError(t, err)
		_, err = io.WriteString(s, answer)
		require.NoError(t, err)
		kind, f := s.last(t)
		require.Equal(t, wire.FrameFault, kind, name)
		require.Equal(t, "Canceled", f.Code, name)
	}
	require.Equal(t, []string{"1\n"}, c.run(t, "print(x)").Stdout, "the state has stayed")
	for _, names := range [][]string{{"a b"}, {""}, make([]string, wire.MaxFunctions+1)} {
		require.Equal(t, http.StatusBadRequest, c.runsCode(t, "1", names...).status)
	}
}
