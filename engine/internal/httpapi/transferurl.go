package httpapi

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/guest"
	"github.com/agb-go/sdk/internal/wire"
)

// A transfer URL is all that a request needs to write one file of a session, or
// to read it:
//
//	/transfer/<context>?expires=<seconds>&path=<path>&signature=<signature>
//
// The signature is of the context, which is one session of one tenant, the path,
// the end of its time, and what it is for. So nothing can be made of a URL but
// what it was handed out as.

// transferPrefix is where transfer URLs are served.
const transferPrefix = "/transfer/"

// transferTime is how long a transfer URL is good for.
const transferTime = time.Hour

// What transfer URLs are for.
const (
	forUpload   = "upload"
	forDownload = "download"
)

// purpose returns what a URL has to be for to be used with an HTTP method.
func purpose(method string) string {
	switch method {
	case http.MethodPut:
		return forUpload
	case http.MethodGet, http.MethodHead:
		return forDownload
	default:
		return ""
	}
}

func (a *API) uploadURL(_ context.Context, by caller, req wire.FileURLRequest) (*wire.FileURLResponse, error) {
	return a.fileURL(by, req, forUpload)
}

func (a *API) downloadURL(_ context.Context, by caller, req wire.FileURLRequest) (*wire.FileURLResponse, error) {
	return a.fileURL(by, req, forDownload)
}

func (a *API) fileURL(by caller, req wire.FileURLRequest, what string) (*wire.FileURLResponse, error) {
	t := a.transfers.find(req.ContextID)
	if t == nil || t.tenant != by.tenant {
		return nil, errNoContext(req.ContextID)
	}
	if _, err := a.cfg.Engine.Find(t.tenant, t.session); err != nil {
		return nil, errNoContext(req.ContextID)
	}
	path := req.Path
	if path != "" && !strings.HasPrefix(path, "/") {
		path = transferDir + "/" + path
	}
	if err := checkTransferPath("filePath", path); err != nil {
		return nil, err
	}
	expires := time.Now().Add(transferTime).Unix()
	q := transferQuery(path, expires, a.transferMAC(what, t.id, path, expires))
	return &wire.FileURLResponse{URL: by.base + transferPrefix + t.id + "?" + q, Expires: expires}, nil
}

func transferQuery(path string, expires int64, signature []byte) string {
	return url.Values{
		"path": {path}, "expires": {strconv.FormatInt(expires, 10)}, "signature": {base64.RawURLEncoding.EncodeToString(signature)},
	}.Encode()
}

// errNoContext is the one answer about contexts that never were, are another's,
// or are gone.
func errNoContext(id string) error {
	return apierr.Errorf(apierr.NotFound, "context %.100q not found", id).WithHint("load the context of a session first")
}

// checkTransferPath refuses what the sandbox would refuse, and what cannot be
// told in JSON.
func checkTransferPath(name, path string) error {
	switch {
	case path == "":
		return apierr.Errorf(apierr.InvalidArgument, "%s: is empty", name)
	case len(path) > guest.PathLimit:
		return apierr.Errorf(apierr.InvalidArgument, "%s: name too long: %d bytes, at most %d are allowed", name, len(path), guest.PathLimit)
	case strings.ContainsRune(path, 0):
		return apierr.Errorf(apierr.InvalidArgument, "%s: has a NUL", name)
	case !utf8.ValidString(path):
		return apierr.Errorf(apierr.InvalidArgument, "%s: is not valid UTF-8", name)
	}
	return nil
}

// openTransferURL returns the context and the path of a request that the URL is
// good for.
func (a *API) openTransferURL(r *http.Request) (id, path string, ok bool) {
	id = strings.TrimPrefix(r.URL.EscapedPath(), transferPrefix)
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return "", "", false
	}
	path = q.Get("path")
	expires, err := strconv.ParseInt(q.Get("expires"), 10, 64)
	if err != nil {
		return "", "", false
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(q.Get("signature"))
	if err != nil || !hmac.Equal(signature, a.transferMAC(purpose(r.Method), id, path, expires)) {
		return "", "", false
	}
	return id, path, time.Now().Unix() < expires
}

func (a *API) transferMAC(what, id, path string, expires int64) []byte {
	// The key of page tokens has one of its own for each other use.
	key := hmac.New(sha256.New, a.cfg.PageKey[:])
	_, _ = key.Write([]byte("transfer URLs")) // never fails
	mac := hmac.New(sha256.New, key.Sum(nil))
	// JSON keeps the parts apart. Strings and numbers always encode.
	_ = json.NewEncoder(mac).Encode([]any{what, id, path, expires})
	return mac.Sum(nil)
}
