package httpapi_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

// begin requests a URL whose file is larger than any buffer on the way, and reads
// no more than the headers.
func (s service) begin(t *testing.T, target string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+target[len("http://example.com"):], http.NoBody)
	require.NoError(t, err)
	resp, err := s.Client().Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	require.Equal(t, http.StatusOK, resp.StatusCode)
	return resp
}

// A download that fails on the way breaks off: nobody takes it for all.
func TestDownloadBreaksOff(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	c, s := load(t, p, id), p.serve(t)
	const size = 64 << 20
	big := wire.ShellArgs{Command: "truncate -s 64M /tmp/big"}
	_, down := urls(t, p, c, "/tmp/big")

	shell(t, p, id, big)
	shorter := s.begin(t, down) //nolint:bodyclose // when the test ends
	require.EqualValues(t, size, shorter.ContentLength)
	shell(t, p, id, wire.ShellArgs{Command: "truncate -s 1M /tmp/big"})
	n, err := io.Copy(io.Discard, shorter.Body)
	require.Error(t, err)
	require.Less(t, n, int64(size))

	shell(t, p, id, big)
	resp := s.begin(t, down) //nolint:bodyclose // when the test ends
	start := time.Now()
	must(t, p, wire.DeleteSession, wire.SessionRequest{SessionID: id})
	require.Less(t, time.Since(start), 20*time.Second, "who does not read keeps nobody waiting")
	n, err = io.Copy(io.Discard, resp.Body)
	require.Error(t, err)
	require.Less(t, n, int64(size))
}

// Who reads a file that is replaced meanwhile has the one or the other.
func TestDownloadOfAFileThatIsReplaced(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	c, s := load(t, p, id), p.serve(t)
	up, down := urls(t, p, c, "a")
	old, other := bytes.Repeat([]byte("o"), 24<<20), bytes.Repeat([]byte("n"), 1<<20)
	require.Equal(t, http.StatusOK, s.object(t, http.MethodPut, up, bytes.NewReader(old)).status)
	resp := s.begin(t, down) //nolint:bodyclose // when the test ends
	require.Equal(t, http.StatusOK, s.object(t, http.MethodPut, up, bytes.NewReader(other)).status)
	content, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, sumOf(old), sumOf(content))
	require.Equal(t, sumOf(other), sumOf(s.object(t, http.MethodGet, down, http.NoBody).content))
}

// A session that is paused takes and gives no files.
func TestTransferOfASessionThatIsPaused(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	c := load(t, p, id)
	up, down := urls(t, p, c, "a")
	nobody := peer{handler: p.handler}
	require.True(t, nobody.raw(t, http.MethodPut, up, "old").Success)
	if _, a := ask(t, p, wire.PauseSession, wire.SessionRequest{SessionID: id}); a.Code == "Unsupported" {
		t.Skip("nothing can be paused here")
	}
	require.Equal(t, "FailedPrecondition", nobody.raw(t, http.MethodPut, up, "new").Code)
	require.Equal(t, "FailedPrecondition", nobody.raw(t, http.MethodGet, down, "").Code)
	must(t, p, wire.ResumeSession, wire.SessionRequest{SessionID: id})
	require.Equal(t, "old", follow(t, p, down).Body.String())
}
