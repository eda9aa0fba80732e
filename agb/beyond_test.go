package agb_test

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/code"
	"github.com/agb-go/sdk/command"
	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/session"
)

const pathAbilities = "/v1/capabilities"

func TestBeyondAGBNothingIsCreatedUnasked(t *testing.T) {
	for name, p := range map[string]*agb.CreateParams{
		"lifetime": {ImageID: "i", Lifetime: time.Minute},
		"limits":   {ImageID: "i", Limits: agb.Limits{MilliCPU: 1}},
		"key":      {ImageID: "i", IdempotencyKey: "k"},
	} {
		svc := newService(map[string][]string{
			pathAbilities: {`{"success":false,"code":"InvalidApi.NotFound","message":"no such api","httpStatusCode":404}`},
			pathCreate:    {created},
		})
		c := newClient(t, svc)
		for range 2 {
			_, err := c.Create(t.Context(), p)
			require.ErrorIs(t, err, agb.ErrUnsupported, name)
			require.ErrorIs(t, err, errors.ErrUnsupported, name)
			var e *agb.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, "agb.Create", e.Op)
			require.Contains(t, strings.ToLower(e.Message), name)
		}
		require.Equal(t, []string{pathAbilities}, svc.paths())
		_, err := c.Create(t.Context(), &agb.CreateParams{ImageID: "i"})
		require.NoError(t, err)
		require.Equal(t, []string{pathAbilities, pathCreate}, svc.paths(), "AGB's own needs no question")
	}
}

func TestBeyondAGBTheCloudIsAskedOnce(t *testing.T) {
	svc := newService(map[string][]string{
		pathAbilities: {`{"success":false,"code":"x","message":"no such api","httpStatusCode":404}`}, pathCreate: {created},
		"/mcp/getMcpResource": {`{"success":true,"data":{"sessionId":"s-1","resourceUrl":"u"}}`},
	})
	c := newClient(t, svc)
	res, err := c.Create(t.Context(), &agb.CreateParams{ImageID: "i"})
	require.NoError(t, err)
	s, ctx := res.Session, t.Context()
	f, run := s.FileSystem, s.Command
	for name, call := range map[string]func() error{
		"agb.Records":    func() error { return second(c.Records(ctx, nil)) },
		"agb.AllRecords": func() error { return first(c.AllRecords(ctx, nil)) },

		"session.Extend":      func() error { return second(s.Extend(ctx, time.Minute)) },
		"session.Pause":       func() error { return second(s.Pause(ctx)) },
		"session.Resume":      func() error { return second(s.Resume(ctx)) },
		"session.Usage":       func() error { return second(s.Usage(ctx)) },
		"session.Isolation":   func() error { return second(s.Isolation(ctx)) },
		"session.Dial":        func() error { return second(s.Dial(ctx, "tcp", "localhost:80")) },
		"session.Listen":      func() error { return second(s.Listen(ctx, "tcp", "localhost:0")) },
		"session.AllowEgress": func() error { return second(s.AllowEgress(ctx, nil, nil)) },

		"command.Cmd":    func() error { return second(run.Command(ctx, "true").Run()) },
		"command.List":   func() error { return second(run.List(ctx)) },
		"command.Signal": func() error { return second(run.Signal(ctx, "p", "TERM")) },
		"command.Resize": func() error { return second(run.Resize(ctx, "p", command.Size{Rows: 1, Columns: 1})) },
		"command.Attach": func() error { return second(run.Attach(ctx, "p", nil)) },

		"code.Run": func() error {
			return second(s.Code.Run(ctx, code.Python, "1", &code.RunOptions{OnResult: func(code.Item) {}}))
		},
		"code.Languages":          func() error { return second(s.Code.Languages(ctx)) },
		"code.Contexts.New":       func() error { return second(s.Code.Contexts.New(ctx, code.Python, nil)) },
		"code.Contexts.List":      func() error { return second(s.Code.Contexts.List(ctx)) },
		"code.Contexts.Restart":   func() error { return second(s.Code.Contexts.Restart(ctx, "c")) },
		"code.Contexts.Interrupt": func() error { return second(s.Code.Contexts.Interrupt(ctx, "c")) },
		"code.Contexts.Delete":    func() error { return second(s.Code.Contexts.Delete(ctx, "c")) },

		"filesystem.Upload":   func() error { return second(f.Upload(ctx, "d", fstest.MapFS{}, nil)) },
		"filesystem.Download": func() error { return second(f.Download(ctx, "d", t.TempDir(), nil)) },
		"filesystem.Copy":     func() error { return second(f.Copy(ctx, "a", "b", nil)) },
		"filesystem.Chmod":    func() error { return second(f.Chmod(ctx, "a", 0o600, nil)) },
		"filesystem.Symlink":  func() error { return second(f.Symlink(ctx, "a", "b", nil)) },
		"filesystem.Readlink": func() error { return second(f.Readlink(ctx, "a", nil)) },
		"filesystem.Truncate": func() error { return second(f.Truncate(ctx, "a", 0, nil)) },
		"filesystem.Walk":     func() error { return first(f.Walk(ctx, "d", nil)) },
		"filesystem.Watch":    func() error { return first(f.Watch(ctx, "d", nil)) },
	} {
		err := call()
		require.ErrorIs(t, err, agb.ErrUnsupported, name)
		require.ErrorIs(t, err, errors.ErrUnsupported, name)
		var e *agb.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, name, e.Op)
		require.NotEmpty(t, e.RequestID, name)
	}
	require.NoError(t, code.Expose(s.Code, "f", func(context.Context, int) (int, error) { return 0, nil }, nil))
	require.ErrorIs(t, second(s.Code.Run(ctx, code.Python, "1", nil)), errors.ErrUnsupported, "with functions")
	asked := map[string]int{}
	for _, path := range svc.paths() {
		asked[path]++
	}
	require.Equal(t, map[string]int{pathCreate: 1, pathAbilities: 1, "/mcp/getMcpResource": 1}, asked)
}

// second returns the second of what a method returns.
func second[T any](_ T, err error) error { return err }

// first returns the error that a sequence begins with.
func first[T any](all iter.Seq2[T, error]) error {
	for _, err := range all {
		return err
	}
	return nil
}

func TestBeyondAGBArgumentsAreChecked(t *testing.T) {
	svc := newService(nil)
	c := newClient(t, svc)
	for name, p := range map[string]*agb.CreateParams{
		"lifetime":     {ImageID: "i", Lifetime: -1},
		"limit":        {ImageID: "i", Limits: agb.Limits{MemoryBytes: -1}},
		"long key":     {ImageID: "i", IdempotencyKey: strings.Repeat("k", 256)},
		"blank in key": {ImageID: "i", IdempotencyKey: "a b"},
		"line in key":  {ImageID: "i", IdempotencyKey: "a\r\nX-Injected: 1"},
		"key in UTF-8": {ImageID: "i", IdempotencyKey: "ü"},
	} {
		_, err := c.Create(t.Context(), p)
		require.ErrorIs(t, err, agb.ErrInvalidArgument, name)
	}
	for _, o := range []*agb.RecordsOptions{{Limit: -1}, {Selector: "a in"}} {
		_, err := c.Records(t.Context(), o)
		require.ErrorIs(t, err, agb.ErrInvalidArgument)
	}
	require.Empty(t, svc.paths())
}

func TestLayersHaveTheNamesOfTheEngine(t *testing.T) {
	for name, want := range map[string]string{
		session.LayerNamespaces: driver.Namespaces, session.LayerCapabilities: driver.Capabilities, session.LayerNoNewPrivs: driver.NoNewPrivs,
		session.LayerSeccomp: driver.Seccomp, session.LayerLandlock: driver.Landlock, session.LayerReadOnlyRoot: driver.ReadOnlyRoot,
		session.LayerNetwork: driver.Network, session.LayerMemoryLimit: driver.MemoryLimit, session.LayerProcessLimit: driver.ProcessLimit,
		session.LayerCPULimit: driver.CPULimit, session.LayerDiskLimit: driver.DiskLimit, session.LayerDescriptors: driver.Descriptors,
		session.LayerGuestHidden: driver.GuestHidden,
	} {
		require.Equal(t, want, name)
	}
}

// lossy loses the answers to the first creations.
type lossy struct {
	http.RoundTripper
	mu   sync.Mutex
	lose int
	keys []string
}

func (l *lossy) Endpoint() string {
	return l.RoundTripper.(interface{ Endpoint() string }).Endpoint()
}

func (l *lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(r)
	if err != nil || r.URL.Path != pathCreate {
		return resp, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, values := range r.Header {
		if strings.EqualFold(name, "Idempotency-Key") {
			l.keys = append(l.keys, values...)
		}
	}
	if l.lose == 0 {
		return resp, nil
	}
	l.lose--
	return nil, errors.Join(errLost, resp.Body.Close())
}

var errLost = errors.New("connection broke")

func TestLostCreationsAreOneSession(t *testing.T) {
	agbtest.NewClient(t) // skips where there are no sandboxes
	eng, err := engine.New(engine.Config{})
	require.NoError(t, err)
	defer func() { require.NoError(t, eng.Close()) }()
	wire := &lossy{RoundTripper: eng.Transport(), lose: 2}
	c, err := agb.New(agb.WithTransport(wire))
	require.NoError(t, err)
	res, err := c.Create(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, wire.keys, 3)
	require.Equal(t, wire.keys[0], wire.keys[2])
	page, err := c.List(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, 1, page.Total, "one session for three attempts")
	require.Equal(t, res.Session.ID, page.Sessions[0].ID)

	wire.lose = 3
	_, err = c.Create(t.Context(), &agb.CreateParams{IdempotencyKey: "job-7"})
	require.ErrorIs(t, err, agb.ErrUnknownOutcome)
	second, err := c.Create(t.Context(), &agb.CreateParams{IdempotencyKey: "job-7"})
	require.NoError(t, err, "the same key finds what came of it")
	page, err = c.List(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, 2, page.Total)
	require.Equal(t, second.Session.ID, page.Sessions[1].ID)
}

func TestMissingLayersReachTheCaller(t *testing.T) {
	c := newClient(t, roundTrip(func(*http.Request) (*http.Response, error) {
		return httpmock.NewStringResponse(503, `{"requestId":"r","success":false,"code":"IsolationUnavailable","message":"no",
			"hint":"do this","missing":["seccomp","memory limit"],"data":{"success":false,"errMsg":"no"}}`), nil
	}))
	_, err := c.Create(t.Context(), &agb.CreateParams{ImageID: "i"})
	require.ErrorIs(t, err, agb.ErrIsolationUnavailable)
	var e *agb.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, []string{"seccomp", "memory limit"}, e.Missing)
	require.Equal(t, "do this", e.Hint)
}

func TestBeyondAGBNothingIsRunWithoutItsLimit(t *testing.T) {
	svc := newService(map[string][]string{
		pathAbilities: {`{"success":false,"code":"x","message":"no such api","httpStatusCode":404}`}, pathCreate: {created},
	})
	res, err := newClient(t, svc).Create(t.Context(), &agb.CreateParams{ImageID: "i"})
	require.NoError(t, err)
	_, err = res.Session.Command.Run(t.Context(), "true", &command.RunOptions{CPUTimeout: time.Second})
	require.ErrorIs(t, err, agb.ErrUnsupported)
	_, err = res.Session.Code.Run(t.Context(), code.Python, "1", &code.RunOptions{CPUTimeout: time.Second})
	require.ErrorIs(t, err, agb.ErrUnsupported)
	require.Equal(t, []string{pathCreate, pathAbilities}, svc.paths())
}
