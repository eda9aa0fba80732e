package session_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/command"
	"github.com/agb-go/sdk/session"
)

// What is allowed in words is refused by address; the rest of what is let
// through is tested where the names can be made up.
func TestAllowEgress(t *testing.T) {
	each(t, func(t *testing.T, s *session.Session) {
		t.Helper()
		var mu sync.Mutex
		var records []session.EgressRecord
		e, err := s.AllowEgress(t.Context(), []string{"localhost.example:80", "127.0.0.1:8005"}, &session.EgressOptions{
			Audit: func(r session.EgressRecord) {
				mu.Lock()
				defer mu.Unlock()
				records = append(records, r)
			},
		})
		require.NoError(t, err)
		env := e.Env()
		delete(env, "no_proxy")
		delete(env, "NO_PROXY")
		r, err := s.Command.Run(t.Context(), fetch+"http://127.0.0.1:8005/x", &command.RunOptions{Env: env})
		require.NoError(t, err)
		require.Contains(t, r.Stderr, "502", "not even what is inside is reached by the owner's address")
		r, err = s.Command.Run(t.Context(), fetch+"http://other.example/", &command.RunOptions{Env: env})
		require.NoError(t, err)
		require.Contains(t, r.Stderr, "403")
		_, err = s.AllowEgress(t.Context(), nil, nil)
		require.ErrorIs(t, err, apierr.AlreadyExists.Err())
		require.NoError(t, e.Close())
		require.NoError(t, e.Close())
		<-e.Done()
		r, err = s.Command.Run(t.Context(), fetch+"http://other.example/", &command.RunOptions{Env: e.Env()})
		require.NoError(t, err)
		require.Contains(t, r.Stderr, "refused")
		require.Len(t, records, 2)
		require.Equal(t, "127.0.0.1", records[0].Host)
		require.Contains(t, records[0].Reason, "public")
		require.Equal(t, "other.example", records[1].Host)
		require.False(t, records[1].Allowed)

		_, err = s.AllowEgress(t.Context(), []string{"https://x"}, nil)
		require.ErrorIs(t, err, apierr.InvalidArgument.Err())

		e, err = s.AllowEgress(t.Context(), nil, &session.EgressOptions{Address: "127.0.0.1:0"})
		require.NoError(t, err)
		_, err = s.Delete(t.Context())
		require.NoError(t, err)
		select {
		case <-e.Done():
		case <-time.After(10 * time.Second):
			require.Fail(t, "it goes on without its session")
		}
		require.NoError(t, e.Close())
	})
}
