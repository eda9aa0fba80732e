//go:build linux && (amd64 || arm64)

package hostile

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/command"
	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/filesystem"
)

// TestPaths is of paths that are given to the client.
func TestPaths(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfKernel)
	l := newLab(t, engine.Config{})
	attackAll(t, l, pathAttacks)
	tryAll(t, l, pathTrials())
}

// pathAttacks have no script, so that one vector is enough.
var pathAttacks = []attack{
	{id: "F03", vectors: []vector{first}, then: oddPaths, bare: bareFile(up)},
	{id: "F11", vectors: []vector{first}, then: magicPaths, bare: bareFile(up + "/proc/self/root")},
	{id: "F15", vectors: []vector{first}, then: oddDirectories, bare: bareFile(up)},
}

func pathTrials() []trial {
	return []trial{
		{id: "F28", control: fifoBlocks, run: specialFiles},
		{id: "F33", control: bareWins(`$ATTACK deep 4000 && ls -R . >/dev/null || echo WIN`), run: deepTree},
	}
}

// bareFile reads the canary by a path that starts with prefix.
func bareFile(prefix string) func(string, *world) []byte {
	return func(dir string, w *world) []byte {
		text, _ := os.ReadFile(dir + "/" + prefix + w.file) // what is there is judged
		return text
	}
}

// readEach reads, lists and describes paths by the client, and removes none.
func readEach(ctx context.Context, s *agb.Session, paths []string) (out []byte) {
	for _, path := range paths {
		if res, err := s.FileSystem.ReadFile(ctx, path, nil); err == nil {
			out = append(out, res.Content...)
		}
		if res, err := s.FileSystem.List(ctx, path, nil); err == nil {
			for _, e := range res.Entries {
				if e.Name() == "canary" {
					out = append(out, "WIN listed "+path+"\n"...)
				}
			}
		}
		if res, err := s.FileSystem.ReadFiles(ctx, []string{path}, nil); err == nil {
			for _, f := range res.Files {
				out = append(out, f.Content...)
			}
		}
	}
	return out
}

func oddPaths(ctx context.Context, s *agb.Session, w *world) []byte {
	var paths []string
	for _, p := range []string{w.file, w.dir} {
		escaped := strings.ReplaceAll(p, "/", "%2f")
		paths = append(paths, up+p, "/.."+p, "a/../.."+up+p, "."+p, "/home/user/.."+up+p, "/tmp/"+up+p, p+"/", "/"+p, "//"+p,
			strings.ReplaceAll(p, "/", `\`), `..\..\..\..`+strings.ReplaceAll(p, "/", `\`), "%2e%2e%2f%2e%2e"+escaped, escaped,
			p+"\x00", "\x00"+p, "file://"+p, "~root/"+p, "$H1", "`cat "+p+"`", "$(cat "+p+")", "'; cat "+p+"; '", p+"\n",
			strings.Repeat("a/", 2049)+"x", strings.Repeat("n", 256), "", ".", "./", "/", "//", "-rf", "--help")
	}
	out := readEach(ctx, s, paths)
	for _, path := range paths {
		if path != "" && strings.HasSuffix(path, "canary") {
			_, _ = s.FileSystem.WriteFile(ctx, path, []byte("changed"), nil) // inside, it may succeed
		}
	}
	return out
}

func magicPaths(ctx context.Context, s *agb.Session, w *world) []byte {
	var paths []string
	for _, root := range []string{
		"/proc/self/root", "/proc/self/cwd", "/proc/1/root", "/proc/1/cwd", "/proc/thread-self/root", "/proc/self/task/1/root",
		"/proc/self/root/..", "/dev/fd/3", "/proc/1/map_files",
	} {
		paths = append(paths, root+w.file, root+"/"+up+w.file, root+w.dir)
	}
	for fd := range 20 {
		paths = append(paths, fmt.Sprintf("/proc/self/fd/%d%s", fd, w.file), fmt.Sprintf("/proc/1/fd/%d%s", fd, w.file), fmt.Sprintf("/dev/fd/%d", fd))
	}
	for _, name := range []string{"environ", "mem", "maps", "auxv", "exe", "cmdline"} {
		path := "/proc/self/" + name
		if name == "cmdline" {
			path = "/proc/1/environ"
		}
		if res, err := s.FileSystem.ReadFile(ctx, path, nil); err == nil && len(res.Content) > 0 {
			return append([]byte("WIN the guest's "+path+" is open\n"), res.Content...)
		}
	}
	return readEach(ctx, s, paths)
}

// oddDirectories runs commands in directories that lead outside, or nowhere.
func oddDirectories(ctx context.Context, s *agb.Session, w *world) (out []byte) {
	dirs := []string{w.dir, up + w.dir, "/proc/1/root" + w.dir, "/proc/self/root" + w.dir, "/proc/1/cwd", "/proc/self/cwd/../../.." + w.dir}
	for fd := 3; fd <= 20; fd++ {
		for _, proc := range []string{"self", "1", "thread-self"} {
			dirs = append(dirs, fmt.Sprintf("/proc/%s/fd/%d", proc, fd))
		}
	}
	for _, dir := range dirs {
		res, err := s.Command.Run(ctx, `
			case "$(pwd -P)" in /|/home/user|/tmp) ;; *) echo "WIN in $(pwd -P)";; esac
			cat canary ./"$UP/$H1"; ls -la . ..`,
			&command.RunOptions{Dir: dir, Env: map[string]string{"H1": w.file, "UP": up}})
		if err == nil {
			out = append(out, res.Stdout+res.Stderr...)
		}
	}
	res, err := s.Command.Run(ctx, `mkdir /tmp/gone; cd /tmp/gone; rmdir /tmp/gone; cat canary "../$H1"; pwd -P`, nil)
	if err == nil {
		out = append(out, res.Stdout...)
	}
	return out
}

// fifoBlocks is a control: who opens a pipe for reading waits.
func fifoBlocks(t *testing.T) bool {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, unix.Mkfifo(path, 0o600))
	read := make(chan struct{})
	go func() {
		_, _ = os.ReadFile(path) // blocks until there is a writer
		close(read)
	}()
	blocked := false
	select {
	case <-read:
	case <-time.After(100 * time.Millisecond):
		blocked = true
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	<-read
	return blocked
}

// specialFiles requires that files that are none hold nobody up, and that
// nobody takes them for files.
func specialFiles(t *testing.T, l lab) {
	t.Helper()
	s := l.create(t)
	sh(t, s, `set -e; mkfifo fifo; mkdir dir; ln -s loop loop; ln -s /dev/zero zero; ln -s fifo to-fifo; ln -s dir to-dir
		perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => "socket", Listen => 1) || die'; test -S socket`)
	for _, path := range []string{
		"fifo", "dir", "loop", "zero", "to-fifo", "to-dir", "socket",
		"/dev/zero", "/dev/random", "/dev/full", "/dev/ptmx", "/dev/tty", "/proc/kmsg",
	} {
		const within = 2 * time.Second
		fails := func(what string, f func(context.Context) error) {
			timed(t, within, what+" "+path, func(ctx context.Context) error {
				err := f(ctx)
				require.Error(t, err, "%s %s", what, path)
				require.NotErrorIs(t, err, context.DeadlineExceeded, "%s %s", what, path)
				return nil
			})
		}
		fails("read", func(ctx context.Context) error {
			_, err := s.FileSystem.ReadFile(ctx, path, nil)
			return err
		})
		fails("write", func(ctx context.Context) error {
			_, err := s.FileSystem.WriteFile(ctx, path, []byte("x"), nil)
			return err
		})
		fails("append", func(ctx context.Context) error {
			_, err := s.FileSystem.WriteFile(ctx, path, []byte("x"), &filesystem.WriteOptions{Mode: filesystem.Append})
			return err
		})
		fails("open", func(ctx context.Context) error {
			f, err := s.FileSystem.OpenStream(ctx, path, nil)
			if err != nil {
				return err
			}
			defer func() { _ = f.Close() }() // the error of reading is looked for
			_, err = io.Copy(io.Discard, f)
			return err
		})
	}
	remove(t, s)
}

// deepTree requires that a tree deeper than any path can say is no trouble.
func deepTree(t *testing.T, l lab) {
	t.Helper()
	s := l.create(t)
	program := upload(t, s)
	sh(t, s, "mkdir shallow && cd shallow && "+program+" deep 1000")
	timed(t, scriptTimeout, "remove", func(ctx context.Context) error {
		_, err := s.FileSystem.Remove(ctx, "shallow", nil)
		return err
	})
	require.Contains(t, sh(t, s, "mkdir deep && cd deep && "+program+" deep 3000"), "deep: 3000")
	timed(t, scriptTimeout, "walk", func(ctx context.Context) error {
		_, err := s.FileSystem.Search(ctx, "deep", "no such name", nil)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		_, err = s.FileSystem.List(ctx, "deep", nil)
		require.NoError(t, err)
		_, err = s.FileSystem.Move(ctx, strings.Repeat("d/", 2000), "moved", nil)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		return nil
	})
	require.Contains(t, sh(t, s, "mkdir deepest && cd deepest && "+program+" deep 10000"), "deep: 10000")
	require.Equal(t, "alive", sh(t, s, "echo alive"))
	remove(t, s)
}
