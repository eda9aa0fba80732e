package filesystem

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"math"
	"slices"
	"syscall"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// DefaultMaxBytes is how much [Client.ReadFile] takes into memory unless
// [ReadOptions.MaxBytes] says otherwise.
const DefaultMaxBytes = 256 << 20

// trustedBytes is how much memory is set aside because a server says that a
// file is so large.
const trustedBytes = 4 << 20

// ReadOptions are for [Client.ReadFile] and [Client.ReadFiles].
type ReadOptions struct {
	// Offset is the byte to start from. Beyond the end there is nothing.
	Offset int64
	// Length is how many bytes to read at most; 0 means to the end.
	Length int64
	// MaxBytes bounds what is taken into memory for one file; 0 means
	// [DefaultMaxBytes]. More than that is an error with code
	// [apierr.ResponseTooLarge].
	MaxBytes int64
}

// ReadResult is the outcome of [Client.ReadFile].
type ReadResult struct {
	Content   []byte // the caller's own; never nil
	RequestID string // of the last of the calls it took
}

// ReadFile reads a file into memory; [Client.Open] does not hold it there.
// The file is read up to the size that it has when ReadFile starts, less when
// it shrinks meanwhile; one that claims to be empty is read to its end. The
// options may be nil.
func (c *Client) ReadFile(ctx context.Context, path string, opts *ReadOptions) (*ReadResult, error) {
	s, err := c.subject("ReadFile", path)
	if err != nil {
		return nil, err
	}
	var o ReadOptions
	if opts != nil {
		o = *opts
	}
	return s.readFile(ctx, o)
}

func (s subject) readFile(ctx context.Context, o ReadOptions) (*ReadResult, error) {
	if o.Offset < 0 || o.Length < 0 || o.MaxBytes < 0 {
		return nil, s.failf(apierr.InvalidArgument, "offset %d, length %d or limit %d is negative", o.Offset, o.Length, o.MaxBytes)
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	info, id, err := s.statFile(ctx)
	if err != nil {
		return nil, err
	}
	end := endOf(info)
	if o.Length > 0 && o.Length < end-min(o.Offset, end) {
		end = o.Offset + o.Length
	}
	var expect int64
	if info.Size > 0 {
		expect = max(0, end-o.Offset)
	}
	if expect > o.MaxBytes {
		return nil, s.tooLarge(o.MaxBytes, id)
	}

	r := newReader(ctx, s, o.Offset, end)
	defer r.stop()
	return r.collect(&ReadResult{RequestID: id}, expect, o.MaxBytes)
}

// collect adds all that is left to res. So many bytes are to be expected, if it
// is known, and no more than limit are allowed.
func (r *reader) collect(res *ReadResult, expect, limit int64) (*ReadResult, error) {
	res.Content = make([]byte, 0, min(expect, trustedBytes))
	for {
		p, err := r.next()
		if errors.Is(err, io.EOF) {
			return res, nil
		}
		if err != nil {
			return nil, err
		}
		have, more := len(res.Content), len(p.content)
		if int64(have+more) > limit {
			return nil, r.s.tooLarge(limit, p.requestID)
		}
		if have+more > cap(res.Content) {
			// Left to itself append would copy more often.
			res.Content = slices.Grow(res.Content, max(more, int(min(expect, 2*int64(have)))-have))
		}
		res.Content = append(res.Content, p.content...)
		res.RequestID = p.requestID
	}
}

func (s subject) tooLarge(limit int64, requestID string) error {
	e := apierr.Errorf(apierr.ResponseTooLarge, "more than %d bytes", limit)
	return s.fail(e.WithHint("raise ReadOptions.MaxBytes, or stream it with Open"), requestID)
}

// statFile describes what is about to be read, which must not be a directory.
func (s subject) statFile(ctx context.Context) (FileInfo, string, error) {
	info, id, err := s.stat(ctx)
	if err == nil && info.IsDir() {
		err = s.fail(apierr.Errorf(apierr.FailedPrecondition, "%w", syscall.EISDIR), id)
	}
	return info, id, err
}

// unknownEnd is where a file ends whose size says nothing.
const unknownEnd = math.MaxInt64

// endOf returns where to stop reading a file.
func endOf(info FileInfo) int64 {
	if info.Size == 0 {
		return unknownEnd
	}
	return info.Size
}

// piece is some of a file.
type piece struct {
	content   []byte
	requestID string
}

// fetch reads up to n bytes, at most a chunk, from offset on. None means that
// the file ends there.
func (s subject) fetch(ctx context.Context, offset, n int64) (piece, error) {
	out, id, err := ask(ctx, s, wire.ReadFile, wire.ReadFileArgs{
		Path: s.path, Offset: offset, Length: n, Format: wire.FormatBinary,
	})
	if err != nil {
		return piece{}, err
	}
	content, err := base64.StdEncoding.DecodeString(out.Text)
	if err != nil {
		return piece{}, s.fail(apierr.Errorf(apierr.MalformedResponse, "content is not base64: %w", err), id)
	}
	if int64(len(content)) > n {
		return piece{}, s.fail(apierr.Errorf(apierr.MalformedResponse, "asked for %d bytes, got %d", n, len(content)), id)
	}
	return piece{content, id}, nil
}
