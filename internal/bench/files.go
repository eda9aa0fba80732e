package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/session"
)

const (
	fileBytes = 1 << 30 // of the file that is moved
	fileCount = 10_000  // of the tree
	fileKey   = "the-key-of-the-bench-alone"
	diskBytes = 4 << 30
)

// files moves a large file in and out, and a tree of small ones, through the
// engine in this program and through a port, beside cp. n is how often.
func files(ctx context.Context, w io.Writer, n int) (err error) {
	eng, err := engine.New(engine.Config{
		APIKeys: []string{fileKey}, Limits: engine.Limits{DiskBytes: diskBytes, FileBytes: 2 * fileBytes, MemoryBytes: diskBytes},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, eng.Close()) }()
	if err := copies(ctx, w, n); err != nil {
		return err
	}
	embedded, err := agb.New(agb.WithTransport(eng.Transport()))
	if err != nil {
		return err
	}
	if err := moves(ctx, w, "embedded", embedded, n); err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: eng.Handler(), ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	defer func() {
		err = errors.Join(err, srv.Close())
		if end := <-served; !errors.Is(end, http.ErrServerClosed) {
			err = errors.Join(err, end)
		}
	}()
	remote, err := agb.New(agb.WithEndpoint("http://"+l.Addr().String()), agb.WithAPIKey(fileKey))
	if err != nil {
		return err
	}
	return moves(ctx, w, "loopback", remote, n)
}

// copies is the peer: cp of a file, and of a tree, in /tmp.
func copies(ctx context.Context, w io.Writer, n int) (err error) {
	dir, err := os.MkdirTemp("", "bench-files-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.WriteFile(filepath.Join(dir, "big"), make([]byte, fileBytes), 0o600); err != nil {
		return err
	}
	for range n {
		start := time.Now()
		if err := exec.CommandContext(ctx, "cp", filepath.Join(dir, "big"), filepath.Join(dir, "copy")).Run(); err != nil { //nolint:gosec // of our own
			return err
		}
		rate(w, "cp", "1 GiB", start)
	}
	return nil
}

func rate(w io.Writer, way, what string, start time.Time) {
	took := time.Since(start)
	fmt.Fprintf(w, "%-10s %-28s %8.0f MB/s  %v\n", way, what, float64(fileBytes)/1e6/took.Seconds(), took.Round(time.Millisecond))
}

// moves measures one way to the engine.
func moves(ctx context.Context, w io.Writer, way string, client *agb.Client, n int) error {
	res, err := client.Create(ctx, &agb.CreateParams{ImageID: "host"})
	if err != nil {
		return err
	}
	s := res.Session
	for range n {
		if err := large(ctx, w, way, s); err != nil {
			return err
		}
	}
	if err := small(ctx, w, way, s); err != nil {
		return err
	}
	_, err = client.Delete(ctx, s.ID)
	return err
}

// large writes the large file and reads it.
func large(ctx context.Context, w io.Writer, way string, s *session.Session) error {
	before := heapInUse()
	start := time.Now()
	f, err := s.FileSystem.CreateStream(ctx, "/tmp/big", nil)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, io.LimitReader(zeros{}, fileBytes)); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	rate(w, way, "write 1 GiB", start)
	start = time.Now()
	r, err := s.FileSystem.OpenStream(ctx, "/tmp/big", nil)
	if err != nil {
		return err
	}
	got, err := io.Copy(io.Discard, r)
	if err = errors.Join(err, r.Close()); err != nil {
		return err
	}
	if got != fileBytes {
		return fmt.Errorf("read %d bytes", got)
	}
	rate(w, way, "read 1 GiB", start)
	fmt.Fprintf(w, "%-10s %-28s %8.1f MiB\n", way, "memory from the system, more", float64(heapInUse()-before)/(1<<20))
	return nil
}

// heapInUse is what the runtime has from the system.
func heapInUse() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys - m.HeapReleased)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// small writes a tree as an archive, and one by one.
func small(ctx context.Context, w io.Writer, way string, s *session.Session) (err error) {
	dir, err := os.MkdirTemp("", "bench-tree-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	content := make([]byte, 1000)
	names := make([]string, fileCount)
	for i := range names {
		names[i] = fmt.Sprintf("d%d/f%d", i%100, i)
		name := filepath.Join(dir, names[i])
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, content, 0o600)); err != nil {
			return err
		}
	}
	start := time.Now()
	if _, err := s.FileSystem.UploadDir(ctx, "/tmp/tree", dir, nil); err != nil {
		return err
	}
	together := time.Since(start)
	start = time.Now()
	for _, name := range names {
		if _, err := s.FileSystem.WriteFile(ctx, "/tmp/single/"+name, content, nil); err != nil {
			return err
		}
	}
	alone := time.Since(start)
	fmt.Fprintf(w, "%-10s %-28s %8v as tar, %v one by one: × %.1f\n", way, fmt.Sprintf("%d files", fileCount),
		together.Round(time.Millisecond), alone.Round(time.Millisecond), alone.Seconds()/together.Seconds())
	return nil
}
