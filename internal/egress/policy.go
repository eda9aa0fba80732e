// Package egress lets a sandbox without a network reach what its owner allows,
// through a proxy that runs outside of it: hosts and ports by name, whatever
// their addresses are as long as they are public.
package egress

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/agb-go/sdk/apierr"
)

// Bounds of a [Policy].
const (
	MaxRules   = 256
	maxHost    = 253 // bytes, see RFC 1035
	plainPort  = 80
	securePort = 443
)

// Policy says what may be reached. It does not change.
type Policy struct{ rules []rule }

// rule allows a port of a host, or of all hosts below it.
type rule struct {
	host  string // in lower case
	below bool
	ports []int
}

// Parse returns the policy of rules of the form "host", which is ports 80 and
// 443, "host:port", or either with "*." in front, which is all names below the
// host and not the host itself. A host is a name or an address.
func Parse(rules []string) (*Policy, error) {
	if len(rules) > MaxRules {
		return nil, apierr.Errorf(apierr.InvalidArgument, "%d rules, at most %d are allowed", len(rules), MaxRules)
	}
	p := &Policy{}
	for _, text := range rules {
		r, ok := parseRule(text)
		if !ok {
			return nil, apierr.Errorf(apierr.InvalidArgument, "rule %.300q is not a host, perhaps with a port, such as example.com:443 or *.example.com", text)
		}
		p.rules = append(p.rules, r)
	}
	return p, nil
}

func parseRule(text string) (rule, bool) {
	r := rule{ports: []int{plainPort, securePort}}
	host := text
	if h, port, ok := splitPort(text); ok {
		r.ports = []int{port}
		host = h
	}
	host, r.below = strings.CutPrefix(host, "*.")
	r.host = strings.ToLower(host)
	return r, validHost(r.host) && (!r.below || !isAddress(r.host))
}

// splitPort splits what ends in a port. An IPv6 address with one is in brackets.
func splitPort(text string) (host string, port int, ok bool) {
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		return "", 0, false
	}
	host = text[:i]
	if inner, bracket := strings.CutPrefix(host, "["); bracket {
		host, bracket = strings.CutSuffix(inner, "]")
		if !bracket {
			return "", 0, false
		}
	} else if strings.Contains(host, ":") {
		return "", 0, false // an address without a port
	}
	port, ok = parsePort(text[i+1:])
	return host, port, ok
}

// parsePort accepts the one way to write a port.
func parsePort(text string) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n > 0 && n <= 65535 && strconv.Itoa(n) == text
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// validHost reports whether a host in lower case is a name of letters, digits,
// hyphens and dots, as resolvers take it and no other way to write it, or an
// address.
func validHost(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Zone() == "" && a.String() == host
	}
	if host == "" || len(host) > maxHost {
		return false
	}
	labels := strings.Split(host, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
			return false
		}
		if strings.ContainsFunc(l, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' }) {
			return false
		}
	}
	// What ends in a number may be another way to write an address.
	last := labels[len(labels)-1]
	return strings.ContainsFunc(last, func(r rune) bool { return r >= 'a' && r <= 'z' }) && !strings.HasPrefix(last, "0x")
}

// allows reports whether a port of a host, which is valid, may be reached.
func (p *Policy) allows(host string, port int) bool {
	return slices.ContainsFunc(p.rules, func(r rule) bool {
		named := host == r.host && !r.below || r.below && strings.HasSuffix(host, "."+r.host)
		return named && slices.Contains(r.ports, port)
	})
}

// refused are the addresses that are nobody's, one's own, or of the neighbours,
// see the registries of special purpose addresses of IANA, RFC 6890. The
// services that tell machines in a cloud about themselves are among them.
var refused = func() (list []netip.Prefix) {
	for _, text := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "224.0.0.0/3", "168.63.129.16/32",
		"::/8", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16",
		"fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
	} {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}()

// public reports whether an address may be reached if its name may.
func public(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsValid() && a.Zone() == "" && !slices.ContainsFunc(refused, func(p netip.Prefix) bool { return p.Contains(a) })
}
