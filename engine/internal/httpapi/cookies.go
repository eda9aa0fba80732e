package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

// A browser keeps cookies by host and path, whatever the port, so that with
// every request for a link it sends those of all else that is served by the
// same host: other programs of a developer's machine, or the site whose part
// the engine is. A sandbox must not see them. So the cookies that a sandbox
// sets get a prefix of their link's, and of a request's cookies only those with
// it reach the sandbox, without it. Cookies that a page sets itself, by script,
// stay in the browser.

// cookiePrefix returns the prefix of a link's cookies. The link's token, which
// lets in whoever has it, does not follow from it.
func cookiePrefix(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "agb-" + hex.EncodeToString(sum[:8]) + "-"
}

// admitCookies leaves a request those of its cookies that are the sandbox's.
func admitCookies(r *http.Request, prefix string) {
	cookies := r.Cookies()
	r.Header.Del("Cookie")
	for _, c := range cookies {
		if name, ok := strings.CutPrefix(c.Name, prefix); ok && name != "" {
			c.Name = name
			r.AddCookie(c)
		}
	}
}

// confineCookies makes the cookies that an answer sets the link's own, by path
// and by name.
func confineCookies(r *http.Response, path, prefix string) {
	cookies := r.Cookies()
	r.Header.Del("Set-Cookie")
	for _, c := range cookies {
		below := c.Path
		if !strings.HasPrefix(below, "/") {
			below = "/"
		}
		c.Name, c.Domain, c.Path = prefix+c.Name, "", path+below
		if s := c.String(); s != "" {
			r.Header.Add("Set-Cookie", s)
		}
	}
}
