package agb_test

import (
	"encoding/json"
	"net/http"
	"sync"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/agb-go/sdk/agb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testKey = "akm-0123456789abcdef"

// service is a mock of the hosted service: it answers by path, in turn, and
// keeps what it was asked. The last answer of a path is given for ever.
type service struct {
	mu      sync.Mutex
	answers map[string][]string
	asked   []*http.Request
}

func newService(answers map[string][]string) *service { return &service{answers: answers} }

// RoundTrip implements [http.RoundTripper].
func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r)
	queue := s.answers[r.URL.Path]
	if len(queue) == 0 {
		return httpmock.NewStringResponse(500, `{"success":false,"code":"InternalError","message":"not expected: `+r.URL.Path+`"}`), nil
	}
	if len(queue) > 1 {
		s.answers[r.URL.Path] = queue[1:]
	}
	status := 200
	var env struct{ HTTPStatusCode int }
	if json.Unmarshal([]byte(queue[0]), &env) == nil && env.HTTPStatusCode != 0 {
		status = env.HTTPStatusCode
	}
	return httpmock.NewStringResponse(status, queue[0]), nil
}

func (s *service) paths() (paths []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.asked {
		paths = append(paths, r.URL.Path)
	}
	return paths
}

// newClient returns a client of the hosted service that rt stands for.
func newClient(t *testing.T, rt http.RoundTripper) *agb.Client {
	t.Helper()
	c, err := agb.New(agb.WithAPIKey(testKey), agb.WithTransport(rt))
	require.NoError(t, err)
	return c
}

const (
	created = `{"requestId":"r-c","success":true,"code":"ok","data":{"sessionId":"s-1","resourceUrl":"https://x/?resourceId=1","success":true}}`
	done    = `{"requestId":"r-d","success":true,"code":"ok"}`
	running = `{"requestId":"r-s","success":true,"data":{"status":"RUNNING"}}`
	gone    = `{"requestId":"r-s","success":false,"code":"InvalidMcpSession.NotFound","message":"Session s-1 not found","httpStatusCode":400}`
)

const (
	pathCreate  = "/mcp/createSession"
	pathGet     = "/mcp/getSession"
	pathStatus  = "/mcp/getSessionInfo"
	pathRelease = "/mcp/releaseSessionAsync"
	pathList    = "/sdk/ListSession"
)
