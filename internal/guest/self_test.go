package guest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestHelloIsChecked: what a guest says of itself is complete, in bounds, and
// nothing follows.
func TestHelloIsChecked(t *testing.T) {
	t.Parallel()
	whole := encoded(func(e *encoder) { e.self(&Self{OpenFiles: selfLimit, Seccomp: 2}) })
	changed := func(at int, to byte) []byte {
		b := append([]byte{Version}, whole...)
		b[1+at] = to
		return b
	}
	_, err := puppet(t, record(recordResult, append([]byte{Version}, whole...)...)).Hello(t.Context())
	require.NoError(t, err)
	for name, answer := range map[string][]byte{
		"cut off":        append([]byte{Version}, whole[:len(whole)-1]...),
		"too long":       append(append([]byte{Version}, whole...), 0),
		"nothing":        {Version},
		"no bool":        changed(7, 2),
		"mode 3":         changed(8, 3),
		"no bool at end": changed(len(whole)-1, 2),
		"one file too many": encoded(func(e *encoder) {
			e.count(Version)
			e.self(&Self{})
			e.b = e.b[:len(e.b)-2]
			e.count(selfLimit + 1)
			e.bool(true)
		}),
		"id too large": append([]byte{Version, 0x80, 0x80, 0x80, 0x80, 0x10}, whole[1:]...),
	} {
		c := puppet(t, record(recordResult, answer...))
		_, err := c.Hello(t.Context())
		require.ErrorIs(t, err, ErrProtocol, name)
		<-c.Done()
	}
}
