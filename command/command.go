// Package command runs shell commands in a session. Programs reach it as
// Session.Command.
//
// Every command gets a fresh shell: a directory changed or a variable exported
// in one is gone in the next, files are not. What a command leaves running in
// the background goes on after it and does not hold the call open: of its output
// belongs to the command what comes without a pause of 50 ms, for a second at
// most. Where more matters, as with bash's > >(tee log), the command has to wait.
package command

import "github.com/agb-go/sdk/internal/transport"

// Client runs commands in one session. It is safe for concurrent use and holds
// no connection.
type Client struct {
	t       *transport.Client
	session string
}

// New is for package session; everybody else has Session.Command.
func New(t *transport.Client, session string) *Client { return &Client{t: t, session: session} }
