package httpapi

import (
	"net/http"
	"time"
)

const (
	// answerTimeout is how long a client may take to take in a piece of an answer
	// unless [Config.AnswerTimeout] says otherwise.
	answerTimeout = 30 * time.Second
	// answerPiece is how large a piece is.
	answerPiece = 64 << 10
)

// slowWriter ends the connection of a client that does not take in its answer:
// what is kept for the answer is kept for as long as it is sent. What an answer
// waits for has all the time that it needs.
type slowWriter struct {
	http.ResponseWriter
	timeout time.Duration
}

// newSlowWriter returns a writer of the answer to one request.
func newSlowWriter(w http.ResponseWriter, timeout time.Duration) *slowWriter {
	// There may be a deadline left of the request before. A server without
	// deadlines, such as a test recorder, has none.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
	return &slowWriter{w, timeout}
}

// Unwrap is for [http.ResponseController].
func (w *slowWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write implements [io.Writer]. Each piece has its own time; that of the last
// goes on until the server has sent what it keeps back.
func (w *slowWriter) Write(p []byte) (int, error) {
	control, total := http.NewResponseController(w.ResponseWriter), 0
	for {
		_ = control.SetWriteDeadline(time.Now().Add(w.timeout)) // see newSlowWriter
		n, err := w.ResponseWriter.Write(p[:min(len(p), answerPiece)])
		total, p = total+n, p[n:]
		if err != nil || len(p) == 0 {
			return total, err
		}
	}
}
