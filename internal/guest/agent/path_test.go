//go:build linux

package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

// FuzzPath: of whatever is given as a path comes an absolute one that the kernel
// can take, or a typed error; it is opened at once or not at all; and never
// through the magic links of /proc, behind which are the agent's own files.
func FuzzPath(f *testing.F) {
	for _, p := range []string{
		"", ".", "..", "/", "//", "a", "a/../b", "./a/", "../../../../etc/passwd", "\x00", "a\x00b", "/proc/self/root/etc/passwd",
		"/proc/self/fd/3", "/proc/1/exe", "loop", "fifo", "dir/", "dir/..", "%2e%2e%2f", "\xff\xfe", strings.Repeat("a/", 2048), strings.Repeat("n", 256),
	} {
		f.Add(p)
	}
	home := f.TempDir()
	require.NoError(f, os.Mkdir(filepath.Join(home, "dir"), 0o700))
	require.NoError(f, os.Symlink("loop", filepath.Join(home, "loop")))
	require.NoError(f, unix.Mkfifo(filepath.Join(home, "fifo"), 0o600))
	a := &agent{home: home}
	f.Fuzz(func(t *testing.T, path string) {
		full, err := a.absolute(path)
		if err != nil {
			var kind *guest.Error
			require.ErrorAs(t, err, &kind)
			return
		}
		require.True(t, strings.HasPrefix(full, "/"))
		require.NotContains(t, full, "\x00")
		require.LessOrEqual(t, len(full), len(home)+1+guest.PathLimit)
		if dir, name, err := split(full); err == nil {
			require.NotContains(t, name, "/")
			require.NotContains(t, []string{"", ".", ".."}, name)
			closeFD(dir)
		}
		fd, err := open(unix.AT_FDCWD, full, unix.O_RDONLY, 0)
		if err != nil {
			return
		}
		defer closeFD(fd)
		for _, magic := range []string{"/root", "/cwd", "/exe"} {
			require.NotRegexp(t, `^(/\.?)*/proc/(self|thread-self|[0-9]+)(/\.?)*`+magic+`(/|$)`, full)
		}
	})
}
