//go:build linux

package agent

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

func (s *sandbox) write(tb testing.TB, path, content string) {
	tb.Helper()
	n, err := s.Write(tb.Context(), path, guest.Overwrite, 0o644, strings.NewReader(content))
	require.NoError(tb, err)
	require.EqualValues(tb, len(content), n)
}

func (s *sandbox) read(tb testing.TB, path string, offset, length int64) string {
	tb.Helper()
	var b bytes.Buffer
	n, err := s.Read(tb.Context(), path, offset, length, &b)
	require.NoError(tb, err)
	require.EqualValues(tb, b.Len(), n)
	return b.String()
}

func TestReadWrite(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, size := range []int{0, 1, readBuffer - 1, readBuffer, readBuffer + 1, 10 << 20} {
		content := make([]byte, size)
		_, err := rand.Read(content)
		require.NoError(t, err)
		s.write(t, "file", string(content))
		require.True(t, bytes.Equal(content, []byte(s.read(t, "file", 0, 0))))
	}
	s.write(t, "digits", "0123456789")
	require.Equal(t, "345", s.read(t, "digits", 3, 3))
	require.Equal(t, "89", s.read(t, "digits", 8, 5))
	require.Equal(t, "9", s.read(t, "digits", 9, 0))
	require.Empty(t, s.read(t, "digits", 10, 0))
	require.Empty(t, s.read(t, "digits", 1<<62, 0))
	_, err := s.Read(t.Context(), "digits", -1, 0, io.Discard)
	requireKind(t, guest.Invalid, err)
	require.NotEmpty(t, s.read(t, "/proc/meminfo", 0, 0), "a file that says it is empty")
}

func TestWriteModes(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.write(t, "new/dir/file", "first")
	info, err := os.Stat(filepath.Join(s.home, "new/dir/file"))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o644), info.Mode())
	require.NoError(t, os.Chmod(filepath.Join(s.home, "new/dir/file"), 0o600))

	n, err := s.Write(t.Context(), "new/dir/file", guest.Append, 0o644, strings.NewReader(" second"))
	require.NoError(t, err)
	require.EqualValues(t, 7, n)
	require.Equal(t, "first second", s.read(t, "new/dir/file", 0, 0))

	_, err = s.Write(t.Context(), "new/dir/file", guest.CreateNew, 0o644, strings.NewReader("third"))
	require.ErrorIs(t, err, fs.ErrExist)
	require.ErrorIs(t, err, syscall.EEXIST)
	require.Equal(t, "first second", s.read(t, "new/dir/file", 0, 0))

	s.write(t, "new/dir/file", "x")
	require.Equal(t, "x", s.read(t, "new/dir/file", 0, 0))
	info, err = os.Stat(filepath.Join(s.home, "new/dir/file"))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode(), "of a file that exists")

	_, err = s.Write(t.Context(), "exec", guest.CreateNew, 0o777, strings.NewReader("x"))
	require.NoError(t, err)
	info, err = os.Stat(filepath.Join(s.home, "exec"))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o755), info.Mode(), "less the umask")

	_, err = s.Write(t.Context(), "exec", 3, 0o777, strings.NewReader("x"))
	requireKind(t, guest.Invalid, err)
}

func TestWriteErrors(t *testing.T) {
	t.Parallel()
	s := start(t)
	broken := errors.New("broken")
	_, err := s.Write(t.Context(), "file", guest.Overwrite, 0o644, io.MultiReader(strings.NewReader("x"), iotestErr{broken}))
	require.ErrorIs(t, err, broken)
	_, err = s.Write(t.Context(), "/dev/full", guest.Overwrite, 0o644, strings.NewReader("x"))
	requireKind(t, guest.NotRegular, err)
	// Much more than fits in the window, refused after the first look.
	_, err = s.Write(t.Context(), "/proc/version", guest.Overwrite, 0o644, io.LimitReader(endless{}, 64<<20))
	require.Error(t, err)
	_, err = s.Write(t.Context(), ".", guest.Overwrite, 0o644, strings.NewReader("x"))
	require.ErrorIs(t, err, syscall.EISDIR)
	s.write(t, "file", "x")
	_, err = s.Write(t.Context(), "file/below", guest.Overwrite, 0o644, strings.NewReader("x"))
	require.ErrorIs(t, err, syscall.ENOTDIR)
	requireKind(t, guest.NotDir, err)
}

type iotestErr struct{ err error }

func (r iotestErr) Read([]byte) (int, error) { return 0, r.err }

// badPaths are refused by every call.
var badPaths = []struct {
	path string
	kind guest.Kind
}{
	{"", guest.Invalid},
	{"a\x00b", guest.Invalid},
	{strings.Repeat("x/", guest.PathLimit/2) + "y", guest.NameTooLong},
	{strings.Repeat("x", 256), guest.NameTooLong},
	{"no/such/file", guest.NotExist},
	{"/proc/self/root/etc/passwd", guest.Loop},
	{"/proc/self/cwd/file", guest.Loop},
	{"/proc/1/root/etc/passwd", guest.Loop},
}

func TestBadPaths(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := t.Context()
	for name, call := range map[string]func(string) error{
		"Stat":    func(p string) error { _, err := s.Stat(ctx, p, true); return err },
		"Lstat":   func(p string) error { _, err := s.Stat(ctx, p, false); return err },
		"List":    func(p string) error { _, err := s.List(ctx, p); return err },
		"Read":    func(p string) error { _, err := s.Read(ctx, p, 0, 0, io.Discard); return err },
		"Remove":  func(p string) error { return s.Remove(ctx, p) },
		"From":    func(p string) error { return s.Move(ctx, p, "to") },
		"Search":  func(p string) error { _, err := s.Search(ctx, guest.SearchQuery{Dir: p, Pattern: "*"}); return err },
		"Edit":    func(p string) error { _, err := s.Edit(ctx, p, nil, false); return err },
		"Changes": func(p string) error { _, err := s.Changes(ctx, p); return err },
	} {
		for _, bad := range badPaths {
			err := call(bad.path)
			var e *guest.Error
			require.ErrorAs(t, err, &e, "%s %q", name, bad.path)
			if strings.HasPrefix(bad.path, "/proc/1/") && e.Kind == guest.Permission {
				continue // as an ordinary user
			}
			require.Equal(t, bad.kind, e.Kind, "%s %q: %v", name, bad.path, err)
		}
	}
	// At the limit, there merely is no such file.
	_, err := s.Stat(ctx, strings.Repeat("/", guest.PathLimit-2)+"x", true)
	require.Error(t, err)
	require.ErrorIs(t, s.Remove(ctx, "/"), fs.ErrInvalid)
	requireKind(t, guest.Invalid, s.Remove(ctx, "x/.."))
}

// The agent's own files in /proc are nobody's business.
func TestOwnProcIsClosed(t *testing.T) {
	t.Parallel()
	s := start(t)
	own := "/proc/" + strconv.Itoa(s.pid)
	for _, p := range []string{"/proc/self/environ", "/proc/self/mem", "/proc/self/maps", own + "/environ", "/proc/thread-self/environ"} {
		_, err := s.Read(t.Context(), p, 0, 0, io.Discard)
		require.Error(t, err, p)
		_, err = s.Write(t.Context(), p, guest.Overwrite, 0o644, strings.NewReader("x"))
		require.Error(t, err, p)
	}
}

// memory returns a directory in memory, as a sandbox has them, if there is
// any: disks can be slow with many files.
func memory(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "agent-test") //nolint:usetesting // not on a disk
	if err != nil {
		return tb.TempDir()
	}
	tb.Cleanup(func() { require.NoError(tb, os.RemoveAll(dir)) })
	return dir
}

// What is no regular file is refused at once, whatever it is.
func TestSpecialFiles(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := t.Context()
	require.NoError(t, unix.Mkfifo(filepath.Join(s.home, "fifo"), 0o666))
	require.Zero(t, s.sh(t, "ln -s /dev/zero link").Code)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer closeFD(fd)
	require.NoError(t, unix.Bind(fd, &unix.SockaddrUnix{Name: filepath.Join(s.home, "sock")}))
	begin := time.Now()
	for _, p := range []string{"fifo", "sock", "link", "/dev/null", "/dev/zero"} {
		_, err := s.Read(ctx, p, 0, 0, io.Discard)
		requireKind(t, guest.NotRegular, err)
		_, err = s.Write(ctx, p, guest.Overwrite, 0o644, strings.NewReader("x"))
		requireKind(t, guest.NotRegular, err)
		_, err = s.Edit(ctx, p, nil, false)
		requireKind(t, guest.NotRegular, err)
	}
	// A pipe that somebody reads.
	reader, err := os.OpenFile(filepath.Join(s.home, "fifo"), os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = s.Write(ctx, "fifo", guest.Overwrite, 0o644, strings.NewReader("x"))
	requireKind(t, guest.NotRegular, err)
	require.NoError(t, reader.Close())
	_, err = s.Read(ctx, ".", 0, 0, io.Discard)
	requireKind(t, guest.IsDir, err)
	require.Less(t, time.Since(begin), time.Second)
}

func TestStatAndList(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := t.Context()
	s.write(t, "dir/b", "12345")
	require.Zero(t, s.sh(t, `cd dir; ln -s b a; ln -s nowhere dangling; mkdir sub; touch -d @86400 b; printf x > "$(printf 'odd\nname\377')"`).Code)
	list, err := s.List(ctx, "dir")
	require.NoError(t, err)
	var names []string
	for _, info := range list {
		names = append(names, info.Path)
	}
	require.Equal(t, []string{"a", "b", "dangling", "odd\nname\xff", "sub"}, names)
	require.Equal(t, "b", list[0].Target)
	require.Equal(t, fs.ModeSymlink, list[0].Mode.Type())
	require.EqualValues(t, 5, list[1].Size)
	require.Equal(t, time.Unix(86400, 0), list[1].ModTime)
	require.True(t, list[4].Mode.IsDir())

	info, err := s.Stat(ctx, "dir/a", true)
	require.NoError(t, err)
	require.Equal(t, "dir/a", info.Path)
	require.EqualValues(t, 5, info.Size)
	require.Empty(t, info.Target)
	info, err = s.Stat(ctx, "dir/a", false)
	require.NoError(t, err)
	require.Equal(t, "b", info.Target)
	_, err = s.Stat(ctx, "dir/dangling", true)
	require.ErrorIs(t, err, fs.ErrNotExist)
	info, err = s.Stat(ctx, "/tmp", true)
	require.NoError(t, err)
	require.NotZero(t, info.Mode&fs.ModeSticky)
	_, err = s.List(ctx, "dir/b")
	requireKind(t, guest.NotDir, err)
	list, err = s.List(ctx, "dir/sub")
	require.NoError(t, err)
	require.Empty(t, list)
}

func TestListLimit(t *testing.T) {
	t.Parallel()
	s := start(t)
	dir := memory(t)
	for i := range guest.ListLimit {
		fd, err := unix.Open(filepath.Join(dir, strconv.Itoa(i)), unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
		require.NoError(t, err)
		closeFD(fd)
	}
	list, err := s.List(t.Context(), dir)
	require.NoError(t, err)
	require.Len(t, list, guest.ListLimit)
	s.write(t, dir+"/more", "")
	_, err = s.List(t.Context(), dir)
	requireKind(t, guest.TooLarge, err)
	begin := time.Now()
	require.NoError(t, s.Remove(t.Context(), dir))
	require.Less(t, time.Since(begin), 10*time.Second)
}

func TestMkdir(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := t.Context()
	require.NoError(t, s.Mkdir(ctx, "a/b/c", 0o700))
	require.NoError(t, s.Mkdir(ctx, "a/b/c", 0o755), "again")
	require.NoError(t, s.Mkdir(ctx, "a/../d/./e//", 0o755))
	require.Zero(t, s.sh(t, "[ $(stat -c %a a/b/c) = 700 ] && [ $(stat -c %a a/b) = 755 ] && [ -d d/e ] && ln -s a link && touch file").Code)
	require.NoError(t, s.Mkdir(ctx, "link/f", 0o755))
	require.Zero(t, s.sh(t, "[ -d a/f ]").Code)
	requireKind(t, guest.NotDir, s.Mkdir(ctx, "file", 0o755))
	requireKind(t, guest.NotDir, s.Mkdir(ctx, "file/x", 0o755))
	requireKind(t, guest.Loop, s.Mkdir(ctx, "/proc/self/cwd/x", 0o755))
}

func TestMove(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := t.Context()
	s.write(t, "a", "1")
	s.write(t, "b", "2")
	require.NoError(t, s.Move(ctx, "a", "b"))
	require.Equal(t, "1", s.read(t, "b", 0, 0))
	require.NoError(t, s.Mkdir(ctx, "full/sub", 0o755))
	require.NoError(t, s.Mkdir(ctx, "dir", 0o755))
	requireKind(t, guest.IsDir, s.Move(ctx, "b", "dir"))
	requireKind(t, guest.NotEmpty, s.Move(ctx, "dir", "full"))
	requireKind(t, guest.NotDir, s.Move(ctx, "dir", "b"))
	requireKind(t, guest.NotExist, s.Move(ctx, "nothing", "b"))
	requireKind(t, guest.NotExist, s.Move(ctx, "b", "no/such/dir"))
	require.NoError(t, s.Move(ctx, "full", "dir"))
	require.Zero(t, s.sh(t, "[ -d dir/sub ] && [ ! -e full ]").Code)
}

// Between file systems nothing can be renamed.
func TestMoveAcross(t *testing.T) {
	t.Parallel()
	const shm = "/dev/shm"
	s := start(t)
	var here, there unix.Statfs_t
	if unix.Statfs(shm, &there) != nil || unix.Statfs(s.home, &here) != nil || here.Type == there.Type {
		t.Skip("no second file system")
	}
	other, err := os.MkdirTemp(shm, "agent-test") //nolint:usetesting // on another file system
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(other)) })
	require.Zero(t, s.sh(t, "mkdir -p d/e; echo 1 >d/e/f; chmod 750 d; chmod 600 d/e/f; touch -d @86400 d/e/f; ln -s nowhere d/l; echo x >"+other+"/g").Code)
	require.NoError(t, s.Move(t.Context(), "d", other+"/moved"))
	require.NoError(t, s.Move(t.Context(), other+"/g", "g"))
	require.Equal(t, "x\n", s.read(t, "g", 0, 0))
	r := s.sh(t, "cd "+other+"/moved; [ ! -e $HOME/d ] && stat -c '%a %Y' e/f && stat -c %a . && readlink l; ls -A ..")
	require.Equal(t, "600 86400\n750\nnowhere\nmoved\n", r.out)
	require.Zero(t, s.sh(t, "mkfifo p").Code)
	requireKind(t, guest.NotRegular, s.Move(t.Context(), "p", other+"/p"))
	requireKind(t, guest.IsDir, s.Move(t.Context(), "g", other+"/moved"))
	require.Equal(t, "moved\n", s.sh(t, "ls -A "+other).out, "nothing is left of what failed")
}

func TestRemove(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := t.Context()
	require.Zero(t, s.sh(t, "mkdir -p keep d/e/f; echo x >keep/x; ln -s ../keep d/link; ln -s $HOME/keep d/e/link; touch d/.h d/e/f/g; mkdir d/locked; touch d/locked/x; chmod 0 d/locked d/e/f/g").Code)
	require.NoError(t, s.Remove(ctx, "d/link/"))
	require.NoError(t, s.Remove(ctx, "d"))
	require.Equal(t, "keep\n", s.sh(t, "ls -A").out)
	require.Equal(t, "x\n", s.read(t, "keep/x", 0, 0))
	requireKind(t, guest.NotExist, s.Remove(ctx, "d"))
	require.NoError(t, s.Remove(ctx, "keep/x"))
}

func TestRemoveDeep(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := memory(t)
	const depth = 10_000
	dir, err := unix.Open(root, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	for range depth {
		require.NoError(t, unix.Mkdirat(dir, "d", 0o755))
		next, err := unix.Openat(dir, "d", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		require.NoError(t, err)
		closeFD(dir)
		dir = next
	}
	closeFD(dir)
	found, err := s.Search(t.Context(), guest.SearchQuery{Dir: root, Pattern: "nothing"})
	require.NoError(t, err)
	require.True(t, found.Truncated)
	_, err = s.Changes(t.Context(), root)
	requireKind(t, guest.TooLarge, err)
	before := len(descriptors(t, s.pid))
	begin := time.Now()
	require.NoError(t, s.Remove(t.Context(), root+"/d"))
	require.Less(t, time.Since(begin), 5*time.Second)
	require.Len(t, descriptors(t, s.pid), before)
	list, err := s.List(t.Context(), root)
	require.NoError(t, err)
	require.Empty(t, list)
}
