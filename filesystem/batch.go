package filesystem

import (
	"cmp"
	"context"
	"errors"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// MaxFiles is how many files [Client.ReadFiles] reads at most.
const MaxFiles = 1000

// ReadFilesOptions are for [Client.ReadFiles].
type ReadFilesOptions struct {
	// MaxBytes bounds the content of each file; 0 means [DefaultMaxBytes].
	// A file that has more fails with code [apierr.ResponseTooLarge].
	MaxBytes int64
}

// FileContent is a file that [Client.ReadFiles] was asked for.
type FileContent struct {
	Path    string // as asked for
	Content []byte // nil only when Err is not
	Err     error  // why there is none
}

// ReadFilesResult is the outcome of [Client.ReadFiles].
type ReadFilesResult struct {
	Files     []FileContent // in the order asked for
	RequestID string        // of the call for all of them
}

// ReadFiles reads several files into memory, small ones in a single call where
// the server can tell them exactly. A file that cannot be read has an error of
// its own; the error of ReadFiles itself means that nothing is known of any. The
// options may be nil.
func (c *Client) ReadFiles(ctx context.Context, paths []string, opts *ReadFilesOptions) (*ReadFilesResult, error) {
	s := subject{c: c, op: "ReadFiles"}
	if len(paths) > MaxFiles {
		return nil, s.failf(apierr.InvalidArgument, "%d files, at most %d are allowed", len(paths), MaxFiles)
	}
	for _, p := range paths {
		if _, err := c.subject(s.op, p); err != nil {
			return nil, err
		}
	}
	b := batch{s: s, files: make([]FileContent, len(paths))}
	if opts != nil {
		b.opts.MaxBytes = opts.MaxBytes
	}
	for i, p := range paths {
		b.files[i].Path = p
	}
	if len(paths) == 0 {
		return &ReadFilesResult{Files: b.files}, nil
	}
	if err := b.together(ctx); err != nil {
		return nil, err
	}
	if err := b.singly(ctx); err != nil {
		return nil, err
	}
	return &ReadFilesResult{b.files, b.requestID}, nil
}

// batch is the work of one ReadFiles.
type batch struct {
	s         subject
	opts      ReadOptions
	files     []FileContent
	left      []int // files that have to be read one by one
	requestID string
}

// together reads what one call gives.
func (b *batch) together(ctx context.Context) error {
	paths := make([]string, len(b.files))
	for i, f := range b.files {
		paths[i] = f.Path
	}
	out, id, err := ask(ctx, b.s, wire.ReadMultipleFiles, wire.PathsArgs{Paths: paths})
	b.requestID = id
	if errors.Is(err, apierr.ResponseTooLarge.Err()) {
		out.Bare, err = true, nil
	}
	if err != nil {
		return err
	}
	if !out.Bare && len(out.Files) != len(paths) {
		return b.s.fail(apierr.Errorf(apierr.MalformedResponse, "asked for %d files, got %d", len(paths), len(out.Files)), id)
	}
	for i := range b.files {
		if out.Bare {
			b.left = append(b.left, i)
			continue
		}
		if err := b.take(i, out.Files[i]); err != nil {
			return err
		}
	}
	return nil
}

// take takes what the call for all says of a file.
func (b *batch) take(i int, got wire.NamedContent) error {
	f := &b.files[i]
	one := subject{b.s.c, b.s.op, f.Path}
	code := wire.FaultCode(got.ErrorCode, 0, got.Error)
	switch {
	case got.Path != f.Path:
		return one.fail(apierr.Errorf(apierr.MalformedResponse, "asked for it, got %.64q", b.s.c.t.Message(got.Path)), b.requestID)
	case got.Error != "" && code == apierr.ResourceExhausted:
		// It did not fit beside the others.
		b.left = append(b.left, i)
	case got.Error != "":
		f.Err = one.fail(&apierr.Error{Code: code, Message: cmp.Or(b.s.c.t.Message(got.Error), "the server did not say why")}, b.requestID)
	case b.opts.MaxBytes > 0 && int64(len(got.Content)) > b.opts.MaxBytes:
		f.Err = one.tooLarge(b.opts.MaxBytes, b.requestID)
	default:
		if f.Content = got.Content; f.Content == nil {
			f.Content = []byte{}
		}
	}
	return nil
}

// singly reads what is left.
func (b *batch) singly(ctx context.Context) error {
	err := each(ctx, len(b.left), func(ctx context.Context, n int) error {
		f := &b.files[b.left[n]]
		res, err := subject{b.s.c, b.s.op, f.Path}.readFile(ctx, b.opts)
		switch {
		case err == nil:
			f.Content = res.Content
		case ctx.Err() != nil || errors.Is(err, apierr.SessionNotFound.Err()):
			return err
		default:
			f.Err = err
		}
		return nil
	})
	if err != nil {
		return b.s.fail(err, "")
	}
	return nil
}
