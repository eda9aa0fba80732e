package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

// pathAbilities is where a server is asked what it can do.
const pathAbilities = "/v1/capabilities"

// able is the answer of a server that can do what names say.
func able(names ...string) string {
	return fmt.Sprintf(`{"requestId":"r-able","success":true,"code":"ok","data":{"version":1,"operations":["%s"]}}`, strings.Join(names, `","`))
}

// reply is an answer. With status 0 the connection breaks instead.
type reply struct {
	status int
	body   string
}

func (r reply) give() (*http.Response, error) {
	if r.status == 0 {
		return nil, errBroken
	}
	return httpmock.NewStringResponse(r.status, r.body), nil
}

// server answers the question what it can do, and everything else with rest.
type server struct {
	asked, served atomic.Int64
	abilities     reply
	before        func() // the question is answered; nil: nothing
	rest          roundTrip
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == pathAbilities {
		s.asked.Add(1)
		if s.before != nil {
			s.before()
		}
		return s.abilities.give()
	}
	s.served.Add(1)
	if _, err := io.Copy(io.Discard, bodyOf(r)); err != nil {
		return nil, err
	}
	if s.rest == nil {
		return httpmock.NewStringResponse(200, okBody), nil
	}
	return s.rest(r)
}

func bodyOf(r *http.Request) io.Reader {
	if r.Body == nil {
		return http.NoBody
	}
	return r.Body
}

func pause(ctx context.Context, c *transport.Client) error {
	_, _, err := transport.Do(ctx, c, wire.PauseSession, wire.SessionRequest{SessionID: "s-1"})
	return err
}

func TestServersAreAskedOnceWhatTheyCan(t *testing.T) {
	s := &server{abilities: reply{200, able("PauseSession", "SomethingElse")}}
	c := newClient(s, nil)
	_, err := get(t.Context(), c)
	require.NoError(t, err)
	require.Zero(t, s.asked.Load(), "AGB's own operations need no question")
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := pause(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, s.asked.Load())
	require.EqualValues(t, 21, s.served.Load())

	_, meta, err := transport.Do(t.Context(), c, wire.ResumeSession, wire.SessionRequest{SessionID: "s-1"})
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.Contains(t, asError(t, err).Message, "ResumeSession")
	require.Equal(t, "r-able", meta.RequestID)
	require.EqualValues(t, 1, s.asked.Load())
	require.EqualValues(t, 21, s.served.Load(), "nothing is sent to who cannot")
}

func TestServersThatDoNotKnowTheQuestionCanNothing(t *testing.T) {
	for name, answer := range map[string]reply{
		"gateway 404":   {404, "<html>"},
		"gateway 405":   {405, ""},
		"forbidden":     {403, `{"message":"Missing Authentication Token"}`},
		"AGB 404":       {404, `{"success":false,"code":"InvalidApi.NotFound","message":"no such api","requestId":"r"}`},
		"AGB 400":       {400, `{"success":false,"code":"x","message":"api not found","requestId":"r"}`},
		"AGB 200":       {200, `{"success":false,"code":"x","message":"what?","requestId":"r"}`},
		"unsupported":   {501, `{"success":false,"code":"Unsupported","message":"x","requestId":"r"}`},
		"a page":        {200, "<html>welcome</html>"},
		"nothing":       {200, `{"success":true,"requestId":"r"}`},
		"too many":      {200, able(append(strings.Split(strings.Repeat("x ", wire.MaxCapabilities-1), " "), "PauseSession")...)},
		"endless names": {200, able(strings.Repeat("PauseSession", 1000))},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{abilities: answer}
			c := newClient(s, nil)
			for range 3 {
				require.ErrorIs(t, pause(t.Context(), c), apierr.Unsupported.Err())
			}
			require.EqualValues(t, 1, s.asked.Load(), "the answer is kept")
			require.Zero(t, s.served.Load())
		})
	}
}

func TestServersThatCannotAnswerAreAskedAgain(t *testing.T) {
	for name, row := range map[string]struct {
		first reply
		code  apierr.Code
	}{
		"broken":    {reply{}, apierr.Unavailable},
		"500":       {reply{500, "<html>"}, apierr.Internal},
		"502":       {reply{502, "<html>"}, apierr.Unavailable},
		"520":       {reply{520, "<html>"}, apierr.Unknown},
		"throttled": {reply{429, ""}, apierr.ResourceExhausted},
		"late":      {reply{408, ""}, apierr.Unknown},
		"wrong key": {reply{401, ""}, apierr.Unauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &server{abilities: row.first}
				c := newClient(s, nil)
				err := pause(t.Context(), c)
				require.ErrorIs(t, err, row.code.Err())
				require.NotErrorIs(t, err, apierr.Unsupported.Err())
				s.abilities = reply{200, able("PauseSession")}
				require.NoError(t, pause(t.Context(), c))
			})
		})
	}
}

func TestWaitingForTheAnswerEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := &server{abilities: reply{200, able("PauseSession")}, before: func() { <-release }}
		c := newClient(s, nil)
		done := make(chan error)
		go func() { done <- pause(t.Context(), c) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, pause(ctx, c), context.DeadlineExceeded)
		close(release)
		require.NoError(t, <-done)
		require.EqualValues(t, 1, s.asked.Load())
	})
}

func TestMissingLayersArrive(t *testing.T) {
	many := strings.Repeat(`"x",`, 100)
	s := &server{rest: func(*http.Request) (*http.Response, error) {
		return httpmock.NewStringResponse(503, `{"requestId":"r-1","success":false,"code":"IsolationUnavailable","message":"no",
			"missing":["seccomp","memory limit","`+strings.Repeat("y", 1000)+`",`+many+`"z"]}`), nil
	}}
	_, err := get(t.Context(), newClient(s, nil))
	e := asError(t, err)
	require.Equal(t, apierr.IsolationUnavailable, e.Code)
	require.Equal(t, []string{"seccomp", "memory limit"}, e.Missing[:2])
	require.LessOrEqual(t, len(e.Missing[2]), 64)
	require.Len(t, e.Missing, 32)
}
