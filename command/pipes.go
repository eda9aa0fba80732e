package command

import (
	"io"
	"sync/atomic"
	"time"

	"github.com/agb-go/sdk/apierr"
)

const (
	// standstill is how long nobody may have read a pipe until Wait asks whether
	// the command has ended, and standstillLimit how long it takes to ask again.
	standstill      = 200 * time.Millisecond
	standstillLimit = 5 * time.Second
)

// StdinPipe returns a pipe to Stdin, before Start. Closing it is the end of the
// input. A Write returns when what it writes is on its way to the command.
func (c *Cmd) StdinPipe() (io.WriteCloser, error) {
	if c.Stdin != nil || c.stream != nil {
		return nil, c.misused("Stdin is set, or the command has started")
	}
	r, w := io.Pipe()
	c.Stdin, c.stdin = r, &stdinPipe{w: w, left: &c.left}
	c.pipes = append(c.pipes, r)
	return c.stdin, nil
}

// stdinPipe is a pipe for input: the end that is written to.
type stdinPipe struct {
	w      *io.PipeWriter
	left   *atomic.Bool // [Cmd.left]
	closed atomic.Bool
}

// Write implements [io.Writer]. What it has taken is in the stream.
func (p *stdinPipe) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	if err != nil {
		return n, err
	}
	// Nothing is read from it, too, and after what came before was sent.
	if _, err := p.w.Write(nil); err != nil && p.left.Load() {
		return n, err
	}
	return n, nil
}

// Close implements [io.Closer].
func (p *stdinPipe) Close() error {
	p.closed.Store(true)
	return p.w.Close()
}

// StdoutPipe returns a pipe from Stdout, before Start. It ends when the command
// has, and the command waits for whoever reads it. Wait closes it once the
// command has ended, which discards what was not read: it is wrong to call Wait,
// or Run, before all of it was. Closing it discards the rest of the output, and
// the command goes on.
func (c *Cmd) StdoutPipe() (io.ReadCloser, error) { return c.outputPipe(&c.Stdout) }

// StderrPipe is StdoutPipe for Stderr. Both have to be read at the same time.
func (c *Cmd) StderrPipe() (io.ReadCloser, error) { return c.outputPipe(&c.Stderr) }

// pipe is an end of a pipe that the command has.
type pipe interface{ CloseWithError(err error) error }

// outputPipe is a pipe for output: the end that the command writes to.
type outputPipe struct {
	*io.PipeWriter
	reader *io.PipeReader
	read   atomic.Int64 // bytes
}

// outputReader is the other end.
type outputReader struct {
	*io.PipeReader
	pipe *outputPipe
}

// Read implements [io.Reader].
func (r outputReader) Read(p []byte) (int, error) {
	n, err := r.PipeReader.Read(p)
	r.pipe.read.Add(int64(n))
	return n, err
}

func (c *Cmd) outputPipe(w *io.Writer) (io.ReadCloser, error) {
	if *w != nil || c.stream != nil {
		return nil, c.misused("the output is set, or the command has started")
	}
	p := new(outputPipe)
	p.reader, p.PipeWriter = io.Pipe()
	*w = p
	c.pipes, c.piped = append(c.pipes, p), true
	return outputReader{p.reader, p}, nil
}

func (c *Cmd) closePipes(err error) {
	for _, p := range c.pipes {
		_ = p.CloseWithError(err) // returns nil
	}
}

// closeOutput ends the pipes of output for their readers.
func (c *Cmd) closeOutput() {
	for _, p := range c.pipes {
		if p, ok := p.(*outputPipe); ok {
			_ = p.Close() // returns nil
		}
	}
}

// await waits until the command has ended and its output was taken. The end
// comes after all output: a pipe that nobody reads is closed once the command is
// known to have ended. Whoever is still reading is waited for.
func (c *Cmd) await() {
	if !c.piped {
		<-c.done
		return
	}
	wait := standstill
	timer := time.NewTimer(0)
	defer timer.Stop()
	var full *outputPipe // at the look before
	var read int64
	for {
		select {
		case <-c.done:
			return
		case <-timer.C:
		}
		p := c.writing.Load()
		switch {
		case p == nil || p != full || p.read.Load() != read:
			wait = standstill
		case !c.gone():
			wait = min(2*wait, standstillLimit)
		case p.read.Load() == read:
			_ = p.reader.Close() // returns nil
		}
		if full = p; p != nil {
			read = p.read.Load()
		}
		timer.Reset(wait)
	}
}

// gone asks whether the command has ended. It has, too, when nobody can say.
func (c *Cmd) gone() bool {
	list, err := c.client.List(c.ctx)
	if err != nil {
		code := apierr.CodeOf(err)
		return code == apierr.SessionNotFound || code == apierr.Unavailable
	}
	for _, p := range list.Processes {
		if p.ProcessID == c.ProcessID {
			return p.Exit != nil
		}
	}
	return true // others have ended after it
}
