// Package session is a handle on one sandbox session: what runs in it, what is
// in it, and the session itself. Programs get one from package agb, and seldom
// need to import this package.
package session

import (
	"github.com/agb-go/sdk/code"
	"github.com/agb-go/sdk/command"
	"github.com/agb-go/sdk/filesystem"
	"github.com/agb-go/sdk/internal/transport"
)

// Session is a handle on one session. It is safe for concurrent use. It holds
// no connection and no goroutine: dropping it leaks nothing but the session
// itself, which lives on until [Session.Delete], or until it has been idle for
// too long. Any number of handles may stand for one session.
//
// The ctx given to a method bounds that call and never the session's life. All
// errors are an [*apierr.Error]. When the session is gone they have code
// [apierr.SessionNotFound].
type Session struct {
	// ID is the session's id: letters, digits, "-" and "_".
	ID string
	// ImageID is the image that the session was made from. It may be empty in a
	// handle that came from an id, when the service does not tell.
	ImageID string
	// ResourceURL is where a browser can watch the session. It may be empty.
	// With the embedded engine there is nothing to watch at it.
	ResourceURL string

	// Code runs code.
	Code *code.Client
	// Command runs shell commands.
	Command *command.Client
	// FileSystem reads and writes files.
	FileSystem *filesystem.Client

	t *transport.Client
}

// New is for package agb; everybody else has Client.Create and Client.Get.
func New(t *transport.Client, id, imageID, resourceURL string) *Session {
	return &Session{
		ID: id, ImageID: imageID, ResourceURL: resourceURL,
		Code:       code.New(t, id),
		Command:    command.New(t, id),
		FileSystem: filesystem.New(t, id),
		t:          t,
	}
}

// fail names the method in an error of the transport.
func (s *Session) fail(err error, method string) error {
	return transport.Name(err, "session."+method, s.ID)
}
