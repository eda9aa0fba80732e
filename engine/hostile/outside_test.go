//go:build linux && (amd64 || arm64)

package hostile

import (
	"context"
	"crypto/rand"
	"net"
	"os"
	"sync"
	"sync/atomic"
)

// The outside of the containment, which no sandbox may reach.
var (
	outsideHits  atomic.Int64 // packets and connections that came
	outsideToken = rand.Text()
	envToken     = rand.Text() // in the owner's environment
)

// serveOutside serves the addresses of the outside, by TCP as the metadata
// service of a cloud does, and by UDP as resolvers do. stop ends it.
func serveOutside() (stop func(), err error) {
	if err := os.Setenv(envName, envToken); err != nil {
		return nil, err
	}
	var serving sync.WaitGroup
	var closers []func() error
	stop = func() {
		for _, closer := range closers {
			_ = closer() // nothing is written
		}
		serving.Wait()
	}
	var lc net.ListenConfig
	for _, host := range []string{metadataAddr, internalAddr} {
		for _, port := range []string{"53", "80"} {
			l, err := lc.Listen(context.Background(), "tcp4", net.JoinHostPort(host, port))
			if err != nil {
				stop()
				return nil, err
			}
			closers = append(closers, l.Close)
			serving.Go(func() { answer(l, &outsideHits, outsideToken) })
			p, err := lc.ListenPacket(context.Background(), "udp4", net.JoinHostPort(host, port))
			if err != nil {
				stop()
				return nil, err
			}
			closers = append(closers, p.Close)
			serving.Go(func() { echo(p) })
		}
	}
	return stop, nil
}

func echo(p net.PacketConn) {
	buf := make([]byte, 1)
	for {
		_, from, err := p.ReadFrom(buf)
		if err != nil {
			return
		}
		outsideHits.Add(1)
		_, _ = p.WriteTo([]byte(outsideToken), from) // the attack may have gone
	}
}
