//go:build linux

package agent

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

func TestParseStatus(t *testing.T) {
	const text = "Name:\tx\nUid:\t1000\t1000\t1000\t1000\nGid:\t1001\t1001\t1001\t1001\nCapInh:\t0000000000000001\n" +
		"CapPrm:\t0000000000000002\nCapEff:\t000001ffffffffff\nCapBnd:\tffffffffffffffff\nCapAmb:\t0000000000000000\n" +
		"NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n"
	var s guest.Self
	parseStatus([]byte(text), &s)
	require.Equal(t, guest.Self{
		UID: 1000, GID: 1001, Capabilities: [5]uint64{1, 2, 1<<41 - 1, 1<<64 - 1, 0}, NoNewPrivs: true, Seccomp: 2,
	}, s)
	for old, bad := range map[string]string{
		"Uid:\t1000\t1000\t1000\t1000": "Uid:\t1000\t1000\t0\t1000",
		"Uid:\t1000\t1000":             "Uid:\t1000",
		"Uid:\t1000":                   "Uid:\tx",
		"NoNewPrivs:\t1":               "NoNewPrivs:\t10",
		"Seccomp:\t2":                  "Seccomp:\t3",
		"CapAmb:\t0000000000000000":    "CapAmb:\tx",
	} {
		require.Contains(t, text, old)
		var got guest.Self
		parseStatus([]byte(strings.Replace(text, old, bad, 1)), &got)
		require.NotEqual(t, s, got, bad)
	}
	var cut guest.Self
	parseStatus([]byte(text[:strings.Index(text, "Seccomp_")-1]), &cut)
	require.Zero(t, cut.Seccomp, "a line that is cut off does not count")
}

// TestSelfOutside looks at a process that is in no sandbox.
func TestSelfOutside(t *testing.T) {
	var buf [selfRead]byte
	s := guest.Self{UID: -1, GID: -1, Seccomp: -1}
	parseStatus(head("/proc/self/status", buf[:]), &s)
	require.Equal(t, os.Getuid(), s.UID)
	require.Equal(t, os.Getgid(), s.GID)
	require.GreaterOrEqual(t, s.Seccomp, 0)
	require.Empty(t, head("/does/not/exist", buf[:]))
	for _, path := range namespaces {
		var st unix.Stat_t
		require.NoError(t, unix.Stat(path, &st), path)
	}
	require.True(t, up([]byte("no such one")), "what cannot be asked counts as up")
	require.True(t, up([]byte(strings.Repeat("x", unix.IFNAMSIZ))))
}

// TestDisk: each file system counts once, and one without a limit, or none, is
// not taken for one with a limit.
func TestDisk(t *testing.T) {
	var fs unix.Statfs_t
	require.NoError(t, unix.Statfs("/tmp", &fs))
	size, files := disk("/tmp")
	require.Equal(t, fs.Blocks*uint64(fs.Bsize), size)
	require.Equal(t, fs.Files, files)
	againSize, againFiles := disk("/tmp", "/tmp/.", "/tmp/..//tmp")
	require.Equal(t, [2]uint64{size, files}, [2]uint64{againSize, againFiles})
	for _, unlimited := range []string{"/proc", "/does/not/exist"} {
		size, files = disk("/tmp", unlimited)
		require.Zero(t, size+files, unlimited)
	}
}

func TestOpenFiles(t *testing.T) {
	before := openFiles()
	require.GreaterOrEqual(t, before, 3)
	file, err := os.Open(os.DevNull)
	require.NoError(t, err)
	require.Equal(t, before+1, openFiles())
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	require.NoError(t, err)
	require.Equal(t, before+1, openFiles(), "what the runtime may have does not count")
	require.NoError(t, unix.Close(poll))
	require.NoError(t, file.Close())
	require.Equal(t, before, openFiles())
	many := make([]int, 500) // more than fits in one read of the directory
	for i := range many {
		many[i], err = unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		require.NoError(t, err)
	}
	require.Equal(t, before+len(many), openFiles())
	for _, fd := range many {
		require.NoError(t, unix.Close(fd))
	}
}
