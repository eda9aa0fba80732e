// Package agb is the front door of the SDK: a [Client] creates, finds and ends
// sandbox sessions, and a [Session] runs commands and code and holds files.
//
// With an account for AGB's hosted service:
//
//	client, err := agb.New(agb.WithAPIKey(key)) // or set AGB_API_KEY
//
// On this machine, without an account, with the embedded engine:
//
//	eng, err := engine.New(engine.Config{})
//	…
//	defer eng.Close()
//	client, err := agb.New(agb.WithTransport(eng.Transport()))
//
// From there on everything is the same:
//
//	err = client.WithSession(ctx, nil, func(ctx context.Context, s *agb.Session) error {
//		res, err := s.Command.Run(ctx, "uname -a", nil)
//		…
//	})
//
// Four clocks run, and are never mixed up: a session's lifetime,
// [CreateParams.Lifetime] or the service's own; its idle release,
// [CreateParams.IdleTimeout]; the timeout of a command or of code, in the
// options of each run; and the timeout of a request, [WithTimeout], which is
// added to that of the command. Besides, every call ends when its ctx does.
//
// The embedded engine and "agb serve" can more than AGB's hosted service. A
// client asks once, when it first needs to know. What the service does not have
// is an error that matches [ErrUnsupported] and names it; nothing that was
// asked for is left out in silence.
//
// All errors are an [*Error] and match, under [errors.Is], the sentinels of
// this package and the errors of the standard library that mean the same:
// [io/fs.ErrNotExist], [context.DeadlineExceeded], and so on.
package agb

import (
	"net/http"

	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/session"
)

// Version is the version of the SDK.
const Version = "0.1.0"

// Session is [session.Session], so that most programs import agb alone.
type Session = session.Session

// Client creates, finds and ends sessions. It is safe for concurrent use. Get
// one from [New].
type Client struct {
	t     *transport.Client
	owned []*http.Transport // ours to clean up
}

// CloseIdleConnections closes the connections to the service that are kept but
// not in use; otherwise they are closed after a while. It leaves a transport
// that was given with [WithTransport] alone. The client stays usable.
func (c *Client) CloseIdleConnections() {
	for _, t := range c.owned {
		t.CloseIdleConnections()
	}
}
