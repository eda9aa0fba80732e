package httpapi

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/guest"
	"github.com/agb-go/sdk/internal/wire"
)

// serveTransfer answers a request under transferPrefix and reports whether it was
// one.
func (a *API) serveTransfer(w http.ResponseWriter, r *http.Request, timeout time.Duration) bool {
	if !strings.HasPrefix(r.URL.EscapedPath(), transferPrefix) {
		return false
	}
	expectBody(w, r, timeout)
	start, id := time.Now(), requestID(r)
	answer := newSlowWriter(w, cmp.Or(a.cfg.AnswerTimeout, answerTimeout))
	var tag string
	out := &outgoing{w: w, r: r, id: id, part: rangeOf(r)}
	err := a.admitTransfer(r, func(ctx context.Context, ws *Workspace, path string) (err error) {
		p := newPace(w, cmp.Or(a.cfg.StallTimeout, stallTimeout))
		defer p.end()
		defer context.AfterFunc(ctx, p.cut)()
		if r.Method == http.MethodPut {
			tag, err = take(ctx, ws, path, r.Header, &pacedBody{pace: p, body: r.Body})
		} else {
			err = out.send(ctx, ws, path, p)
		}
		return err
	})
	env := envelope(id, err)
	a.logCall(r.Context(), "Transfer", env, time.Since(start), err)
	switch {
	case !out.begun:
		if err != nil {
			expectBody(w, r, timeout) // what is left of it
		}
		setETag(w, tag)
		write(answer, env)
	case err != nil:
		panic(http.ErrAbortHandler) // for the client must not take what it has for all
	}
	return true
}

// admitTransfer runs fn for the session and the path that a URL is of. Who has
// no URL that is good learns nothing but that.
func (a *API) admitTransfer(r *http.Request, fn func(context.Context, *Workspace, string) error) error {
	if r.Header.Values("Origin") != nil {
		return errWebPage()
	}
	contextID, path, ok := a.openTransferURL(r)
	if !ok {
		return apierr.Errorf(apierr.PermissionDenied, "the URL is wrong, was for something else, or its time is over").
			WithHint("ask for a new one")
	}
	if err := checkEncoding(r); err != nil {
		return err
	}
	t := a.transfers.find(contextID)
	if t == nil {
		return errNoContext(contextID)
	}
	err := a.cfg.Engine.Stream(r.Context(), t.tenant, t.session, func(ctx context.Context, ws *Workspace) error {
		if err := t.enter(); err != nil {
			return err
		}
		defer t.leave()
		return fn(ctx, ws, path)
	})
	var body *bodyError
	switch {
	case errors.As(err, &body):
		return unreadable(body.err)
	case apierr.CodeOf(err) == apierr.SessionNotFound:
		return errNoContext(contextID)
	}
	return fromInside(err)
}

// take puts a body in the place of a file, once all of it is there, if what h
// makes a condition holds. It returns the tag of the file.
func take(ctx context.Context, ws *Workspace, path string, h http.Header, body *pacedBody) (string, error) {
	s, err := storeOf(h)
	if err != nil {
		return "", err
	}
	_, after, err := ws.Guest.Store(ctx, path, s, body)
	switch {
	case s.Mode == guest.PlaceNew && errors.Is(err, fs.ErrExist):
		err = apierr.Errorf(apierr.FailedPrecondition, "If-None-Match: the file exists")
	case s.IfMatch != "" && errors.Is(err, fs.ErrNotExist):
		err = apierr.Errorf(apierr.FailedPrecondition, "If-Match: there is no such file")
	}
	return after.Tag, err
}

// storeOf says how to write a file, on the conditions in h. What cannot be heeded
// is an error, for it is there to keep a file from being lost.
func storeOf(h http.Header) (guest.Store, error) {
	s := guest.Store{Mode: guest.Replace, Perm: filePerm}
	match, none := h.Values("If-Match"), h.Values("If-None-Match")
	switch {
	case match == nil && none == nil:
		return s, nil
	case match == nil && len(none) == 1 && none[0] == "*":
		s.Mode = guest.PlaceNew
		return s, nil
	case none == nil && len(match) == 1:
		tag, opened := strings.CutPrefix(match[0], `"`)
		tag, closed := strings.CutSuffix(tag, `"`)
		if s.IfMatch = tag; opened && closed && tag != "" && !strings.Contains(tag, `"`) {
			return s, nil
		}
	}
	return s, apierr.Errorf(apierr.Unsupported, "this condition is unsupported: there are If-Match with one ETag, and If-None-Match: *")
}

// outgoing is a file on its way to a client.
type outgoing struct {
	w     http.ResponseWriter
	r     *http.Request
	id    string     // of the request
	part  *byteRange // nil: all of it
	begun bool       // the headers are sent
}

// errNoBody ends a download that is of the headers alone.
var errNoBody = errors.New("httpapi: no body is wanted")

// send sends the file at path, or the part of it that was asked for.
func (o *outgoing) send(ctx context.Context, ws *Workspace, path string, p *pace) error {
	var f guest.Fetch
	if o.part != nil {
		f.Offset, f.Length = o.part.first, o.part.length()
	}
	_, err := ws.Guest.Fetch(ctx, path, f, o.begin, &pacedWriter{pace: p, w: o.w})
	if errors.Is(err, errNoBody) {
		return nil
	}
	return err
}

// begin sends the headers.
func (o *outgoing) begin(s guest.State) error {
	h := o.w.Header()
	size, status := s.Size, http.StatusOK
	if o.part != nil {
		if o.part.first >= s.Size {
			h.Set("Content-Range", "bytes */"+strconv.FormatInt(s.Size, 10))
			e := apierr.Errorf(apierr.InvalidArgument, "range: the file has %d bytes", s.Size)
			e.HTTPStatus = http.StatusRequestedRangeNotSatisfiable
			return e
		}
		size, status = min(o.part.length(), s.Size-o.part.first), http.StatusPartialContent
		last := o.part.first + size - 1
		h.Set("Content-Range", "bytes "+strconv.FormatInt(o.part.first, 10)+"-"+strconv.FormatInt(last, 10)+"/"+strconv.FormatInt(s.Size, 10))
	}
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", "attachment")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Accept-Ranges", "bytes")
	h.Set(wire.HeaderRequestID, o.id)
	setETag(o.w, s.Tag)
	if s.Size > 0 { // a file that seems empty may have content, as those of /proc
		h.Set("Content-Length", strconv.FormatInt(size, 10))
	}
	o.w.WriteHeader(status)
	o.begun = true
	if o.r.Method == http.MethodHead {
		return errNoBody
	}
	return nil
}

// setETag tells the tag of a file, unless it cannot be told.
func setETag(w http.ResponseWriter, tag string) {
	if tag != "" && !strings.ContainsAny(tag, `"\`) {
		w.Header().Set("ETag", `"`+tag+`"`)
	}
}
