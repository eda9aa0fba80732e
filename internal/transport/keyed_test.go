package transport_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

// inTurn answers one request after the other, the last for ever, and keeps the
// idempotency keys.
func inTurn(keys *[]string, answers ...reply) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		for name, values := range r.Header {
			if http.CanonicalHeaderKey(name) == wire.HeaderIdempotencyKey {
				*keys = append(*keys, values...)
			}
		}
		next := answers[0]
		if len(answers) > 1 {
			answers = answers[1:]
		}
		return next.give()
	}
}

var lostAnswer reply

func createKeyed(ctx context.Context, c *transport.Client, key string) error {
	_, _, err := transport.DoKeyed(ctx, c, wire.CreateSession, wire.CreateSessionRequest{ImageID: "i"}, key)
	return err
}

func TestLostAnswersToKeyedCallsAreAskedForAgain(t *testing.T) {
	ok := reply{200, okBody}
	for name, row := range map[string]struct {
		answers []reply
		served  int
		code    apierr.Code // of the error, none when empty
		unknown bool        // outcome
	}{
		"at once":         {[]reply{ok}, 1, "", false},
		"lost":            {[]reply{lostAnswer, ok}, 2, "", false},
		"lost twice":      {[]reply{lostAnswer, lostAnswer, ok}, 3, "", false},
		"gateway":         {[]reply{{504, ""}, ok}, 2, "", false},
		"always lost":     {[]reply{lostAnswer}, 3, apierr.UnknownOutcome, true},
		"lost, then 503":  {[]reply{lostAnswer, {503, ""}}, 3, apierr.Unavailable, true},
		"lost, then 500":  {[]reply{lostAnswer, {500, ""}}, 3, apierr.Internal, true},
		"lost, then 400":  {[]reply{lostAnswer, {400, ""}}, 2, apierr.InvalidArgument, false},
		"lost, then page": {[]reply{lostAnswer, {200, "<html>"}}, 2, apierr.MalformedResponse, true},
		"throttled":       {[]reply{{429, ""}}, 3, apierr.ResourceExhausted, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var keys []string
				s := &server{abilities: reply{200, able(wire.CreateKey)}, rest: inTurn(&keys, row.answers...)}
				err := createKeyed(t.Context(), newClient(s, nil), "k-1")
				if row.code == "" {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, row.code.Err())
				}
				unknown := err != nil && errors.Is(err, apierr.UnknownOutcome.Err())
				require.Equal(t, row.unknown, unknown, err)
				require.Len(t, keys, row.served)
				for _, key := range keys {
					require.Equal(t, "k-1", key)
				}
			})
		})
	}
}

func TestOthersAreNotAskedTwiceForWhatTheyMayHaveDone(t *testing.T) {
	for name, abilities := range map[string]reply{
		"no question": {404, ""},
		"another":     {200, able("PauseSession")},
		"also lost":   lostAnswer,
		"no answer":   {503, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var keys []string
				s := &server{abilities: abilities, rest: inTurn(&keys, lostAnswer)}
				err := createKeyed(t.Context(), newClient(s, nil), "")
				require.ErrorIs(t, err, apierr.UnknownOutcome.Err())
				require.Len(t, keys, 1)
				require.NotEmpty(t, keys[0])
			})
		})
	}
	t.Run("one attempt", func(t *testing.T) {
		var keys []string
		s := &server{abilities: reply{200, able(wire.CreateKey)}, rest: inTurn(&keys, lostAnswer)}
		c := newClient(s, func(cfg *transport.Config) { cfg.Attempts = 1 })
		require.ErrorIs(t, createKeyed(t.Context(), c, ""), apierr.UnknownOutcome.Err())
		require.Zero(t, s.asked.Load())
	})
	t.Run("cancelled", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			s := &server{abilities: reply{200, able(wire.CreateKey)}, rest: func(*http.Request) (*http.Response, error) {
				cancel()
				return nil, ctx.Err()
			}}
			err := createKeyed(ctx, newClient(s, nil), "")
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, err, apierr.UnknownOutcome.Err())
			require.Zero(t, s.asked.Load(), "nobody waits for an answer")
		})
	})
}
