//go:build linux && (amd64 || arm64)

package control

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/linuxns/internal/cgroup"
)

func request() *Request {
	return &Request{
		Op: Start, ID: 1 << 40, Namespaces: 7, Root: "/images/one", Hostname: "box",
		Limits: driver.Limits{
			Processes: 1, OpenFiles: 2, FileBytes: 3, DataBytes: 4, DiskBytes: 1 << 50, DiskInodes: 6,
			MemoryBytes: 7, MilliCPU: 8,
		},
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
	want := Gone{ID: 1 << 40, Status: 9, Usage: &driver.Usage{CPU: 1, MemoryBytes: 2, PeakBytes: 3, OOMKills: 4}}
	b := want.Append(nil)
	require.Len(t, b, GoneLimit)
	got, err := ParseGone(b)
	require.NoError(t, err)
	require.Equal(t, want, got)
	_, err = ParseGone(b[1:])
	require.ErrorIs(t, err, errMalformed)
	_, err = ParseGone(append(b, 0))
	require.ErrorIs(t, err, errMalformed)

	want.Usage = nil
	got, err = ParseGone(want.Append(nil))
	require.NoError(t, err)
	require.Equal(t, want, got, "no account is told from one of nothing")
	b[12] = 0
	_, err = ParseGone(b)
	require.ErrorIs(t, err, errMalformed, "an account that is none")
	b[12] = 2
	_, err = ParseGone(b)
	require.ErrorIs(t, err, errMalformed)
}

func TestHelloRoundTrip(t *testing.T) {
	want := Hello{Groups: cgroup.Places{
		List:    []cgroup.Place{{Dir: "/sys/fs/cgroup/x", Version: 2, Controls: []string{cgroup.Core}}},
		Missing: map[string]string{cgroup.Memory: "no"},
	}}
	b, err := want.Append(nil)
	require.NoError(t, err)
	got, err := ParseHello(b)
	require.NoError(t, err)
	require.Equal(t, want, got)
	_, err = ParseHello(b[1:])
	require.ErrorIs(t, err, errMalformed)
	want.Groups.Missing[cgroup.CPU] = strings.Repeat("x", HelloLimit)
	_, err = want.Append(nil)
	require.ErrorIs(t, err, errMalformed)
}

func TestHelloLimit(t *testing.T) {
	h := Hello{Groups: cgroup.Places{Missing: map[string]string{cgroup.Memory: ""}}}
	b, err := h.Append(nil)
	require.NoError(t, err)
	h.Groups.Missing[cgroup.Memory] = strings.Repeat("x", HelloLimit-len(b))
	b, err = h.Append(nil)
	require.NoError(t, err)
	require.Len(t, b, HelloLimit)
	h.Groups.Missing[cgroup.Memory] += "x"
	_, err = h.Append(nil)
	require.ErrorIs(t, err, errMalformed)
}

func TestFound(t *testing.T) {
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Close(p[0])) })
	_, err = ReceiveFound(p[0])
	require.ErrorIs(t, err, unix.EAGAIN)
	self, err := unix.PidfdOpen(os.Getpid(), 0)
	require.NoError(t, err)
	SendFound(p[1], self)
	require.NoError(t, unix.Close(self))
	got, err := ReceiveFound(p[0])
	require.NoError(t, err)
	require.NoError(t, unix.PidfdSendSignal(got, 0, nil, 0))
	require.NoError(t, unix.Close(got))
	SendFound(p[1], -1)
	_, err = ReceiveFound(p[0])
	require.ErrorIs(t, err, ErrNotFound)
	require.NoError(t, unix.Close(p[1]))
	_, err = ReceiveFound(p[0])
	require.ErrorIs(t, err, ErrNotFound, "it ends without an answer")
}

func FuzzParseGone(f *testing.F) {
	f.Add(Gone{ID: 1, Status: 9}.Append(nil))
	f.Add(Gone{ID: 1, Usage: &driver.Usage{CPU: 1}}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if g, err := ParseGone(b); err == nil {
			require.Equal(t, b, g.Append(nil))
		}
	})
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
