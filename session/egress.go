package session

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/agb-go/sdk/internal/egress"
)

// EgressRecord is what became of one request from inside for something outside.
type EgressRecord struct {
	Time     time.Time // when it came
	Host     string    // as asked for; at most 253 bytes
	Port     int
	Address  string // that was connected to; empty when none was
	Allowed  bool
	Reason   string // why not, or what failed
	Sent     int64  // bytes to the address, headers of http included
	Received int64
	Duration time.Duration
}

// EgressOptions are the options of [Session.AllowEgress]. Nil and the zero value
// are ready to use.
type EgressOptions struct {
	// Address is the address of the proxy inside; empty means
	// "127.0.0.1:3128".
	Address string
	// Audit is called when a request from inside is over, allowed or not, one
	// at a time. While it runs others wait.
	Audit func(EgressRecord)
}

// Egress lets a session reach what was allowed, see [Session.AllowEgress]. It is
// safe for concurrent use.
type Egress struct {
	address string
	proxy   *egress.Proxy
	once    sync.Once
	err     error
}

// AllowEgress lets programs in the session reach hosts outside that rules name,
// until [Egress.Close], through an HTTP proxy that runs in this program: with
// this machine's network, and with CONNECT for TLS. The session's own network
// stays closed, so that nothing is reached by going around it. ctx bounds the
// beginning alone.
//
// A rule is "example.com", which is ports 80 and 443, "example.com:8443", or
// either with "*." in front, which is all names below and not the name itself;
// at most 256. Names are compared as a whole, in lower case. A name that leads
// to an address that is not public, such as one of this machine, a private
// network or a cloud's metadata, is refused whatever the rules say, when it is
// connected to. What travels in a tunnel is not looked at: whoever runs an
// allowed host can be sent anything.
//
// Until [Egress.Close] the session is never idle, and cannot be paused: it lives
// its whole life unless it is deleted.
//
// Programs learn of the proxy by variables: give [Egress.Env] to commands. At
// most 256 connections are open at once. Rules that are malformed are an error
// with code [apierr.InvalidArgument], others are as those of [Session.Listen].
func (s *Session) AllowEgress(ctx context.Context, rules []string, opts *EgressOptions) (*Egress, error) {
	var o EgressOptions
	if opts != nil {
		o = *opts
	}
	policy, err := egress.Parse(rules)
	if err != nil {
		return nil, s.fail(err, "AllowEgress")
	}
	l, err := s.Listen(ctx, "tcp", cmp.Or(o.Address, "127.0.0.1:3128"))
	if err != nil {
		return nil, s.fail(err, "AllowEgress")
	}
	cfg := egress.Config{Policy: policy}
	if o.Audit != nil {
		cfg.Audit = func(r egress.Record) { o.Audit(EgressRecord(r)) }
	}
	return &Egress{address: l.Addr().String(), proxy: egress.Serve(l, cfg)}, nil
}

// Env returns the variables that tell programs of the proxy, to be added to the
// environment of commands, see command.RunOptions and command.Cmd. The caller
// may change it.
func (e *Egress) Env() map[string]string {
	const none = "localhost,127.0.0.1,::1"
	url := "http://" + e.address
	return map[string]string{
		"http_proxy": url, "https_proxy": url, "HTTP_PROXY": url, "HTTPS_PROXY": url, "no_proxy": none, "NO_PROXY": none,
	}
}

// Done returns a channel that is closed when nothing is let through any more: by
// Close, or because the session has ended.
func (e *Egress) Done() <-chan struct{} { return e.proxy.Done() }

// Close ends it, with all connections, and waits until they are gone. Closing
// twice is no error.
func (e *Egress) Close() error {
	e.once.Do(func() { e.err = e.proxy.Close() })
	return e.err
}
