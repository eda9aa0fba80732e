package filesystem

import (
	"context"
	"errors"
	"io/fs"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// WriteMode says what writing does with a file that exists. One that does not
// is made in every mode; the embedded engine makes its parent directories too.
type WriteMode int

// Write modes.
const (
	Overwrite WriteMode = iota // empty it first
	Append                     // add to its end
	CreateNew                  // fail with an error that matches [fs.ErrExist]
)

// wireModes are the names of the modes in the protocol.
var wireModes = map[WriteMode]string{
	Overwrite: wire.WriteOverwrite,
	Append:    wire.WriteAppend,
	CreateNew: wire.WriteCreateNew,
}

// WriteOptions are for [Client.WriteFile] and [Client.Create].
type WriteOptions struct {
	Mode WriteMode
}

// WriteResult is the outcome of [Client.WriteFile].
type WriteResult struct {
	Written   int64  // bytes
	RequestID string // of the last of the calls it took
}

// WriteFile writes content, which it does not keep, to a file. The options may
// be nil.
//
// When it fails half-way the result is there beside the error, and tells how
// many bytes are known to be written; of the call that failed some more may be.
// When one call is not enough WriteFile looks at the file's size in the end:
// one that is wrong, as when somebody else writes too, is an error with code
// [apierr.UnknownOutcome].
func (c *Client) WriteFile(ctx context.Context, path string, content []byte, opts *WriteOptions) (*WriteResult, error) {
	u, err := c.newUpload("WriteFile", path, opts)
	if err != nil {
		return nil, err
	}
	first, text := split(content)
	if !text {
		first = 0
	}
	if first < len(content) {
		err = u.prepare(ctx)
	}
	if err == nil {
		err = u.putText(ctx, content[:first])
	}
	for content = content[first:]; err == nil && len(content) > 0; {
		var n int
		n, err = u.put(ctx, content)
		content = content[n:]
	}
	if err == nil {
		err = u.verify(ctx)
	}
	return &u.WriteResult, err
}

// upload is content on its way to a file, piece by piece.
type upload struct {
	subject
	WriteResult
	mode  WriteMode // of all of it
	calls int       // that have written
	base  int64     // bytes that were there before, when appending
}

func (c *Client) newUpload(op, path string, opts *WriteOptions) (*upload, error) {
	s, err := c.subject(op, path)
	if err != nil {
		return nil, err
	}
	u := &upload{subject: s}
	if opts != nil {
		u.mode = opts.Mode
	}
	if _, ok := wireModes[u.mode]; !ok {
		return nil, s.failf(apierr.InvalidArgument, "write mode %d is not known", u.mode)
	}
	return u, nil
}

// prepare learns what verify has to know of an upload of several calls.
func (u *upload) prepare(ctx context.Context) error {
	if u.mode != Append {
		return nil
	}
	info, _, err := u.stat(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	u.base = info.Size
	return err
}

// put writes the first piece of content, which is not the file's first, and
// returns how many bytes that are.
func (u *upload) put(ctx context.Context, content []byte) (int, error) {
	n, text := split(content)
	if text {
		return n, u.putText(ctx, content[:n])
	}
	return n, u.putBytes(ctx, content[:n])
}

// putText writes a piece that is valid UTF-8. The first one of a file may be
// empty, and sees to the mode.
func (u *upload) putText(ctx context.Context, piece []byte) error {
	mode := u.mode
	if u.calls > 0 {
		mode = Append
	}
	_, id, err := ask(ctx, u.subject, wire.WriteFile, wire.WriteFileArgs{
		Path: u.path, Content: string(piece), Mode: wireModes[mode],
	})
	return u.wrote(len(piece), id, err)
}

// wrote takes account of a call that wrote n bytes or failed.
func (u *upload) wrote(n int, requestID string, err error) error {
	u.RequestID = requestID
	if err != nil {
		return err
	}
	u.calls++
	u.Written += int64(n)
	return nil
}

// verify makes sure that what several calls wrote has become one file.
func (u *upload) verify(ctx context.Context) error {
	if u.calls < 2 {
		return nil
	}
	info, id, err := u.stat(ctx)
	if err != nil {
		return err
	}
	u.RequestID = id
	want := u.base + u.Written
	if !info.Mode.IsRegular() || info.Size == want || u.mode == Append && info.Size > want {
		return nil
	}
	return u.fail(apierr.Errorf(apierr.UnknownOutcome,
		"wrote %d bytes, but the file has %d instead of %d", u.Written, info.Size, want), id)
}
