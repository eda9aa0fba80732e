package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/agb-go/sdk/internal/guest/mux"
)

// Hello is what the guest says of itself when it is ready.
type Hello struct {
	Version int // of the protocol
	Self    Self
}

// Self is what the guest finds when it looks at itself. It is to be believed
// only before anything else has run in the sandbox.
type Self struct {
	UID, GID     int
	Capabilities [5]uint64 // inheritable, permitted, effective, bounding, ambient
	NoNewPrivs   bool
	Seccomp      int       // mode, see seccomp(2): 2 is a filter
	Refused      bool      // whether the filter refused a call that is forbidden to all
	Namespaces   [7]uint64 // inodes: user, mnt, pid, net, ipc, uts, cgroup
	Landlock     bool      // whether Landlock refused a trial
	ReadOnlyRoot bool      // whether the root refused a write
	LoopbackOnly bool      // whether there is no other interface
	OpenFiles    int       // descriptors that are open
	Dumpable     bool
	Processes    uint64 // RLIMIT_NPROC of commands, which nothing raises
	DiskBytes    uint64 // of all file systems that commands may write to; 0 where one has no limit
	DiskInodes   uint64 // the same, of their files
}

// Client is the engine's end of the conversation with one guest. It is safe
// for concurrent use. A protocol error ends it: see [Client.Done].
//
// Every method can fail with an [*Error] that tells of the sandbox, with the
// context's error, with [ErrBusy], and with what [Client.Err] returns.
type Client struct {
	session *mux.Session

	mu  sync.Mutex
	err error // a protocol error above the streams
}

// NewClient returns a Client that owns conn.
func NewClient(conn io.ReadWriteCloser) *Client {
	return &Client{session: mux.Opener(conn)}
}

// Hello waits until the guest is ready, and returns what it says of itself.
func (c *Client) Hello(ctx context.Context) (Hello, error) {
	var hello Hello
	err := c.ask(ctx, newRequest(opHello), func(d *decoder) {
		if hello.Version = d.upTo(1 << 16); hello.Version == Version {
			hello.Self = d.self()
		} else {
			d.b = nil // another version may say more, or less
		}
	})
	if err == nil && hello.Version != Version {
		err = fmt.Errorf("%w: %d", ErrVersion, hello.Version)
	}
	return hello, err
}

// Close ends every call and closes the stream.
func (c *Client) Close() error { return c.session.Close() }

// Done returns a channel that is closed when the conversation is over.
func (c *Client) Done() <-chan struct{} { return c.session.Done() }

// Err returns why the conversation is over; nil while it is not.
func (c *Client) Err() error {
	c.mu.Lock()
	err := c.err
	c.mu.Unlock()
	if err != nil {
		return err
	}
	return translate(c.session.Err())
}

// translate makes an error of mux one of this package.
func translate(err error) error {
	var own error
	switch {
	case errors.Is(err, mux.ErrClosed):
		return ErrClosed
	case errors.Is(err, mux.ErrGone):
		return ErrGone
	case errors.Is(err, mux.ErrProtocol):
		own = ErrProtocol
	case errors.Is(err, mux.ErrStalled):
		return ErrStalled
	case errors.Is(err, mux.ErrTooMany):
		return ErrBusy
	default:
		return err
	}
	return fmt.Errorf("%w: %w", own, err)
}

// violated ends the conversation because of what the guest sent.
func (c *Client) violated(what string) error {
	err := fmt.Errorf("%w: %s", ErrProtocol, what)
	c.mu.Lock()
	if c.err == nil && c.session.Err() == nil {
		c.err = err
	}
	c.mu.Unlock()
	_ = c.session.Close() // returns nil
	return err
}
