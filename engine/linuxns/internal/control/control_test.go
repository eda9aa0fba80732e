//go:build linux && (amd64 || arm64)

package control

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/driver"
)

func request() *Request {
	return &Request{
		Op: Start, ID: 1 << 40, Namespaces: 7, Root: "/images/one", Hostname: "box",
		Limits: driver.Limits{Processes: 1, OpenFiles: 2, FileBytes: 3, DataBytes: 4, DiskBytes: 1 << 50, DiskInodes: 6},
	}
}

func TestRequestRoundTrip(t *testing.T) {
	want := request()
	b, err := want.Append(nil)
	require.NoError(t, err)
	got, err := ParseRequest(b)
	require.NoError(t, err)
	require.Equal(t, want, got)
	for n := range b {
		_, err := ParseRequest(b[:n])
		require.ErrorIs(t, err, errMalformed)
	}
	_, err = ParseRequest(append(b, 0))
	require.ErrorIs(t, err, errMalformed)
}

func TestRequestLimits(t *testing.T) {
	r := request()
	r.Root, r.Hostname = strings.Repeat("r", RootLimit), strings.Repeat("h", HostnameLimit)
	b, err := r.Append(nil)
	require.NoError(t, err)
	require.Len(t, b, RequestLimit)
	r.Root += "r"
	_, err = r.Append(nil)
	require.ErrorIs(t, err, errMalformed)
	r = request()
	r.Hostname = strings.Repeat("h", HostnameLimit+1)
	_, err = r.Append(nil)
	require.ErrorIs(t, err, errMalformed)
}

func TestGoneRoundTrip(t *testing.T) {
	want := Gone{ID: 1 << 40, Status: 9}
	b := want.Append(nil)
	require.Len(t, b, GoneLimit)
	got, err := ParseGone(b)
	require.NoError(t, err)
	require.Equal(t, want, got)
	_, err = ParseGone(b[1:])
	require.ErrorIs(t, err, errMalformed)
	_, err = ParseGone(append(b, 0))
	require.ErrorIs(t, err, errMalformed)
}

func FuzzParseRequest(f *testing.F) {
	b, err := request().Append(nil)
	require.NoError(f, err)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseRequest(b)
		if err != nil {
			return
		}
		again, err := r.Append(nil)
		if err == nil { // texts may be longer than a sender could make them
			require.Equal(t, b, again)
		}
	})
}
