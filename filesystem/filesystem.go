// Package filesystem reads and writes the files of one session. Programs get a
// [Client] from the session's FileSystem field.
//
// # Content
//
// Content is bytes, and arrives as it was sent whatever it is. It travels in
// pieces of at most 51,200 bytes over the tools that AGB has:
//
//	C: get_file_info {"path":"/tmp/a"}                       S: size, kind
//	C: read_file     {"path":"/tmp/a","offset":0,"length":51200,"format":"binary"}
//	                                                         S: base64
//	C: write_file    {"path":"/tmp/a","content":"…","mode":"overwrite"}
//	C: write_file    {"path":"/tmp/a","content":"…","mode":"append"}
//	C: shell         printf %s '<base64>' | base64 -d >> "$AGB_FILE"
//
// The last is for pieces that are not valid UTF-8, which write_file cannot
// carry: they need a shell, printf and base64 in the image.
//
// Where the server has streams, as the embedded engine does,
// [Client.OpenStream], [Client.CreateStream], [Client.Upload] and
// [Client.Download] move content as it is, much faster, and can replace a file in
// one step.
//
// Of all else nothing is atomic. A write that fails leaves what it has written, a reader
// may see half of it, and of a file that is being written a reader may get
// parts of different ages. Where that matters, write to another name and
// [Client.Move] it.
//
// # Paths
//
// Paths are the sandbox's, with slashes whatever system the program runs on. A
// relative path is relative to the session's home directory. A path that is
// empty, has more than [MaxPathBytes] bytes, has a NUL or is not valid UTF-8 is
// refused before anything is sent.
//
// # Errors
//
// Every error is an [*apierr.Error] whose Op is the method, such as
// "filesystem.ReadFile", with the ids of session and request. Errors about
// files match [io/fs.ErrNotExist], [io/fs.ErrExist] and [io/fs.ErrPermission];
// that a session is gone matches none of these.
package filesystem

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

// MaxPathBytes is how long a path may be, in bytes.
const MaxPathBytes = 4096

// Client works on the files of one session. It is safe for concurrent use; the
// order of calls that are made at the same time is not defined.
type Client struct {
	t       *transport.Client
	session string
}

// New is for package session.
func New(t *transport.Client, session string) *Client { return &Client{t: t, session: session} }

// subject is what a method works on, which its errors name.
type subject struct {
	c    *Client
	op   string // the method
	path string
}

// subject checks path.
func (c *Client) subject(op, path string) (subject, error) {
	s := subject{c, op, path}
	return s, s.check("path", path, MaxPathBytes)
}

// check refuses a path or pattern that cannot be sent as it is.
func (s subject) check(what, text string, limit int) error {
	fault := ""
	switch {
	case text == "":
		fault = "is empty"
	case len(text) > limit:
		return s.failf(apierr.InvalidArgument, "%s has %d bytes, at most %d are allowed", what, len(text), limit)
	case strings.ContainsRune(text, 0):
		fault = "has a NUL"
	case !utf8.ValidString(text):
		fault = "is not valid UTF-8"
	default:
		return nil
	}
	return s.failf(apierr.InvalidArgument, "%s %q %s", what, text, fault)
}

// ask calls a tool and returns its result with the request's id.
func ask[Args, Out any](ctx context.Context, s subject, tool wire.Tool[Args, Out], args Args) (Out, string, error) {
	out, meta, err := transport.Call(ctx, s.c.t, s.c.session, tool, args, 0)
	if err != nil {
		return out, meta.RequestID, s.fail(err, meta.RequestID)
	}
	return out, meta.RequestID, nil
}

// fail returns err as an error of s.
func (s subject) fail(err error, requestID string) error {
	e := *apierr.From(err)
	e.Op = "filesystem." + s.op
	e.SessionID = s.c.session
	if e.RequestID == "" {
		e.RequestID = requestID
	}
	// The path may be a name from a listing, and so be whatever the sandbox or
	// the server made it.
	if path := s.c.t.Message(s.path); path != "" && len(s.path) <= MaxPathBytes && !strings.Contains(e.Message, path) {
		e.Message = path + ": " + e.Message
	}
	return &e
}

func (s subject) failf(code apierr.Code, format string, args ...any) error {
	return s.fail(apierr.Errorf(code, format, args...), "")
}
