package transport

import (
	"net"
	"net/http"
	"time"
)

// HeaderLimit is how many bytes of headers the transport of [NewRoundTripper]
// accepts.
const HeaderLimit = 256 << 10

// ConnLimit is how many connections it opens to one host. Calls beyond that
// wait for one to become free.
const ConnLimit = 64

// NewRoundTripper returns the transport to the network: HTTP/1.1 and HTTP/2
// over kept connections, through the proxy that the environment names. Whoever
// asks for it owns it and closes its idle connections.
func NewRoundTripper() *http.Transport {
	dialer := net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConns:           ConnLimit,
		MaxIdleConnsPerHost:    ConnLimit,
		MaxConnsPerHost:        ConnLimit,
		MaxResponseHeaderBytes: HeaderLimit,
		ForceAttemptHTTP2:      true,
		// Without pings a call on a dead connection lasts until its timeout.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second},
	}
}
