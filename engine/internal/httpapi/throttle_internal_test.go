package httpapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// from returns a request of a peer.
func from(t *testing.T, addr string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	r.RemoteAddr = addr
	return r
}

func TestWrongKeysAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wrong wrongKeys
		for range maxWrongKeys {
			require.Zero(t, wrong.add(from(t, "192.0.2.1:1")))
			require.Zero(t, wrong.add(from(t, "[2001:db8::1]:1")))
		}
		require.Equal(t, wrongKeyWindow, wrong.add(from(t, "192.0.2.1:2")))
		require.Equal(t, wrongKeyWindow, wrong.add(from(t, "[::ffff:192.0.2.1]:2")), "the same address")
		require.Equal(t, wrongKeyWindow, wrong.add(from(t, "[2001:db8::2]:2")), "the same network")
		require.Zero(t, wrong.add(from(t, "192.0.2.2:1")))
		require.Zero(t, wrong.add(from(t, "[2001:db8:0:1::1]:1")))
		require.Zero(t, wrong.add(from(t, "@")))
		time.Sleep(wrongKeyWindow - time.Nanosecond)
		require.Equal(t, time.Nanosecond, wrong.add(from(t, "192.0.2.1:1")))
		time.Sleep(time.Nanosecond)
		require.Zero(t, wrong.add(from(t, "192.0.2.1:1")))
	})
}

func TestWrongKeysAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wrong wrongKeys
		for i := range maxWrongPeers + 1 {
			wrong.add(from(t, fmt.Sprintf("10.0.%d.%d:1", i/256, i%256)))
			require.LessOrEqual(t, len(wrong.peers), maxWrongPeers)
		}
		require.Len(t, wrong.peers, maxWrongPeers)
		time.Sleep(wrongKeyWindow)
		wrong.add(from(t, "192.0.2.1:1"))
		require.Len(t, wrong.peers, 1, "what is over goes first")
	})
}

func TestWrongKeysAreThrottled(t *testing.T) {
	api := New(Config{Engine: fakeEngine{}, Logger: quiet})
	handler := api.Handler(NewKeyring([]string{"right"}).Authorize)
	try := func(authorization string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/sdk/ListSession", http.NoBody)
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, r)
		return rec
	}
	for range maxWrongKeys {
		require.Equal(t, http.StatusUnauthorized, try("Bearer wrong").Code)
		require.Equal(t, http.StatusUnauthorized, try("").Code, "no key is no wrong key")
	}
	refused := try("Bearer wrong")
	require.Equal(t, http.StatusTooManyRequests, refused.Code)
	seconds, err := strconv.Atoi(refused.Header().Get("Retry-After"))
	require.NoError(t, err)
	require.InDelta(t, wrongKeyWindow.Seconds(), seconds, 60)
	require.Equal(t, http.StatusOK, try("Bearer right").Code)
	require.Equal(t, http.StatusUnauthorized, try("").Code)
}
