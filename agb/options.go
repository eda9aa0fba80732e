package agb

import (
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
)

// Defaults of a [Client].
const (
	DefaultEndpoint = "sdk-api.agb.cloud"
	DefaultTimeout  = time.Minute
	// MaxAttempts is how often a call is tried, the first time included.
	MaxAttempts = 3
)

// Environment variables that stand in for options.
const (
	envAPIKey   = "AGB_API_KEY"
	envEndpoint = "AGB_ENDPOINT"
	envTimeout  = "AGB_TIMEOUT_MS"
)

// settings are what options set. Nil means that the option is absent.
type settings struct {
	apiKey, endpoint, userAgent *string
	timeout                     *time.Duration
	attempts                    *int
	transport                   *http.RoundTripper
	logger                      *slog.Logger
}

// An Option configures a [Client]. Of the same option given twice the last
// counts.
type Option func(*settings)

// WithAPIKey sets the key of the account. Default: $AGB_API_KEY.
func WithAPIKey(key string) Option { return func(s *settings) { s.apiKey = &key } }

// WithEndpoint sets the service's address: a host, or a URL that starts with
// http:// or https://. Without a scheme it is https; calls to a server that
// speaks http then fail with [ErrFailedPrecondition] and a hint. The key travels
// in the clear over http; use that on this machine or on a network that you
// trust. Slashes at the end are taken away.
// Default: $AGB_ENDPOINT, else [DefaultEndpoint].
func WithEndpoint(endpoint string) Option { return func(s *settings) { s.endpoint = &endpoint } }

// WithTimeout sets how long one attempt at a request may take, without the
// time that a command may run. Default: $AGB_TIMEOUT_MS, else
// [DefaultTimeout].
func WithTimeout(d time.Duration) Option { return func(s *settings) { s.timeout = &d } }

// WithTransport sends requests through rt: the embedded engine's transport, an
// instrumented one, or a mock. The caller goes on owning it.
//
// If rt has a method Endpoint() string, as the engine's has, that is the
// endpoint; no key is needed then, and $AGB_API_KEY and $AGB_ENDPOINT are
// neither read nor sent. Any other rt has to bound what it reads of headers,
// and should not follow redirects. Streams, such as those of connections,
// processes and contents of files, take HTTP/1.1: through an rt that speaks
// HTTP/2 to the server they fail with [ErrFailedPrecondition] and a hint. Of an
// [http.Transport] set Protocols, and of a clone TLSClientConfig.NextProtos too.
func WithTransport(rt http.RoundTripper) Option { return func(s *settings) { s.transport = &rt } }

// WithLogger writes a line for each attempt at a request to l, at level debug.
// No line has a key, a body or a URL in it. Default: silence.
func WithLogger(l *slog.Logger) Option { return func(s *settings) { s.logger = l } }

// WithRetry sets how often a call is tried at most, from 1 to [MaxAttempts],
// which is the default. Whatever the number, a call is tried again only when
// the service has not performed it, or when performing it twice is as good as
// once.
func WithRetry(attempts int) Option { return func(s *settings) { s.attempts = &attempts } }

// WithUserAgent sets what the client calls itself, in place of "agb-go" and
// its version.
func WithUserAgent(name string) Option { return func(s *settings) { s.userAgent = &name } }

// endpointer is a transport that leads to one place only.
type endpointer interface{ Endpoint() string }

// New returns a client. It does no I/O. Without a key for the hosted service
// the error matches [ErrUnauthenticated], with settings that make no sense
// [ErrInvalidArgument].
func New(opts ...Option) (*Client, error) {
	var s settings
	for _, o := range opts {
		if o != nil {
			o(&s)
		}
	}
	c := &Client{}
	cfg := transport.Config{UserAgent: "agb-go/" + Version, Timeout: DefaultTimeout, Attempts: MaxAttempts, Logger: s.logger}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	home := ""
	if s.transport != nil {
		if cfg.Transport = *s.transport; cfg.Transport == nil {
			return nil, invalid("the transport is nil")
		}
		if e, ok := cfg.Transport.(endpointer); ok {
			cfg.Embedded, home = true, e.Endpoint()
		}
	}
	for _, step := range []func() error{
		func() error { return s.account(&cfg, cfg.Embedded) },
		func() error { return s.address(&cfg, home) },
		func() error { return s.manners(&cfg) },
	} {
		if err := step(); err != nil {
			return nil, transport.Name(err, "agb.New", "")
		}
	}
	if cfg.Transport == nil {
		c.owned = []*http.Transport{transport.NewRoundTripper(), transport.NewStreamRoundTripper()}
		cfg.Transport, cfg.Streams = c.owned[0], c.owned[1]
	}
	c.t = transport.New(cfg)
	return c, nil
}

func invalid(format string, args ...any) *Error {
	e := apierr.Errorf(apierr.InvalidArgument, format, args...)
	e.Op = "agb.New"
	return e
}

// account fills in the key.
func (s *settings) account(cfg *transport.Config, embedded bool) error {
	switch {
	case s.apiKey != nil:
		cfg.APIKey = *s.apiKey
	case !embedded:
		cfg.APIKey = os.Getenv(envAPIKey)
	}
	if cfg.APIKey == "" && !embedded {
		return apierr.Errorf(apierr.Unauthenticated, "there is no API key").
			WithHint("set %s or agb.WithAPIKey; or run without an account: agb.WithTransport(eng.Transport()), where eng is from engine.New", envAPIKey)
	}
	// Never show the key, not even a bad one.
	if strings.ContainsFunc(cfg.APIKey, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return invalid("the API key has a blank, a line break or a character in it that is not ASCII")
	}
	return nil
}

// address fills in the base URL. home is where the transport leads, if it
// leads to one place only.
func (s *settings) address(cfg *transport.Config, home string) error {
	endpoint := DefaultEndpoint
	switch {
	case s.endpoint != nil:
		endpoint = *s.endpoint
	case home != "":
		endpoint = home
	case os.Getenv(envEndpoint) != "":
		endpoint = os.Getenv(envEndpoint)
	}
	if !strings.HasPrefix(endpoint, "http://") && !strings.HasPrefix(endpoint, "https://") {
		endpoint = "https://" + endpoint
	}
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Hostname() == "" || strings.Contains(u.Path, "://") || strings.HasSuffix(u.Host, ":"):
		return invalid("the endpoint is not a host or URL") // not shown: it may hold a password
	case u.User != nil:
		return invalid("the endpoint has a user in it")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(endpoint, "#"):
		return invalid("the endpoint has a query or fragment in it")
	}
	cfg.BaseURL = strings.TrimRight(endpoint, "/")
	return nil
}

// manners fills in how the client behaves.
func (s *settings) manners(cfg *transport.Config) error {
	if text := os.Getenv(envTimeout); s.timeout == nil && text != "" {
		ms, err := strconv.ParseInt(text, 10, 64)
		if err != nil || ms <= 0 || ms > int64(1<<63-1)/int64(time.Millisecond) {
			return invalid("%s is not a positive number of milliseconds: %.32q", envTimeout, text)
		}
		cfg.Timeout = time.Duration(ms) * time.Millisecond
	}
	if s.timeout != nil {
		if *s.timeout <= 0 {
			return invalid("the timeout %v is not positive", *s.timeout)
		}
		cfg.Timeout = *s.timeout
	}
	if s.attempts != nil {
		if *s.attempts < 1 || *s.attempts > MaxAttempts {
			return invalid("%d attempts are not between 1 and %d", *s.attempts, MaxAttempts)
		}
		cfg.Attempts = *s.attempts
	}
	if s.userAgent != nil {
		if strings.ContainsFunc(*s.userAgent, func(r rune) bool { return r < ' ' || r > '~' }) {
			return invalid("the user agent has a control character or one in it that is not ASCII")
		}
		cfg.UserAgent = *s.userAgent
	}
	return nil
}
