package httpapi

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"math"
	"unicode/utf8"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/guest"
	"github.com/agb-go/sdk/internal/wire"
)

// Bounds of what is read of files in one call.
const (
	readLimit      = 8 << 20  // bytes of one file
	batchLimit     = 14 << 20 // bytes of several files together, encoded, as text and as base64
	batchFileLimit = 1000     // files
)

// readFile reads a range of a file. Binary is base64 of exactly those bytes.
// Text is exactly the characters whose first byte lies in the range, so that
// the texts of adjacent ranges join without loss wherever the cuts are.
func readFile(ctx context.Context, ws *Workspace, args wire.ReadFileArgs) (wire.FileContent, error) {
	if err := need(wire.ReadFile.Name, "path", args.Path); err != nil {
		return wire.FileContent{}, err
	}
	if args.Offset < 0 || args.Length < 0 || args.Offset > math.MaxInt64-args.Length-2*utf8.UTFMax {
		return wire.FileContent{}, apierr.Errorf(apierr.InvalidArgument, "read_file: invalid range: offset %d, length %d", args.Offset, args.Length)
	}
	switch args.Format {
	case wire.FormatBinary:
		b, err := readRange(ctx, ws.Guest, args.Path, args.Offset, args.Length)
		return wire.FileContent{Text: base64.StdEncoding.EncodeToString(b)}, err
	case "", "text":
		text, err := readText(ctx, ws.Guest, args.Path, args.Offset, args.Length)
		return wire.FileContent{Text: text}, err
	default:
		return wire.FileContent{}, apierr.Errorf(apierr.InvalidArgument, "read_file: invalid format %q", args.Format)
	}
}

// readText reads the characters whose first byte lies in a range.
func readText(ctx context.Context, c *guest.Client, path string, offset, length int64) (string, error) {
	// A character that spans an edge of the range starts at most this many
	// bytes before it, and ends at most this many after.
	const margin = utf8.UTFMax - 1
	before := min(offset, margin)
	span := length
	if span > 0 {
		span += before + margin
	}
	b, err := readRange(ctx, c, path, offset-before, span)
	if err != nil {
		return "", err
	}
	start := nextRune(b, int(before))
	end := len(b)
	if length > 0 {
		end = nextRune(b, int(before+length))
	}
	return replaceInvalid(b[start:end]), nil
}

// nextRune returns where the first character that starts at i or later does:
// i, or the end of the character that i is in the midst of. The first byte of
// a valid longer character is never a later byte of another, so looking back
// decides.
func nextRune(b []byte, i int) int {
	if i >= len(b) {
		return len(b)
	}
	for p := max(0, i-utf8.UTFMax+1); p < i; p++ {
		if r, size := utf8.DecodeRune(b[p:]); (r != utf8.RuneError || size > 1) && p+size > i {
			return p + size
		}
	}
	return i
}

// readRange reads bytes of a file; a length of 0 means to its end.
func readRange(ctx context.Context, c *guest.Client, path string, offset, length int64) ([]byte, error) {
	if length > readLimit+2*utf8.UTFMax {
		return nil, errReadLimit(path)
	}
	w := &limitedBuffer{limit: readLimit + 2*utf8.UTFMax}
	_, err := c.Read(ctx, path, offset, length, w)
	if errors.Is(err, errLimit) {
		return nil, errReadLimit(path)
	}
	return w.Bytes(), err
}

func errReadLimit(path string) error {
	return apierr.Errorf(apierr.ResourceExhausted, "read_file: %s: more than %d bytes in one call", path, readLimit).
		WithHint("read it in pieces, with offset and length")
}

var errLimit = errors.New("httpapi: limit reached")

// limitedBuffer is a buffer that takes no more than limit bytes.
type limitedBuffer struct {
	bytes.Buffer
	limit int
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > b.limit {
		return 0, errLimit
	}
	return b.Buffer.Write(p)
}

// ReadFrom keeps the embedded buffer's own from going round the limit.
func (b *limitedBuffer) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{b}, r)
}

// readMultipleFiles reads several files. What cannot be read, or no longer
// fits, says so in its place.
func readMultipleFiles(ctx context.Context, ws *Workspace, args wire.PathsArgs) (wire.MultipleFiles, error) {
	if len(args.Paths) == 0 || len(args.Paths) > batchFileLimit {
		return wire.MultipleFiles{}, apierr.Errorf(apierr.InvalidArgument, "read_multiple_files: invalid arguments: %d paths are not between 1 and %d", len(args.Paths), batchFileLimit)
	}
	r := wire.MultipleFiles{Files: make([]wire.NamedContent, len(args.Paths))}
	left := batchLimit
	for i, path := range args.Paths {
		content, cost, err := readWithin(ctx, ws.Guest, path, left)
		r.Files[i] = wire.NamedContent{Path: path, Content: content}
		left -= cost
		if err == nil {
			continue
		}
		e := toolError(asTool(err))
		if e == nil {
			return wire.MultipleFiles{}, err
		}
		r.Files[i].Error = e.Message
		r.Files[i].ErrorCode, _ = wire.Fault(e.Code)
	}
	return r, nil
}

// readWithin reads a file if what it takes encoded is within budget, and
// returns that, too.
func readWithin(ctx context.Context, c *guest.Client, path string, budget int) (content []byte, cost int, err error) {
	w := &limitedBuffer{limit: budget / 2} // base64 and text take more than that
	_, err = c.Read(ctx, path, 0, 0, w)
	if err == nil {
		cost = encodedLen(w.String()) + base64.StdEncoding.EncodedLen(w.Len())
	}
	switch {
	case errors.Is(err, errLimit) || cost > budget:
		return nil, 0, apierr.Errorf(apierr.ResourceExhausted, "left out: more than %d bytes in one call", batchLimit)
	case err != nil:
		return nil, 0, err
	}
	return w.Bytes(), cost, nil
}
