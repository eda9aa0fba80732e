package httpapi_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// Input for a process that takes none is discarded; other frames end the stream.
func TestProcessWithoutInput(t *testing.T) {
	p := newPeer(t)
	const input = "\x01\x00\x00\x00\x03abc\x14\x00\x00\x00\x00\x01\x00\x00\x00\x00"
	for sent, want := range map[string]wire.FrameKind{
		input:                          wire.FrameEnd,
		input + "\x15\x00\x00\x00\x00": wire.FrameFault,
	} {
		c := p.stream(t, "/v1/processes/start", `{"sessionId":"`+p.create(t, nil)+`","args":["sleep","0.3"]}`, upgrade...)
		require.Equal(t, http.StatusSwitchingProtocols, c.status)
		_, err := io.WriteString(c, sent)
		require.NoError(t, err)
		kind, f := c.last(t)
		require.Equal(t, want, kind)
		if want == wire.FrameFault {
			require.Equal(t, apierr.Canceled, wire.FaultCode(f.Code, 0, f.Message))
		}
	}
}
