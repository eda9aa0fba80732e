package transport

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-retryablehttp"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// call is one call. It is all that go-retryablehttp lets its user decide: the
// round tripper, the retry policy, the backoff and the reader of responses.
type call struct {
	client     *Client
	via        http.RoundTripper
	direct     *direct         // nil: to the control plane
	ctx        context.Context // the caller's
	op         string
	repeatable bool
	insurance  string        // see [wire.Op.Keyed]
	key        string        // idempotency key
	size       int           // of the body
	timeout    time.Duration // of an attempt
	data       any           // pointer to where the data of a success goes
	decoded    bool          // whether it has gone there
	ownID      string        // by which every attempt goes
	requestID  string        // ours, until the server says its own

	// Of the current attempt.
	attempt int
	started time.Time
	clock   context.Context // ends with the attempt
	end     context.CancelFunc
	taken   atomic.Int64 // how much of the body the transport has taken
	read    bool         // whether body is the answer's, whole
	body    []byte

	unsure  bool          // whether an earlier attempt may have taken effect
	paid    int           // tokens for the current attempt
	wait    time.Duration // before the next attempt
	hurried bool          // whether the caller's deadline forbade another attempt
}

// attemptMax bounds both parts of an attempt's time, so that their sum does not
// overflow.
const attemptMax = 100 * 365 * 24 * time.Hour

func newCall(ctx context.Context, c *Client, op string, size int, data any, opts options) *call {
	id := c.ids.next()
	return &call{
		client: c, via: c.cfg.Transport, ctx: ctx, op: op, size: size, data: data, key: cmp.Or(opts.key, uuid.NewString()),
		timeout: min(c.cfg.Timeout, attemptMax) + min(max(opts.extra, 0), attemptMax), ownID: id, requestID: id,
	}
}

// perform does the call and returns the envelope of its success. The data stays
// there unless k.decoded says otherwise.
func (k *call) perform(method, target string, body []byte) (*wire.Envelope, *apierr.Error) {
	req, err := k.request(method, target, body)
	if err != nil {
		return nil, k.lost(err)
	}
	if k.ctx.Err() != nil {
		return nil, k.lost(k.ctx.Err())
	}
	defer func() { k.finish() }()
	loop := retryablehttp.Client{
		HTTPClient:   &http.Client{Transport: k},
		RetryMax:     max(k.client.cfg.Attempts, 1) - 1,
		CheckRetry:   k.check,
		Backoff:      func(_, _ time.Duration, _ int, _ *http.Response) time.Duration { return k.wait },
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	resp, err := loop.Do(req)
	if err != nil {
		return nil, k.hurry(k.lost(err))
	}
	defer func() { _ = resp.Body.Close() }() // read to its end by k.receive
	env, fault := k.open(resp)
	if fault != nil {
		return nil, k.hurry(k.doubt(fault))
	}
	k.reward()
	return env, nil
}

// request returns the request that all attempts send.
func (k *call) request(method, target string, body []byte) (*retryablehttp.Request, error) {
	var raw any // a nil []byte would be an empty body
	if body != nil {
		raw = body
	}
	base := k.client.cfg.BaseURL
	if k.direct != nil {
		base = k.direct.link
	}
	req, err := retryablehttp.NewRequestWithContext(k.ctx, method, base+target, raw)
	if err != nil {
		return nil, err
	}
	req.SetResponseHandler(k.receive)
	h := req.Header
	k.introduce(h)
	if k.direct != nil {
		return req, nil
	}
	key := wire.HeaderIdempotencyKey
	if !k.repeatable {
		// net/http takes a canonical Idempotency-Key for leave to repeat a
		// request by itself when a kept connection breaks. A server that
		// ignores the key would run a command twice. Header names have no
		// case, so the server sees the same header.
		key = "idempotency-key"
	}
	h[key] = []string{k.key}
	return req, nil
}

// introduce sets the headers that every request has.
func (k *call) introduce(h http.Header) {
	cfg := &k.client.cfg
	h.Set("Content-Type", "application/json")
	h.Set("Accept", "application/json")
	h.Set("User-Agent", cfg.UserAgent)
	h.Set(wire.HeaderRequestID, k.ownID)
	switch {
	case k.direct != nil:
		h.Set(wire.HeaderAccessToken, k.direct.token) // and nothing of the account's
	case cfg.APIKey != "":
		h.Set("Authorization", "Bearer "+cfg.APIKey)
	}
}

// check decides, after each attempt and again after reading its answer,
// whether to make another. It implements [retryablehttp.CheckRetry].
func (k *call) check(_ context.Context, resp *http.Response, err error) (bool, error) {
	if k.read && err == nil {
		k.log(resp, nil, "")
		return false, nil
	}
	v := k.judge(resp, err)
	if err == nil && v.cost == 0 {
		return false, nil // receive reads the answer, then we are back
	}
	again := v.cost > 0 && k.again(resp, v)
	if again && resp != nil {
		body := discard(resp, k.end)
		if hopeless(resp, body) {
			k.client.bucket.give(v.cost)
			k.read, k.body, again = true, body, false
		}
	}
	if again || err != nil {
		k.log(resp, err, v.reason)
	}
	return again, nil
}

// again reports whether another attempt can be afforded, and pays for it.
func (k *call) again(resp *http.Response, v verdict) bool {
	if k.attempt >= k.client.cfg.Attempts {
		return false
	}
	var status int
	var asked time.Duration
	if resp != nil {
		status, asked = resp.StatusCode, retryAfter(resp.Header)
	}
	k.wait = backoff(k.attempt, status, asked)
	if deadline, ok := k.ctx.Deadline(); ok && time.Until(deadline) <= k.wait {
		k.hurried = true
		return false
	}
	if !k.client.bucket.take(v.cost) {
		return false
	}
	k.paid = v.cost
	return true
}

// reward refills the budget after a success.
func (k *call) reward() {
	if k.attempt > 1 {
		k.client.bucket.give(k.paid)
	} else {
		k.client.bucket.give(rewardClean)
	}
}

// log writes a line about the current attempt.
func (k *call) log(resp *http.Response, err error, reason string) {
	l := k.client.cfg.Logger
	if !l.Enabled(k.ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{
		slog.String("op", k.op), slog.Int("attempt", k.attempt), slog.Duration("duration", time.Since(k.started)),
		slog.String("request_id", k.requestID),
	}
	if resp != nil {
		attrs = append(attrs, slog.Int("status", resp.StatusCode))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", k.client.Message(innermost(err).Error())))
	}
	if reason != "" {
		attrs = append(attrs, slog.String("retry_reason", reason), slog.Duration("wait", k.wait))
	}
	l.LogAttrs(k.ctx, slog.LevelDebug, "agb: attempt", attrs...)
}
