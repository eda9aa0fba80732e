package filesystem

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// OpenOptions are for [Client.Open]. There are none yet.
type OpenOptions struct{}

// A File is a file that is open for reading. It implements [fs.File],
// [io.ReaderAt], [io.Seeker] and [io.WriterTo]. It holds no resources of the
// sandbox, and up to four chunks of 50 KiB.
//
// The file ends where it ended when it was opened, or before when it has
// shrunk; one that claimed to be empty is read to its end.
//
// It is safe for concurrent use. Read, WriteTo and Seek share one position and
// wait for each other; ReadAt waits for nobody.
type File struct {
	s      subject
	info   FileInfo
	id     string
	ctx    context.Context
	cancel context.CancelFunc
	closed atomic.Bool

	mu   sync.Mutex // guards the position
	r    *reader
	rest []byte // what comes before r, and was not read yet
}

var (
	_ fs.File     = (*File)(nil)
	_ io.ReaderAt = (*File)(nil)
	_ io.Seeker   = (*File)(nil)
	_ io.WriterTo = (*File)(nil)
)

// Open opens a file for reading, following symbolic links. A directory is an
// error. ctx bounds every read too: when it ends, reads fail with its error.
// The caller has to close the file. The options may be nil.
func (c *Client) Open(ctx context.Context, path string, _ *OpenOptions) (*File, error) {
	s, err := c.subject("Open", path)
	if err != nil {
		return nil, err
	}
	info, id, err := s.statFile(ctx)
	if err != nil {
		return nil, err
	}
	return newFile(ctx, s, info, id), nil
}

func newFile(ctx context.Context, s subject, info FileInfo, requestID string) *File {
	s.op = "File.Read"
	ctx, cancel := context.WithCancel(ctx)
	return &File{
		s: s, info: info, id: requestID, ctx: ctx, cancel: cancel,
		r: newReader(ctx, s, 0, endOf(info)),
	}
}

// Info returns what the file was like when it was opened.
func (f *File) Info() FileInfo { return f.info }

// RequestID returns the id of the request that opened the file.
func (f *File) RequestID() string { return f.id }

// Stat returns what Info does, as package io/fs wants it.
func (f *File) Stat() (fs.FileInfo, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	return standardInfo{f.info}, nil
}

// Read reads some of the file, up to len(p) bytes.
func (f *File) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(p) == 0 {
		return 0, f.check()
	}
	if err := f.fill(); err != nil {
		return 0, err
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

// fill sees to it that rest has something.
func (f *File) fill() error {
	if err := f.check(); err != nil || len(f.rest) > 0 {
		return err
	}
	next, err := f.r.next()
	f.rest = next.content
	return err
}

// WriteTo writes what is left of the file to w.
func (f *File) WriteTo(w io.Writer) (written int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		if err := f.fill(); errors.Is(err, io.EOF) {
			return written, nil
		} else if err != nil {
			return written, err
		}
		n, err := w.Write(f.rest)
		written += int64(n)
		f.rest = f.rest[n:]
		if err != nil {
			return written, err
		}
	}
}

// ReadAt reads len(p) bytes from offset on; fewer only with an error, which is
// [io.EOF] at the end.
func (f *File) ReadAt(p []byte, offset int64) (n int, err error) {
	if err := f.check(); err != nil {
		return 0, err
	}
	if offset < 0 {
		return 0, f.s.failf(apierr.InvalidArgument, "offset %d is negative", offset)
	}
	for end := endOf(f.info); n < len(p); {
		at := offset + int64(n)
		if at >= end {
			return n, io.EOF
		}
		got, err := f.s.fetch(f.ctx, at, min(int64(len(p)-n), end-at, wire.ChunkSize))
		if err != nil {
			return n, err
		}
		if len(got.content) == 0 {
			return n, io.EOF
		}
		n += copy(p[n:], got.content)
	}
	return n, nil
}

// Seek sets the position of the next Read. The end is that of Info.
func (f *File) Seek(offset int64, whence int) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check(); err != nil {
		return 0, err
	}
	at := f.r.offset - int64(len(f.rest))
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += at
	case io.SeekEnd:
		offset += f.info.Size
	default:
		return at, f.s.failf(apierr.InvalidArgument, "whence %d is not known", whence)
	}
	if offset < 0 {
		return at, f.s.failf(apierr.InvalidArgument, "position %d is negative", offset)
	}
	if offset == at {
		return at, nil
	}
	f.r.stop()
	f.r, f.rest = newReader(f.ctx, f.s, offset, endOf(f.info)), nil
	return offset, nil
}

// Close ends reads that are under way and frees what the file holds. Closing
// twice gives an error that matches [fs.ErrClosed], as does everything else
// afterwards.
func (f *File) Close() error {
	if f.closed.Swap(true) {
		return f.check()
	}
	f.cancel()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.r.stop()
	f.rest = nil
	return nil
}

// check refuses what comes after Close.
func (f *File) check() error {
	if !f.closed.Load() {
		return nil
	}
	return f.s.fail(errClosed, "")
}

// errClosed is why a file or a writer that was closed does nothing.
var errClosed = apierr.Errorf(apierr.InvalidArgument, "%w", fs.ErrClosed)
