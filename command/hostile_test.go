package command_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/command"
	"github.com/agb-go/sdk/internal/transport/fakestream"
	"github.com/agb-go/sdk/internal/wire"
)

// frame is what a server sends.
type frame struct {
	kind wire.FrameKind
	p    string
}

var (
	started = frame{wire.FrameStarted, `{"processId":"p","pid":7}`}
	ended   = frame{wire.FrameEnd, `{"exitCode":0}`}
)

// saying returns a client of a server that sends the same in every stream.
func saying(t *testing.T, frames ...frame) *command.Client {
	t.Helper()
	c, stop := fakestream.Service{
		Operations: []string{wire.StartProcess.Name, wire.AttachProcess.Name},
		Serve: func(w *wire.FrameWriter, _ net.Conn) {
			for _, f := range frames {
				_ = w.WriteFrame(f.kind, []byte(f.p))
			}
		},
	}.Start()
	t.Cleanup(stop)
	return command.New(c, "s-1")
}

// Streams that end too early, or say what cannot be, are never a success.
func TestCutStreams(t *testing.T) {
	output := frame{wire.FrameStdout, "all is well\n"}
	for name, c := range map[string]struct {
		frames []frame
		code   apierr.Code
	}{
		"nothing":           {nil, apierr.Unavailable},
		"start alone":       {[]frame{started}, apierr.Unavailable},
		"cut after output":  {[]frame{started, output}, apierr.Unavailable},
		"output first":      {[]frame{output, started, ended}, apierr.MalformedResponse},
		"end first":         {[]frame{ended}, apierr.MalformedResponse},
		"no start":          {[]frame{{wire.FrameStarted, "?"}, ended}, apierr.MalformedResponse},
		"start of nothing":  {[]frame{{wire.FrameStarted, "{}"}, ended}, apierr.MalformedResponse},
		"started twice":     {[]frame{started, started, ended}, apierr.MalformedResponse},
		"unknown frame":     {[]frame{started, output, {99, ""}, ended}, apierr.MalformedResponse},
		"frame of a client": {[]frame{started, {wire.FrameStdinEnd, ""}, ended}, apierr.MalformedResponse},
		"negative loss":     {[]frame{started, {wire.FrameDropped, `{"bytes":-1}`}, ended}, apierr.MalformedResponse},
		"strange loss":      {[]frame{started, {wire.FrameDropped, "?"}, ended}, apierr.MalformedResponse},
		"strange end":       {[]frame{started, output, {wire.FrameEnd, `{"exitCode":"0"}`}}, apierr.MalformedResponse},
		"empty end":         {[]frame{started, output, {wire.FrameEnd, ""}}, apierr.MalformedResponse},
		"end without code":  {[]frame{started, output, {wire.FrameEnd, "{}"}}, apierr.MalformedResponse},
		"null":              {[]frame{started, output, {wire.FrameEnd, "null"}}, apierr.MalformedResponse},
		"fault":             {[]frame{started, output, {wire.FrameFault, `{"code":"Throttling"}`}}, apierr.ResourceExhausted},
		"strange fault":     {[]frame{started, output, {wire.FrameFault, "?"}}, apierr.MalformedResponse},
	} {
		t.Run(name, func(t *testing.T) {
			client := saying(t, c.frames...)
			exit, err := client.Command(t.Context(), "true").Run()
			require.Nil(t, exit)
			require.Equal(t, c.code, apierr.CodeOf(err), "Run: %v", err)
			res, err := client.Command(t.Context(), "true").Output()
			require.Nil(t, res)
			require.Equal(t, c.code, apierr.CodeOf(err), "Output: %v", err)
			cmd, err := client.Attach(t.Context(), "p", nil)
			if err == nil {
				exit, err = cmd.Wait()
				require.Nil(t, exit)
			}
			require.Equal(t, c.code, apierr.CodeOf(err), "Attach: %v", err)
			require.Equal(t, "s-1", apierr.From(err).SessionID)
		})
	}
}

// A command that nobody was to leave has not been left.
func TestLeftUnasked(t *testing.T) {
	client := saying(t, started, frame{wire.FrameEnd, `{"exitCode":0,"left":true}`})
	_, err := client.Command(t.Context(), "true").Run()
	require.ErrorIs(t, err, apierr.MalformedResponse.Err())
}

// A server that knows of no output in one has it in one all the same.
func TestCombinedOfTwo(t *testing.T) {
	res, err := saying(t, started, frame{wire.FrameStdout, "1\n"}, frame{wire.FrameStderr, "2\n"}, ended).Command(t.Context(), "x").CombinedOutput()
	require.NoError(t, err)
	require.Equal(t, "1\n2\n", res.Stdout)
}
