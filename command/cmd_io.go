package command

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// same reports whether two writers are one. Those of a type that cannot be
// compared are not.
func same(a, b io.Writer) bool {
	defer func() { _ = recover() }()
	return a == b
}

// send sends standard input, to its end.
func (c *Cmd) send() {
	defer close(c.sent)
	in := &input{c: c}
	_, err := io.Copy(in, c.Stdin)
	switch {
	case in.refused:
	case err != nil:
		c.stop(apierr.Errorf(apierr.Unknown, "standard input: %w", err))
	default:
		in.frame(wire.FrameStdinEnd, nil)
	}
}

// input is where standard input goes. It has no other methods for io.Copy.
type input struct {
	c *Cmd
	// refused reports that no more is taken. That is no error of its own: the
	// command may have ended without reading it all, or was left, and when the
	// stream broke, receive tells.
	refused bool
}

// Write implements [io.Writer].
func (in *input) Write(p []byte) (int, error) {
	total := 0
	for len(p) > 0 {
		n := min(len(p), wire.FrameLimit)
		if !in.frame(wire.FrameData, p[:n]) {
			return total, io.ErrClosedPipe
		}
		total, p = total+n, p[n:]
	}
	return total, nil
}

// frame writes a frame, and reports whether it was taken. None follows that of
// Release.
func (in *input) frame(kind wire.FrameKind, p []byte) bool {
	in.c.saying.Lock()
	defer in.c.saying.Unlock()
	in.refused = in.c.left.Load() || in.c.stream.WriteFrame(kind, p) != nil
	return !in.refused
}

// stop ends the command because of err. The first error stays, and one that has
// ended stays as it is.
func (c *Cmd) stop(err error) {
	c.mu.Lock()
	if c.err == nil && c.exit == nil {
		c.err = err
	}
	c.mu.Unlock()
	_ = c.stream.Close() // and the server kills it
}

// receive takes in output, to the command's end.
func (c *Cmd) receive() {
	how, err := c.collectFrames()
	c.detach()
	if err != nil && c.givenUp.Load() {
		how, err = exit(wire.ProcessExit{Left: true}, c.dropped, c.RequestID), nil
	}
	c.mu.Lock()
	switch {
	case err == nil && c.err == nil:
		c.exit = how
	case c.ctx.Err() != nil:
		c.err = context.Cause(c.ctx)
	case c.err == nil:
		c.err = err
	}
	err = c.err
	c.mu.Unlock()
	_ = c.stream.Close() // all is said
	close(c.done)
	c.closePipes(err)
}

func (c *Cmd) collectFrames() (*Exit, error) {
	for {
		kind, p, err := c.stream.Next()
		if err != nil {
			return nil, err
		}
		if c.cut && kind != wire.FrameEnd {
			continue
		}
		switch kind {
		case wire.FrameStdout:
			err = c.take(c.Stdout, p)
		case wire.FrameStderr:
			err = c.take(c.Stderr, p)
		case wire.FrameDropped:
			var d wire.ProcessDropped
			if json.Unmarshal(p, &d) != nil || d.Bytes < 0 {
				return nil, c.stream.Malformed("it is not understood how much was dropped")
			}
			c.count(d.Bytes, d.Bytes)
		case wire.FrameEnd:
			return c.ended(p)
		default:
			err = c.stream.Malformed("the server sends what is no part of a command")
		}
		if err != nil {
			return nil, err
		}
	}
}

// count moves on in the output.
func (c *Cmd) count(bytes, dropped int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += bytes
	c.dropped += dropped
}

func (c *Cmd) take(w io.Writer, p []byte) error {
	n, err := len(p), error(nil)
	if w != nil {
		n, err = c.write(w, p)
	}
	c.count(int64(n), 0)
	if err != nil {
		return apierr.Errorf(apierr.Unknown, "output: %w", err)
	}
	return nil
}

// write writes to w. A pipe whose reader has closed it takes everything; one
// that was closed because nobody is there any more takes no more.
func (c *Cmd) write(w io.Writer, p []byte) (int, error) {
	pipe, ok := w.(*outputPipe)
	if !ok {
		n, err := w.Write(p)
		if err == nil && n < len(p) {
			err = io.ErrShortWrite
		}
		return min(max(n, 0), len(p)), err
	}
	c.writing.Store(pipe)
	defer c.writing.Store(nil)
	n, err := pipe.Write(p)
	switch {
	case !errors.Is(err, io.ErrClosedPipe):
		return n, err
	case c.left.Load() || c.ctx.Err() != nil:
		c.cut = true
		return n, nil
	}
	return len(p), nil
}

func (c *Cmd) ended(p []byte) (*Exit, error) {
	var x struct {
		wire.ProcessExit
		ExitCode *int `json:"exitCode"` // without it nothing is said
	}
	if err := json.Unmarshal(p, &x); err != nil || x.ExitCode == nil || x.Left && !c.Detach {
		return nil, c.stream.Malformed("it is not understood how the command ended")
	}
	x.ProcessExit.ExitCode = *x.ExitCode
	return exit(x.ProcessExit, c.dropped, c.RequestID), nil
}
