package filesystem

import (
	"context"
	"io"
	"sync"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// SumPrefix begins a condition on the SHA-256 of a file, in hexadecimal digits:
// "sha256:9f86d0…". Any other condition is an ETag.
const SumPrefix = wire.SumPrefix

// OpenStreamOptions are for [Client.OpenStream].
type OpenStreamOptions struct {
	// Offset is the byte to start from. Beyond the end there is nothing.
	Offset int64
	// Length is how many bytes to read at most; 0 means to the end.
	Length int64
	// IfMatch, when not empty, is the ETag that the file must have, or its
	// SHA-256 after [SumPrefix]. Another is an error with code
	// [apierr.FailedPrecondition]. A read that broke goes on with an Offset and
	// the ETag of before.
	IfMatch string
}

// A StreamReader reads a file as one stream, as fast as it comes. It is for one
// goroutine at a time, but for Close.
type StreamReader struct {
	info FileInfo
	etag string
	id   string
	in   io.Reader
	from *inflow // nil when the content comes in pieces
	file *File
	once sync.Once
}

var (
	_ io.ReadCloser = (*StreamReader)(nil)
	_ io.WriterTo   = (*StreamReader)(nil)
)

// OpenStream opens a file for reading, following symbolic links. It ends where
// the file ended when it was opened; one that has become shorter by then is an
// error, as is a stream that breaks. ctx bounds every read too. The caller has to
// close the reader. The options may be nil.
//
// AGB's hosted service has no streams: without IfMatch the file is read in
// pieces there, as [Client.Open] does, and has no ETag; with it the error has
// code [apierr.Unsupported].
func (c *Client) OpenStream(ctx context.Context, path string, opts *OpenStreamOptions) (*StreamReader, error) {
	s, err := c.subject("OpenStream", path)
	if err != nil {
		return nil, err
	}
	var o OpenStreamOptions
	if opts != nil {
		o = *opts
	}
	if o.Offset < 0 || o.Length < 0 {
		return nil, s.failf(apierr.InvalidArgument, "offset %d or length %d is negative", o.Offset, o.Length)
	}
	f, err := openFlow(ctx, s, wire.ReadContent, wire.ReadContentRequest{
		FileRequest: wire.FileRequest{SessionID: c.session, Path: path}, Offset: o.Offset, Length: o.Length, IfMatch: o.IfMatch,
	})
	if unsupported(err) && o.IfMatch == "" {
		return c.openPieces(ctx, path, o)
	}
	if err != nil {
		return nil, err
	}
	in := &inflow{flow: f, limit: o.Length}
	r, err := in.begin()
	if err != nil {
		f.close()
		return nil, err
	}
	return r, nil
}

// begin takes in the state of the file.
func (f *inflow) begin() (*StreamReader, error) {
	kind, p, err := f.st.Next()
	if err != nil {
		return nil, f.fail(err)
	}
	var state wire.FileState
	if kind != wire.FrameState {
		return nil, f.fail(f.st.Malformed("the server sends content before it says what it is"))
	}
	if err := f.told(p, &state); err != nil {
		return nil, err
	}
	if state.Size < 0 || len(state.ETag) > maxETagBytes {
		return nil, f.fail(f.st.Malformed("the server describes a file that cannot be"))
	}
	return &StreamReader{info: newFileInfo(f.s.path, state.FileInfo), etag: state.ETag, id: f.st.Meta.RequestID, in: f, from: f}, nil
}

// openPieces is OpenStream where there are none.
func (c *Client) openPieces(ctx context.Context, path string, o OpenStreamOptions) (*StreamReader, error) {
	file, err := c.Open(ctx, path, nil)
	if err != nil {
		return nil, err
	}
	if _, err := file.Seek(o.Offset, io.SeekStart); err != nil {
		_ = file.Close() // the first error tells more
		return nil, err
	}
	r := &StreamReader{info: file.Info(), id: file.RequestID(), in: file, file: file}
	if o.Length > 0 {
		r.in = io.LimitReader(file, o.Length)
	}
	return r, nil
}

// Info returns what the file was like when it was opened.
func (r *StreamReader) Info() FileInfo { return r.info }

// ETag returns what changes whenever the file does: [OpenStreamOptions.IfMatch]
// takes it. It is made of inode, size and times; content that changes twice
// within some milliseconds and keeps its size may keep it.
func (r *StreamReader) ETag() string { return r.etag }

// RequestID returns the id of the request that opened the file.
func (r *StreamReader) RequestID() string { return r.id }

// Read implements [io.Reader]. It returns io.EOF only once the server has said
// that this was all.
func (r *StreamReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	return n, r.whole(err)
}

// WriteTo implements [io.WriterTo].
func (r *StreamReader) WriteTo(w io.Writer) (int64, error) {
	if to, ok := w.(*StreamWriter); ok {
		return to.ReadFrom(onlyReader{r}) // so that it knows when this fails
	}
	if r.from == nil {
		return io.Copy(w, onlyReader{r.in})
	}
	n, err := r.from.WriteTo(w)
	if err == nil {
		err = r.count()
	}
	return n, err
}

// whole makes sure that the end is that of all.
func (r *StreamReader) whole(err error) error {
	if err == io.EOF && r.from != nil { //nolint:errorlint // readers return it bare
		if e := r.count(); e != nil {
			return e
		}
	}
	return err
}

func (r *StreamReader) count() error {
	if f := r.from; f.end.Bytes != f.total {
		return f.fail(f.st.Malformed("the server has sent another number of bytes than it says"))
	}
	return nil
}

// Close ends the reading, also one that is under way. It returns nil.
func (r *StreamReader) Close() error {
	r.once.Do(func() {
		if r.from != nil {
			r.from.close()
		} else {
			_ = r.file.Close() // it is the first time
		}
	})
	return nil
}

// onlyReader keeps io.Copy from looking for more.
type onlyReader struct{ io.Reader }
