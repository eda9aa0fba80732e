package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/agb-go/sdk/apierr"
)

// Keyring is the API keys that a port accepts. It keeps no key, only hashes.
type Keyring struct{ hashes [][sha256.Size]byte }

// NewKeyring returns a Keyring of keys. One without keys refuses everybody.
func NewKeyring(keys []string) Keyring {
	var k Keyring
	for _, key := range keys {
		k.hashes = append(k.hashes, sha256.Sum256([]byte(key)))
	}
	return k
}

// Authorize returns the tenant of a request: each key is one. A request has to
// have exactly one Authorization header, "Bearer", a space and the key. How
// long the answer takes does not depend on which key came close.
func (k Keyring) Authorize(r *http.Request) (tenant string, ok bool) {
	headers := r.Header.Values("Authorization")
	if len(headers) != 1 {
		return "", false
	}
	key, isBearer := strings.CutPrefix(headers[0], "Bearer ")
	if !isBearer || key == "" {
		return "", false
	}
	sum, found := sha256.Sum256([]byte(key)), 0
	for i := range k.hashes {
		found |= subtle.ConstantTimeCompare(sum[:], k.hashes[i][:])
	}
	return "key-" + hex.EncodeToString(sum[:]), found == 1
}

// errTooManyKeys is the answer to a wrong key after too many others.
func errTooManyKeys() error {
	return apierr.Errorf(apierr.ResourceExhausted, "the API key is wrong, as were too many before it")
}

// errWebPage is the answer to requests of web pages, which have no business here.
func errWebPage() error {
	return apierr.Errorf(apierr.PermissionDenied, "requests of web pages, which have an Origin header, are not answered")
}

// errUnauthorized is the one answer to all other requests without a right key.
func errUnauthorized() error {
	return apierr.Errorf(apierr.Unauthenticated, "the API key is missing or wrong").
		WithHint("send the API key in one header Authorization, after the word Bearer")
}
