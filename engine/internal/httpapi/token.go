package httpapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"github.com/agb-go/sdk/apierr"
)

// A page token is the position of the last entry of its page, authenticated
// together with the tenant, the list and the filter, so that it is good for the
// list that it came from and for no other.

// maxToken bounds a page token, in bytes.
const maxToken = 512

func (a *API) sealToken(by caller, q query, position []byte) string {
	return base64.RawURLEncoding.EncodeToString(append(a.tokenMAC(by, q, position), position...))
}

// openToken returns the position that a list goes on after, nil for its start.
func (a *API) openToken(by caller, q query, token string) ([]byte, error) {
	if token == "" {
		return nil, nil
	}
	if len(token) <= maxToken {
		b, err := base64.RawURLEncoding.Strict().DecodeString(token)
		if err == nil && len(b) > sha256.Size && hmac.Equal(b[:sha256.Size], a.tokenMAC(by, q, b[sha256.Size:])) {
			return b[sha256.Size:], nil
		}
	}
	return nil, apierr.Errorf(apierr.InvalidArgument, "nextToken: invalid, or from another list").
		WithHint("take it from the answer to a list with the same filter")
}

func (a *API) tokenMAC(by caller, q query, position []byte) []byte {
	mac := hmac.New(sha256.New, a.cfg.PageKey[:])
	// JSON keeps the parts apart and has the keys of a map in order. Strings
	// and a map of strings always encode.
	_ = json.NewEncoder(mac).Encode([]any{by.tenant, q.list, q.selector, q.pairs, position})
	return mac.Sum(nil)
}
