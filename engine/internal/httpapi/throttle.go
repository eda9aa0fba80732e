package httpapi

import (
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Bounds of wrong API keys.
const (
	maxWrongKeys   = 10              // of one peer within wrongKeyWindow
	wrongKeyWindow = 5 * time.Minute // from the first of them
	maxWrongPeers  = 4096            // that are remembered
)

// wrongKeys counts the wrong API keys of each peer, so that one that tries many
// is told to wait. It locks nobody out, for a right key from the same address
// is to work: what keeps keys from being guessed is their length. The zero
// wrongKeys is ready to use.
type wrongKeys struct {
	mu    sync.Mutex
	peers map[netip.Addr]*wrongPeer
}

type wrongPeer struct {
	keys  int
	since time.Time
}

// add counts a wrong key of the peer that sent r. It returns how long the peer
// is refused from now on, 0 when it may try again.
func (k *wrongKeys) add(r *http.Request) time.Duration {
	addr, now := peerOf(r), time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.peers[addr]
	if p == nil || now.Sub(p.since) >= wrongKeyWindow {
		k.makeRoom(now)
		p = &wrongPeer{since: now}
		k.peers[addr] = p
	}
	if p.keys++; p.keys <= maxWrongKeys {
		return 0
	}
	return wrongKeyWindow - now.Sub(p.since)
}

// makeRoom makes room for a peer: what is over goes, else any one.
func (k *wrongKeys) makeRoom(now time.Time) {
	if k.peers == nil {
		k.peers = map[netip.Addr]*wrongPeer{}
	}
	if len(k.peers) < maxWrongPeers {
		return
	}
	for addr, p := range k.peers {
		if now.Sub(p.since) >= wrongKeyWindow {
			delete(k.peers, addr)
		}
	}
	for addr := range k.peers {
		if len(k.peers) < maxWrongPeers {
			return
		}
		delete(k.peers, addr)
	}
}

// peerOf returns who sent r: an address, or in IPv6 the network of 64 bits that
// one machine usually has to itself. All whose address is unknown are one.
func peerOf(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := at.Addr().Unmap().WithZone("")
	if addr.Is6() {
		if network, err := addr.Prefix(64); err == nil {
			return network.Addr()
		}
	}
	return addr
}
