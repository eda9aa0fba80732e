package transport

import (
	"errors"

	"github.com/google/uuid"
)

// identity is how all request ids of a client begin: with six random bytes. A
// server may return the id of a request with the answer, see
// [wire.HeaderRequestID]. When it is that of another request of the client, so
// is the answer.
type identity [6]byte

func newIdentity() (id identity) {
	random := uuid.New()
	copy(id[:], random[:])
	return id
}

// next returns the id of a new request.
func (i identity) next() string {
	id := uuid.New()
	copy(id[:], i[:]) // what says that it is a UUID, and of which kind, comes after
	return id.String()
}

// ours reports whether an id is of a request of the client.
func (i identity) ours(id string) bool {
	u, err := uuid.Parse(id)
	return err == nil && identity(u[:len(i)]) == i
}

// errOthersAnswer is what is wrong with an answer to another request.
var errOthersAnswer = errors.New("the answer is to another request of this client: something on the way mixes answers up")
