package httpapi

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// transferEngine lets nobody in.
type transferEngine struct{ Engine }

var errLetIn = apierr.Errorf(apierr.FailedPrecondition, "let in")

func (transferEngine) Find(string, string) (Session, error) { return Session{}, nil }

func (transferEngine) Stream(context.Context, string, string, func(context.Context, *Workspace) error) error {
	return errLetIn
}

func TestTransferURLsExpire(t *testing.T) {
	api := New(Config{Engine: transferEngine{}, Logger: quiet, PageKey: [32]byte{1}, PublicURL: "https://agb.example"})
	ws := api.Open("one", nil, nil, Ahead{})
	tr, err := ws.loadTransfer("one", "s-1")
	require.NoError(t, err)
	handler := api.Handler(NewKeyring(nil).Authorize)
	put := func(target string) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodPut, target, strings.NewReader("x")))
		return rec
	}
	req := wire.FileURLRequest{ContextID: tr.id, Path: "/tmp/a"}
	resp, err := api.uploadURL(t.Context(), caller{tenant: "one", base: "https://agb.example"}, req)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(resp.URL, "https://agb.example/transfer/"+tr.id+"?"), resp.URL)
	require.WithinDuration(t, time.Now().Add(time.Hour), time.Unix(resp.Expires, 0), 2*time.Second)
	require.Contains(t, put(resp.URL).Body.String(), "let in")

	_, err = api.uploadURL(t.Context(), caller{tenant: "two"}, req)
	require.ErrorIs(t, err, apierr.NotFound.Err())

	now := time.Now().Unix()
	for _, expires := range []int64{now - 1, now, 0, -1 << 63} {
		q := transferQuery("/tmp/a", expires, api.transferMAC(forUpload, tr.id, "/tmp/a", expires))
		rec := put(transferPrefix + tr.id + "?" + q)
		require.Equal(t, http.StatusForbidden, rec.Code, expires)
	}
	expires := now + 60
	q := transferQuery("/tmp/a", expires, api.transferMAC(forUpload, tr.id, "/tmp/a", expires))
	require.Contains(t, put(transferPrefix+tr.id+"?"+q).Body.String(), "let in", "it is the time alone")

	// Another engine, or one that was started anew, has another key.
	other := New(Config{Engine: transferEngine{}, Logger: quiet, PageKey: [32]byte{2}})
	rec := httptest.NewRecorder()
	other.Handler(NewKeyring(nil).Authorize).ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodPut, resp.URL, http.NoBody))
	require.Equal(t, http.StatusForbidden, rec.Code)

	ws.Close()
	require.Equal(t, http.StatusNotFound, put(resp.URL).Code)
	require.Empty(t, api.transfers.byID)
	_, err = ws.loadTransfer("one", "s-1")
	require.ErrorIs(t, err, errWorkspaceClosed)
}
