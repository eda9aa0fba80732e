package httpapi

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// directPrefix is where sessions are reached directly: the id of one follows.
const directPrefix = "/session/"

// errNoAccess is the one answer to all requests under directPrefix without a
// right token, whether there is such a session or not.
func errNoAccess() error {
	return apierr.Errorf(apierr.Unauthenticated, "the access token is missing or wrong").
		WithHint("send one header \"%s: <token>\", with the token of the session that the URL came with", wire.HeaderAccessToken)
}

// direct answers a request under directPrefix and reports whether it was one. A
// session's token is all that it needs.
//
// Wrong tokens are not counted as wrong keys are: that of a session that has
// ended is one as a matter of course, and whoever still has it must not be
// locked out. What keeps tokens from being guessed is their length.
func (a *API) direct(w http.ResponseWriter, r *http.Request) bool {
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), directPrefix)
	if !ok {
		return false
	}
	session, path, _ := strings.Cut(rest, "/")
	acc := a.accesses.find(session, r)
	if acc == nil {
		fail(w, requestID(r), errNoAccess())
		return true
	}
	serve, method := a.directCall, http.MethodPost
	switch "/" + path {
	case wire.DirectCallPath:
	case wire.DirectStreamPath:
		serve, method = a.socket, http.MethodGet
	default:
		fail(w, requestID(r), apierr.Errorf(apierr.Unsupported, "unsupported: a session has nothing at this path"))
		return true
	}
	if r.Method != method {
		w.Header().Set("Allow", method)
		err := apierr.Errorf(apierr.Unsupported, "this method is not allowed here")
		err.HTTPStatus = http.StatusMethodNotAllowed
		fail(w, requestID(r), err)
		return true
	}
	serve(w, r, acc)
	return true
}

// directCall performs a tool as callTool does, whose answer it gives in another
// form. Of the body's token and server nothing depends.
func (a *API) directCall(w http.ResponseWriter, r *http.Request, acc *access) {
	start, id := time.Now(), requestID(r)
	ctx, sent := answering(r.Context())
	defer sent()
	var resp *wire.CallToolResponse
	req, err := read(w, r, wire.DirectCall)
	if err == nil {
		id = requestIDOf(cmp.Or(req.RequestID, id))
		resp, err = a.callTool(ctx, caller{tenant: acc.tenant}, wire.CallToolRequest{SessionID: acc.session, Name: req.Tool, Args: string(req.Args)})
	}
	env := envelope(id, err)
	a.logCall(r.Context(), wire.DirectCall.Name, env, time.Since(start), err)
	if err != nil {
		write(w, env)
		return
	}
	send(w, http.StatusOK, id, wire.DirectCallResponse{
		Code: http.StatusOK, RequestID: id, Data: wire.DirectCallData{RequestID: id, Result: resp},
	}, resp.Holes)
}
