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
	in := &input{c: c}
	_, err := io.Copy(in, c.Stdin)
	switch {
	case in.refused:
	case err != nil:
		c.stop(apierr.Errorf(apierr.Unknown, "standard input: %w", err))
	default:
		_ = c.stream.WriteFrame(wire.FrameStdinEnd, nil) // it fails as data does
	}
}

// input is where standard input goes. It has no other methods for io.Copy.
type input struct {
	c *Cmd
	// refused reports that the stream took no more. That is no error of its own:
	// the command may have ended without reading it all, and when the stream
	// broke, receive tells.
	refused bool
}

// Write implements [io.Writer].
func (in *input) Write(p []byte) (int, error) {
	n, err := in.c.stream.Write(p)
	in.refused = err != nil
	return n, err
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
	exit, err := c.collectFrames()
	c.detach()
	c.mu.Lock()
	switch {
	case err == nil && c.err == nil:
		c.exit = exit
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
	if w != nil {
		if err := c.write(w, p); err != nil {
			return apierr.Errorf(apierr.Unknown, "output: %w", err)
		}
	}
	c.count(int64(len(p)), 0)
	return nil
}

// write writes to w, unless that is a pipe whose reader has closed it.
func (c *Cmd) write(w io.Writer, p []byte) error {
	pipe, ok := w.(*outputPipe)
	if !ok {
		_, err := w.Write(p)
		return err
	}
	c.writing.Store(pipe)
	defer c.writing.Store(nil)
	if _, err := pipe.Write(p); !errors.Is(err, io.ErrClosedPipe) {
		return err
	}
	return nil
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
