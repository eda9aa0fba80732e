//go:build linux && (amd64 || arm64)

package hostile

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// world is one set of canaries outside. Every run of an attack has its own.
type world struct {
	dir    string            // no sandbox has it
	file   string            // in dir; holds a token
	before fileState         // of dir and file
	tokens map[string]string // by what holds them: nobody inside may know one
	vars   map[string]string // what attacks are told

	victim  *exec.Cmd
	started string // the victim's start time
	hits    *atomic.Int64
	outside int64 // what the servers of the outside had been asked before
}

// newWorld plants canaries. They are gone when the test ends.
func newWorld(t *testing.T) *world {
	t.Helper()
	dir, err := os.MkdirTemp(given.Temp, "w") //nolint:usetesting // short, for a socket's path
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	w := &world{
		dir: dir, file: filepath.Join(dir, "canary"), hits: new(atomic.Int64), outside: outsideHits.Load(),
		tokens: map[string]string{
			"file": rand.Text(), "listener": rand.Text(), "environment": envToken, "keyring": given.Key, "outside": outsideToken, "other session": sessionToken,
		},
	}
	require.NoError(t, os.WriteFile(w.file, []byte(w.tokens["file"]), 0o644))
	w.vars = map[string]string{"H1": w.file, "H1DIR": w.dir, "OWNER": strconv.Itoa(os.Getpid())}
	w.startVictim(t)
	w.listen(t, "PORT4", "tcp", "127.0.0.1:0")
	w.listen(t, "PORT6", "tcp", "[::1]:0")
	w.listen(t, "ABSTRACT", "unix", "@"+rand.Text())
	w.listen(t, "SOCK", "unix", filepath.Join(w.dir, "s"))
	w.before = stateOf(w.dir, w.file)
	return w
}

func (w *world) startVictim(t *testing.T) {
	t.Helper()
	w.victim = exec.CommandContext(t.Context(), "sleep", "1000")
	require.NoError(t, w.victim.Start())
	t.Cleanup(func() {
		_ = w.victim.Process.Kill() // an attack may have been faster
		_ = w.victim.Wait()         // killed
	})
	w.vars["VICTIM"] = strconv.Itoa(w.victim.Process.Pid)
	w.started = startTime(w.victim.Process.Pid)
}

// listen answers whoever comes with a token. name is where attacks find the
// port or path.
func (w *world) listen(t *testing.T, name, network, addr string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), network, addr)
	require.NoError(t, err)
	w.vars[name] = strings.TrimPrefix(l.Addr().String(), "@")
	if _, port, err := net.SplitHostPort(l.Addr().String()); err == nil {
		w.vars[name] = port
	}
	var accepting sync.WaitGroup
	accepting.Go(func() { answer(l, w.hits, w.tokens["listener"]) })
	t.Cleanup(func() { _ = l.Close(); accepting.Wait() })
}

// answer serves a token until l is closed.
func answer(l net.Listener, hits *atomic.Int64, token string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		hits.Add(1)
		_, _ = fmt.Fprintln(c, token) // the attack may have gone
		_ = c.Close()
	}
}

// fileState is what must not change of files.
type fileState string

func stateOf(paths ...string) fileState {
	var b strings.Builder
	for _, path := range paths {
		info, err := os.Lstat(path)
		if err != nil {
			fmt.Fprintln(&b, err)
			continue
		}
		st, _ := info.Sys().(*syscall.Stat_t) // always, here
		fmt.Fprintln(&b, path, st.Ino, st.Mode, st.Uid, st.Gid, st.Nlink, st.Size, st.Mtim, st.Ctim)
		if text, err := os.ReadFile(path); err == nil {
			fmt.Fprintf(&b, "%x\n", sha256.Sum256(text))
		}
	}
	return fileState(b.String())
}

// startTime tells a process from a later one with its pid; empty when it is
// gone, or dead, or stopped.
func startTime(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if strings.Contains("ZXTt", fields[0]) {
		return ""
	}
	return fields[19]
}

// harm returns every harm that was done, also by what an attack let out.
func (w *world) harm(out []byte) []string {
	var harm []string
	for what, token := range w.tokens {
		if bytes.Contains(out, []byte(token)) {
			harm = append(harm, "the token of the "+what+" got in")
		}
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "WIN") {
			harm = append(harm, strings.TrimSpace(line))
		}
	}
	if n := w.hits.Load(); n > 0 {
		harm = append(harm, fmt.Sprintf("%d connections to listeners", n))
	}
	if n := outsideHits.Load() - w.outside; n > 0 {
		harm = append(harm, fmt.Sprintf("%d packets or connections to the outside", n))
	}
	if stateOf(w.dir, w.file) != w.before {
		harm = append(harm, "a file outside has changed")
	}
	if startTime(w.victim.Process.Pid) != w.started {
		harm = append(harm, "a process outside is gone or stopped")
	}
	return harm
}
