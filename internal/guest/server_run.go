package guest

import (
	"context"
	"io"

	"github.com/agb-go/sdk/internal/guest/mux"
)

func (c *served) run(ctx context.Context, d *decoder) error {
	req := d.command()
	if err := d.complete(); err != nil {
		return err
	}
	if err := req.check(); err != nil {
		return err
	}
	cmd := req.Command
	if req.program >= 0 {
		program, err := c.program(req.program)
		if err != nil {
			return err
		}
		cmd.Program = program
	}
	if req.stdin {
		cmd.Stdin = &contentReader{from: &c.request}
	}
	cmd.Stdout, cmd.Stderr = c.stream.as(recordStdout), c.stream.as(recordStderr)
	exit, err := c.handler.Run(ctx, cmd)
	if err != nil {
		return err
	}
	if _, err := c.stream.as(recordReport).Write(exit.Report); err != nil {
		return err
	}
	c.result.exit(&exit)
	return nil
}

// program takes in size bytes of a program. It is never nil.
func (c *served) program(size int) ([]byte, error) {
	program := []byte{}
	for len(program) < size {
		kind, p, err := c.request.next(recordLimit)
		if err != nil {
			return nil, err
		}
		if kind != recordProgram || len(program)+len(p) > size {
			return nil, errRequest
		}
		program = append(program, p...)
	}
	return program, nil
}

func (c *served) lookPath(ctx context.Context, d *decoder) error {
	names := d.texts(lookLimit, PathLimit)
	if err := d.complete(); err != nil {
		return err
	}
	path, err := c.handler.LookPath(ctx, names...)
	c.result.text(path)
	return err
}

func (c *served) dial(ctx context.Context, d *decoder) error {
	network, address := d.text(addressLimit), d.text(PathLimit)
	if err := d.complete(); err != nil {
		return err
	}
	conn, err := c.handler.Dial(ctx, network, address)
	if err != nil {
		return err
	}
	if _, err := c.stream.Write(c.result.sealed()); err != nil {
		_ = conn.Close() // nobody wants it any more
		return errAnswered
	}
	join(ctx, conn, c.stream.Stream)
	return errAnswered
}

// join copies in both directions until both are over, or the call is given
// up. It closes conn.
func join(ctx context.Context, conn io.ReadWriteCloser, st *mux.Stream) {
	closeConn := func() { _ = conn.Close() } // what was written was written
	defer closeConn()
	defer context.AfterFunc(ctx, closeConn)()

	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := io.Copy(conn, onlyReader{st}); err != nil {
			closeConn()
			return
		}
		if half, ok := conn.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite() // a connection that is gone fails to read, too
		}
	}()
	if _, err := io.Copy(onlyWriter{st}, conn); err != nil {
		_ = st.Close() // returns nil
	} else {
		_ = st.CloseWrite() // fails only when nobody reads
	}
	<-done
}

// onlyReader and onlyWriter keep io.Copy from looking for more.
type onlyReader struct{ io.Reader }
type onlyWriter struct{ io.Writer }
