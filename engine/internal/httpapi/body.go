package httpapi

import (
	"net/http"
	"time"
)

// bodyTimeout is how long a client may take to send a request's body unless
// [Config.BodyTimeout] says otherwise.
const bodyTimeout = time.Minute

// expectBody bounds how long the rest of a request's body may take to arrive,
// until freeBody is called. It holds beyond an answer, too: before a server
// sends the answer to a request whose body was not read it reads the rest.
func expectBody(w http.ResponseWriter, r *http.Request, timeout time.Duration) {
	if r.ContentLength != 0 {
		// A server without deadlines, such as a test recorder, has none to set.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(timeout))
	}
}

// freeBody ends what expectBody began, once the body is there: calls may take
// long, and while they do the server reads to find out whether the client has
// gone.
func freeBody(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	}
}
