package egress

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds of a [Proxy].
const (
	maxConnections = 256              // from inside, at once; others wait
	maxHeaderBytes = 64 << 10         // of a request, and of an answer
	headerTimeout  = 10 * time.Second // for a request's headers
	lookupTimeout  = 10 * time.Second
	dialTimeout    = 10 * time.Second
	idleTimeout    = 5 * time.Minute // for a tunnel on which nothing moves
)

// Record is what became of one request from inside.
type Record struct {
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

// Config configures a [Proxy].
type Config struct {
	Policy *Policy
	// Audit is called for each request when it is over, one at a time. Nil
	// means nobody wants to know.
	Audit func(Record)
	// Lookup resolves a name, and Dial connects to an address. Nil means this
	// machine's.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	Dial   func(ctx context.Context, to netip.AddrPort) (net.Conn, error)
}

// Proxy is an HTTP proxy: CONNECT, and http URLs. What comes from inside is
// not to be believed.
type Proxy struct {
	cfg     Config
	server  *http.Server
	forward *httputil.ReverseProxy
	auditMu sync.Mutex
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	tunnels sync.WaitGroup
	served  chan struct{}
}

// Serve returns a proxy that serves what connects to l, which it owns, until
// Close.
func Serve(l net.Listener, cfg Config) *Proxy {
	if cfg.Lookup == nil {
		cfg.Lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if cfg.Dial == nil {
		cfg.Dial = func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", to.String())
		}
	}
	p := &Proxy{cfg: cfg, served: make(chan struct{})}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	silent := log.New(io.Discard, "", 0) // the audit tells
	p.forward = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			// What was allowed, whatever the header says.
			r.Out.URL.Host = told(r.In.Context()).asked().String()
			r.Out.Host = r.Out.URL.Host
			r.Out.Header.Del("Proxy-Authorization")
		},
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
				host, port, ok := splitPort(address)
				if !ok {
					return nil, errRefused
				}
				conn, err := p.dial(ctx, target{host, port})
				if err != nil {
					return nil, err
				}
				return countedConn{conn, told(ctx)}, nil
			},
			DisableKeepAlives: true, DisableCompression: true,
			MaxResponseHeaderBytes: maxHeaderBytes, ResponseHeaderTimeout: idleTimeout,
		},
		FlushInterval: -1, // what has come of an answer is not held back for the rest
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			told(r.Context()).failed(err.Error())
			http.Error(w, "egress: "+err.Error(), http.StatusBadGateway)
		},
		ErrorLog: silent,
	}
	p.server = &http.Server{
		Handler: http.HandlerFunc(p.handle), ReadHeaderTimeout: headerTimeout, IdleTimeout: headerTimeout,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: silent,
		BaseContext: func(net.Listener) context.Context { return p.ctx },
	}
	go func() {
		defer close(p.served)
		_ = p.server.Serve(&bounded{Listener: l, slots: make(chan struct{}, maxConnections), done: p.ctx.Done()})
	}()
	return p
}

// Done returns a channel that is closed when nothing is served any more.
func (p *Proxy) Done() <-chan struct{} { return p.served }

// Close ends the serving and every connection, and waits until they are gone.
func (p *Proxy) Close() error {
	p.cancel()
	err := p.server.Close()
	<-p.served
	p.tunnels.Wait()
	return err
}

// pending is the record of a request that is not over. It is safe for concurrent
// use: connecting may outlast a request that is given up.
type pending struct {
	mu     sync.Mutex
	record Record
}

func (p *pending) set(change func(*Record)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.record)
}

// asked returns what is wanted.
func (p *pending) asked() target {
	p.mu.Lock()
	defer p.mu.Unlock()
	return target{p.record.Host, p.record.Port}
}

// failed says why nothing came of it.
func (p *pending) failed(why string) { p.set(func(r *Record) { r.Reason = why }) }

// pendingKey is the key of a request's *pending in its context.
type pendingKey struct{}

func told(ctx context.Context) *pending { return ctx.Value(pendingKey{}).(*pending) }

// target is what a request wants to reach.
type target struct {
	host string
	port int
}

// String returns t as the host of an http URL.
func (t target) String() string {
	if t.port == plainPort && !strings.Contains(t.host, ":") {
		return t.host
	}
	return net.JoinHostPort(t.host, strconv.Itoa(t.port))
}

var errRefused = errors.New("it is not allowed")

// handle serves one request.
func (p *Proxy) handle(w http.ResponseWriter, r *http.Request) {
	rec := &pending{record: Record{Time: time.Now()}}
	r = r.WithContext(context.WithValue(r.Context(), pendingKey{}, rec))
	defer p.audit(rec)
	t, err := wanted(r)
	rec.set(func(r *Record) { r.Host, r.Port = t.host[:min(len(t.host), maxHost)], t.port })
	switch {
	case err != nil:
		rec.failed(err.Error())
		http.Error(w, "egress: "+err.Error(), http.StatusBadRequest)
	case !p.cfg.Policy.allows(t.host, t.port):
		rec.failed(errRefused.Error())
		http.Error(w, fmt.Sprintf("egress: %s port %d is not allowed", t.host, t.port), http.StatusForbidden)
	case r.Method == http.MethodConnect:
		p.tunnel(w, r, t)
	default:
		p.forward.ServeHTTP(w, r)
	}
}

func (p *Proxy) audit(rec *pending) {
	if p.cfg.Audit == nil {
		return
	}
	rec.mu.Lock()
	r := rec.record
	rec.mu.Unlock()
	r.Duration = time.Since(r.Time)
	p.auditMu.Lock()
	defer p.auditMu.Unlock()
	p.cfg.Audit(r)
}

// wanted returns what r wants to reach, written in one way.
func wanted(r *http.Request) (t target, err error) {
	switch {
	case r.Method == http.MethodConnect:
		host, port, ok := splitPort(r.RequestURI)
		if t = (target{strings.ToLower(host), port}); !ok {
			return t, errors.New("this is no host with a port")
		}
	case r.URL.Scheme == "http" && r.URL.Host != "" && r.URL.User == nil:
		t = target{strings.ToLower(r.URL.Hostname()), plainPort}
		if text := r.URL.Port(); text != "" || strings.HasSuffix(r.URL.Host, ":") {
			var ok bool
			if t.port, ok = parsePort(text); !ok {
				return t, errors.New("this is no port")
			}
		}
	default:
		return t, errors.New("this is a proxy: it takes CONNECT, and http URLs")
	}
	if !validHost(t.host) {
		return t, errors.New("this is no host")
	}
	return t, nil
}

// dial connects to what the request of ctx was allowed to reach, at an address
// that is public.
func (p *Proxy) dial(ctx context.Context, t target) (net.Conn, error) {
	addresses, err := p.resolve(ctx, t.host)
	if err != nil {
		return nil, err
	}
	var last error
	for _, a := range addresses {
		if !public(a) {
			last = cmp.Or(last, fmt.Errorf("%s is at %v, which is not a public address", t.host, a))
			continue
		}
		to := netip.AddrPortFrom(a.Unmap(), uint16(t.port))
		dialing, cancel := context.WithTimeout(ctx, dialTimeout)
		conn, err := p.cfg.Dial(dialing, to)
		cancel()
		if err == nil {
			told(ctx).set(func(r *Record) { r.Address, r.Allowed = to.String(), true })
			return conn, nil
		}
		last = fmt.Errorf("%s cannot be reached", t.host)
	}
	return nil, cmp.Or(last, fmt.Errorf("%s has no address", t.host))
}

// maxAddresses is how many addresses of a name are tried.
const maxAddresses = 8

func (p *Proxy) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	list, err := p.cfg.Lookup(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be found", host)
	}
	return slices.Clip(list[:min(len(list), maxAddresses)]), nil
}
