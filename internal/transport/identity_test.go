package transport_test

import (
	"cmp"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// mixer answers with an id in the header, and knows those of all requests.
type mixer struct {
	mu         sync.Mutex
	ids, conns []string
	answer     func(ids []string) string
}

func (m *mixer) handle(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ids, m.conns = append(m.ids, r.Header.Get(wire.HeaderRequestID)), append(m.conns, r.RemoteAddr)
	w.Header().Set(wire.HeaderRequestID, m.answer(m.ids))
	_, _ = w.Write([]byte(okBody))
}

// TestAnswersOfOthers: an answer with the id of another request of the client is
// none, and nothing more comes from its connection.
func TestAnswersOfOthers(t *testing.T) {
	own := func(ids []string) string { return ids[len(ids)-1] }
	m := &mixer{answer: own}
	b := newBackend(t, m.handle, nil)
	_, err := get(t.Context(), b.client)
	require.NoError(t, err)

	m.answer = func(ids []string) string {
		if len(ids) == 2 {
			return ids[0]
		}
		return own(ids)
	}
	_, err = get(t.Context(), b.client)
	require.NoError(t, err)
	require.Len(t, m.ids, 3)
	require.NotEqual(t, m.ids[0], m.ids[1])
	require.Equal(t, m.ids[1], m.ids[2], "another attempt is the same request")
	require.Equal(t, m.conns[0], m.conns[1])
	require.NotEqual(t, m.conns[1], m.conns[2])

	m.answer = func(ids []string) string { return ids[0] }
	_, err = create(t.Context(), b.client)
	require.ErrorIs(t, err, apierr.UnknownOutcome.Err())
	require.ErrorContains(t, err, "another request")
	require.Len(t, m.ids, 4, "it may have been performed")

	m.answer = func([]string) string { return uuid.NewString() } // the server's own
	_, err = create(t.Context(), b.client)
	require.NoError(t, err)
}

// The direct route has the id in the answer's body.
func TestDirectAnswersOfOthers(t *testing.T) {
	first := ""
	s := newService(t, func(w http.ResponseWriter, r *http.Request) {
		first = cmp.Or(first, r.Header.Get(wire.HeaderRequestID))
		_, _ = io.WriteString(w, strings.Replace(saidB, "r-b", first, 1))
	})
	c := s.client(t, s.handle(), nil)
	said, meta, err := call(t.Context(), c, "s-1", "shell", false)
	require.NoError(t, err)
	require.Equal(t, []string{"by the token", first}, []string{said, meta.RequestID})
	_, _, err = call(t.Context(), c, "s-1", "shell", true)
	require.ErrorIs(t, err, apierr.MalformedResponse.Err())
	require.ErrorContains(t, err, "another request")
	require.Equal(t, []string{"/own/callTool", "/own/callTool"}, s.paths())
}
