package filesystem

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

// split returns how many of the leading bytes of content to send in one call,
// and whether as text: only valid UTF-8 survives in JSON. It does not cut
// characters in two. It returns 0 for nothing alone, which is text.
func split(content []byte) (n int, text bool) {
	content = content[:min(len(content), wire.ChunkSize)]
	whole := content[:len(content)-cutOff(content)]
	if len(whole) == 0 {
		return len(content), len(content) == 0
	}
	return len(whole), utf8.Valid(whole)
}

// cutOff returns how many bytes at the end of b begin a character that goes on
// after b.
func cutOff(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}

const (
	// shellTimeout is how long a shell may take to write one piece.
	shellTimeout = 30 * time.Second
	// shellFile is the environment variable that names the file.
	shellFile = "AGB_FILE"
	// notFoundStatus is the exit status of a shell for a program it lacks.
	notFoundStatus = 127
	// maxComplaint is how much of what a shell says errors repeat, in bytes.
	maxComplaint = 512
)

// putBytes appends a piece that is not text. In base64 a chunk has 68,268
// bytes, well below the 128 KiB that Linux allows for one argument.
func (u *upload) putBytes(ctx context.Context, piece []byte) error {
	out, meta, err := transport.Call(ctx, u.c.t, u.c.session, wire.Shell, wire.ShellArgs{
		Command:   "printf %s '" + base64.StdEncoding.EncodeToString(piece) + `' | base64 -d >> "$` + shellFile + `"`,
		TimeoutMS: shellTimeout.Milliseconds(),
		Env:       map[string]string{shellFile: u.path, "LC_ALL": "C"},
	}, shellTimeout)
	if err == nil {
		err = u.shellFault(out)
	}
	if err != nil {
		err = u.fail(err, meta.RequestID)
	}
	return u.wrote(len(piece), meta.RequestID, err)
}

// shellFault returns what r says that went wrong.
func (s subject) shellFault(r wire.ShellResult) error {
	status := r.ExitCode
	if status == 0 && r.ErrorCode != nil {
		status = *r.ErrorCode
	}
	said := s.c.t.Message(r.Stderr)
	complaint := strings.ToValidUTF8(said[:min(len(said), maxComplaint)], "")
	switch {
	case r.TimedOut:
		return apierr.Errorf(apierr.DeadlineExceeded, "the shell that writes took more than %v", shellTimeout)
	case status == 0:
		return nil
	case status == notFoundStatus:
		return apierr.Errorf(apierr.Unsupported, "the shell that writes content that is not text: %q", complaint).
			WithHint("the image needs sh and base64")
	default:
		return &apierr.Error{
			Code:    wire.ToolFaultCode(complaint),
			Message: fmt.Sprintf("the shell that writes exited with %d: %q", status, complaint),
		}
	}
}
