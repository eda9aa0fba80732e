package code

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"net/http"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

// socket runs code over the session's WebSocket, and passes its output on as it
// comes.
func (c *Client) socket(ctx context.Context, args wire.RunCodeArgs, timeout time.Duration, opts *RunOptions) (out outcome, meta transport.Meta, err error) {
	s, err := transport.OpenSocket(ctx, c.t, c.session, wire.RunCode.Name, wire.SocketCall{
		Method: wire.RunCode.Name, Mode: wire.SocketStream,
		Params: wire.SocketCallParams{Language: args.Language, TimeoutS: args.TimeoutS, Code: args.Code},
	}, timeout)
	if err != nil {
		return out, meta, c.gone(ctx, err)
	}
	defer func() { _ = s.Close() }() // returns nil
	r := socketRun{opts: opts, socket: s}
	for err == nil && !r.ended {
		var a *wire.SocketAnswer
		if a, err = s.Next(ctx); err == nil {
			err = r.take(a)
		}
	}
	return outcome{Result: r.result}, s.Meta, err
}

// gone returns err, of connecting, or that the session is gone if that is why
// the service does not know its token any more.
func (c *Client) gone(ctx context.Context, err error) error {
	switch apierr.From(err).HTTPStatus {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		_, _, asked := transport.Do(ctx, c.t, wire.SessionStatus, wire.SessionRequest{SessionID: c.session})
		if apierr.CodeOf(asked) == apierr.SessionNotFound {
			return transport.Name(asked, "", c.session)
		}
	}
	return err
}

// socketRun is code that runs over a WebSocket.
type socketRun struct {
	opts   *RunOptions
	socket *transport.Socket
	result Result
	size   int // of all results
	ended  bool
}

// take takes in what the service sends.
func (r *socketRun) take(a *wire.SocketAnswer) error {
	if a.Phase == wire.PhaseEnd {
		r.end(a)
		return nil
	}
	switch a.EventType {
	case wire.EventStdout:
		return pass(r.opts.Stdout, []byte(a.Chunk))
	case wire.EventStderr:
		return pass(r.opts.Stderr, []byte(a.Chunk))
	case wire.EventResult:
		if r.size += len(a.Result); r.size > transport.ResponseLimit {
			return r.socket.Malformed("the results are too long")
		}
		if r.opts.OnResult != nil {
			r.opts.OnResult(parseItem(a.Result))
		} else {
			it := parseItem(a.Result)
			r.result.Results = append(r.result.Results, it)
			r.result.Truncated = r.result.Truncated || it.Truncated
		}
	case wire.EventError:
		r.result.Error = socketError(a.Error)
	} // what else there may be says nothing of the result
	return nil
}

// end takes in the end.
func (r *socketRun) end(a *wire.SocketAnswer) {
	r.ended = true
	r.result.ExecutionCount = int(firstOf(math.MaxInt32, a.ExecutionCount))
	r.result.Duration = time.Duration(firstOf(century, a.ExecutionTime) * float64(time.Second))
	r.result.ResultsDropped, r.result.LateDropped = max(a.ResultsDropped, 0), max(a.LateDropped, 0)
	r.result.Truncated = r.result.Truncated || r.result.ResultsDropped > 0
	r.result.Ended, r.result.Restarted, r.result.LateStdout, r.result.LateStderr = a.Ended, a.Restarted, a.LateStdout, a.LateStderr
	switch {
	case r.result.Error != nil:
	case a.ExecutionError != "":
		r.result.Error = &ExecError{Name: executionError, Value: a.ExecutionError}
	case a.Status == wire.SocketFailed:
		r.result.Error = &ExecError{Name: executionError, Value: "the code failed and the service did not say why"}
	}
}

// socketError returns an error in the code as callers see it.
func socketError(raw json.RawMessage) *ExecError {
	var detail wire.SocketErrorDetail
	if json.Unmarshal(raw, &detail) == nil && detail != (wire.SocketErrorDetail{}) {
		return &ExecError{Name: cmp.Or(detail.Code, executionError), Value: detail.Message}
	}
	return &ExecError{Name: executionError, Value: str(raw)}
}
