package transport

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/agb-go/sdk/internal/wire"
)

// RoundTrip makes one attempt. It implements [http.RoundTripper].
func (k *call) RoundTrip(req *http.Request) (*http.Response, error) {
	k.finish()
	k.attempt++
	k.started = time.Now()
	k.clock, k.end = context.WithTimeoutCause(k.ctx, k.timeout, errRequestTimeout)
	k.taken.Store(0)
	k.read, k.body = false, nil
	req = req.WithContext(k.clock)
	if req.Body != nil {
		req.Body = &counted{ReadCloser: req.Body, taken: &k.taken}
		rewind := req.GetBody
		req.GetBody = func() (io.ReadCloser, error) {
			body, err := rewind()
			return &counted{ReadCloser: body, taken: &k.taken}, err
		}
	}
	resp, err := k.via.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp != nil && resp.StatusCode >= 300 && resp.StatusCode < 400 && resp.Header.Get("Location") != "" {
		_ = resp.Body.Close() // nothing in it is wanted
		return nil, k.redirected(resp)
	}
	if resp != nil {
		if id := resp.Header.Get(wire.HeaderRequestID); id != k.ownID && k.client.ids.ours(id) {
			_ = resp.Body.Close() // and with it the connection, as it was not read
			return nil, errOthersAnswer
		}
	}
	return resp, nil
}

// finish ends the current attempt, if there is one.
func (k *call) finish() {
	if k.end != nil {
		k.end()
	}
}

// sent reports whether the transport took the whole request of the current
// attempt, so that a server may have it.
func (k *call) sent() bool { return k.attempt > 0 && k.taken.Load() >= int64(k.size) }

// counted counts how much of a body is taken.
type counted struct {
	io.ReadCloser
	taken *atomic.Int64
}

func (b *counted) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.taken.Add(int64(n))
	return n, err
}

// errRequestTimeout is why an attempt's own clock ended it.
var errRequestTimeout = errors.New("request timeout")
