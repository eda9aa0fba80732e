// Package agbtest gives tests sandbox sessions of their own:
//
//	func TestWordCount(t *testing.T) {
//		t.Parallel()
//		s := agbtest.NewSession(t)
//		res, err := s.Command.Run(t.Context(), "echo one two | wc -w", nil)
//		…
//	}
//
// The sessions are real sandboxes, made by an engine inside the test's own
// process. They are deleted when the test ends. When it fails, the log shows
// what ran in its sessions, with the output, and what the engine had to say.
//
// On a machine that cannot make sandboxes, or with a runtime of
// [WithEngineConfig] that says so, the tests are skipped; each prints a
// line "agbtest: skipped: " and the reason, so that a run that tested nothing
// can be told from one that passed.
//
// With the flag -agb.cloud and a key in AGB_API_KEY the same tests run against
// AGB's hosted service, or whatever AGB_ENDPOINT names.
package agbtest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/engine"
)

var cloud = flag.Bool("agb.cloud", false, "run the tests of agbtest against AGB's hosted service, with the key in AGB_API_KEY")

// cloudImage is the image of sessions of the hosted service.
const cloudImage = "agb-code-space-1"

// cleanupTimeout bounds the deletion of a session at the end of a test.
const cleanupTimeout = 30 * time.Second

// settings are what options set.
type settings struct {
	params agb.CreateParams
	engine engine.Config
	client []agb.Option
}

// An Option configures [NewClient] and [NewSession].
type Option func(*settings)

// WithImage sets the image of the session. Default: the engine's own, or
// "agb-code-space-1" in the cloud.
func WithImage(id string) Option { return func(s *settings) { s.params.ImageID = id } }

// WithLabels sets the labels of the session.
func WithLabels(labels map[string]string) Option {
	return func(s *settings) { s.params.Labels = maps.Clone(labels) }
}

// WithLimits sets the limits of the session, as [agb.CreateParams] has them.
func WithLimits(limits agb.Limits) Option { return func(s *settings) { s.params.Limits = limits } }

// WithEngineConfig configures the engine. Its log is shown when the test
// fails, unless cfg has a logger. In the cloud it does nothing.
func WithEngineConfig(cfg engine.Config) Option { return func(s *settings) { s.engine = cfg } }

// WithClientOptions configures the client besides.
func WithClientOptions(opts ...agb.Option) Option {
	return func(s *settings) { s.client = append(s.client, opts...) }
}

// NewClient returns a client of an engine of the test's own, or of the hosted
// service. The engine is closed, with all its sessions, when the test ends.
// Sessions of the hosted service are the test's to delete. Where sandboxes
// cannot be made, the test is skipped; of a runtime of [WithEngineConfig] that
// is only known when a session is to be made.
func NewClient(tb testing.TB, opts ...Option) *agb.Client {
	tb.Helper()
	return newClient(tb, newSettings(opts))
}

// NewSession returns a session of the test's own, from a client as that of
// [NewClient]. It is deleted when the test ends.
func NewSession(tb testing.TB, opts ...Option) *agb.Session {
	tb.Helper()
	s := newSettings(opts)
	created, err := newClient(tb, s).Create(tb.Context(), &s.params)
	if err != nil {
		giveUp(tb, err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), cleanupTimeout)
		defer cancel()
		if _, err := created.Session.Delete(ctx); err != nil {
			tb.Errorf("agbtest: %v", err)
		}
	})
	return created.Session
}

func newSettings(opts []Option) *settings {
	s := &settings{}
	for _, o := range opts {
		o(s)
	}
	if *cloud && s.params.ImageID == "" {
		s.params.ImageID = cloudImage
	}
	return s
}

func newClient(tb testing.TB, s *settings) *agb.Client {
	tb.Helper()
	var script transcript
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Log(script.String())
		}
	})
	var rt http.RoundTripper
	if *cloud {
		rt = cloudTransport(tb)
	} else {
		rt = engineTransport(tb, s.engine, &script)
	}
	client, err := agb.New(append([]agb.Option{agb.WithTransport(script.wrap(rt))}, s.client...)...)
	if err != nil {
		tb.Fatalf("agbtest: %v", err)
	}
	return client
}

func cloudTransport(tb testing.TB) http.RoundTripper {
	tb.Helper()
	rt := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	tb.Cleanup(rt.CloseIdleConnections)
	return rt
}

// engineTransport starts an engine that ends with the test.
func engineTransport(tb testing.TB, cfg engine.Config, script *transcript) http.RoundTripper {
	tb.Helper()
	if cfg.Runtime == nil {
		if err := sandboxes(); err != nil {
			giveUp(tb, err)
		}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(script, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	eng, err := engine.New(cfg)
	if err != nil {
		giveUp(tb, err)
	}
	tb.Cleanup(func() {
		if err := eng.Close(); err != nil {
			tb.Errorf("agbtest: %v", err)
		}
	})
	return eng.Transport()
}

// giveUp ends the test: it is skipped when it is for the engine and no sandbox
// can be made, else it fails.
func giveUp(tb testing.TB, err error) {
	tb.Helper()
	if *cloud || !impossible(err) {
		tb.Fatalf("agbtest: %v", err)
	}
	fmt.Fprintf(os.Stderr, "agbtest: skipped: %s: %v\n", tb.Name(), err)
	tb.Skipf("agbtest: skipped: %v", err)
}

// impossible reports whether err means that no sandbox can be made here.
func impossible(err error) bool {
	return errors.Is(err, agb.ErrIsolationUnavailable) || errors.Is(err, agb.ErrUnsupported)
}

// sandboxes tells why no sandbox can be made on this machine, nil if one can.
// Failures of another kind are left to the tests.
var sandboxes = sync.OnceValue(func() error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
	defer cancel()
	eng, err := engine.New(engine.Config{})
	if err == nil {
		defer func() { _ = eng.Close() }() // the tests' own engines tell what goes wrong
		var client *agb.Client
		if client, err = agb.New(agb.WithTransport(eng.Transport())); err == nil {
			_, err = client.Create(ctx, nil)
		}
	}
	if impossible(err) {
		return err
	}
	return nil
})
