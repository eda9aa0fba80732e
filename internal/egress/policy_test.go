package egress

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
)

func TestPolicy(t *testing.T) {
	p, err := Parse([]string{"Example.com", "api.example.org:8443", "*.cdn.example", "8.8.8.8:53", "[2606:4700::1111]:443"})
	require.NoError(t, err)
	for _, c := range []struct {
		host  string
		port  int
		allow bool
	}{
		{"example.com", 443, true}, {"example.com", 80, true}, {"example.com", 8443, false},
		{"www.example.com", 443, false}, {"evilexample.com", 443, false}, {"example.com.evil.com", 443, false},
		{"api.example.org", 8443, true}, {"api.example.org", 443, false},
		{"a.cdn.example", 443, true}, {"a.b.cdn.example", 80, true}, {"cdn.example", 443, false}, {"evilcdn.example", 443, false},
		{"8.8.8.8", 53, true}, {"8.8.8.8", 443, false}, {"2606:4700::1111", 443, true},
	} {
		require.Equal(t, c.allow, p.allows(c.host, c.port), "%s %d", c.host, c.port)
	}
	none, err := Parse(nil)
	require.NoError(t, err)
	require.False(t, none.allows("example.com", 443))
}

func TestRulesThatAreNone(t *testing.T) {
	for _, text := range []string{
		"", "*", "*.", ".", "a..b", "a.", ".a", "https://example.com", "example.com/", "example.com:", "example.com:0", "example.com:65536",
		"example.com:+443", "example.com:0443", "example.com: 443", "exa mple.com", "user@example.com", "exämple.com", "a\x00.b", "-a.com", "a-.com",
		"1.2.3", "127.1", "2130706433", "0x7f.1", "0x7f000001", "*.1.2.3.4", "1.2.3.04", "[::1]", "::1:80x", "fe80::1%eth0",
		strings.Repeat("a", 64) + ".com", strings.Repeat("a.", 130) + "com",
	} {
		_, err := Parse([]string{text})
		require.Equal(t, apierr.InvalidArgument, apierr.CodeOf(err), "%q", text)
	}
	many := make([]string, MaxRules+1)
	for i := range many {
		many[i] = "example.com"
	}
	_, err := Parse(many[1:])
	require.NoError(t, err)
	_, err = Parse(many)
	require.ErrorIs(t, err, apierr.InvalidArgument.Err())
}

func TestPublic(t *testing.T) {
	for text, want := range map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "2606:4700::1111": true, "::ffff:8.8.8.8": true,
		"0.0.0.0": false, "127.0.0.1": false, "127.8.8.8": false, "10.1.2.3": false, "172.16.0.1": false, "172.31.255.255": false,
		"172.32.0.1": true, "192.168.1.1": false, "169.254.169.254": false, "100.100.100.200": false, "100.127.255.255": false,
		"168.63.129.16": false, "224.0.0.1": false, "240.0.0.1": false, "255.255.255.255": false, "198.18.0.1": false, "192.0.0.170": false,
		"::": false, "::1": false, "::ffff:127.0.0.1": false, "::ffff:a9fe:a9fe": false, "::127.0.0.1": false, "64:ff9b::7f00:1": false,
		"64:ff9b:1::a00:1": false, "2002:7f00:1::": false, "fd00:ec2::254": false, "fe80::1": false, "fec0::1": false, "ff02::1": false,
		"2001:db8::1": false, "2001::1": false,
	} {
		require.Equal(t, want, public(netip.MustParseAddr(text)), text)
	}
	require.False(t, public(netip.Addr{}))
	require.False(t, public(netip.MustParseAddr("fe80::1%lo")))
}

// What a rule allows is what it says, whatever it says.
func FuzzRule(f *testing.F) {
	for _, seed := range []string{"example.com", "*.a.b:1", "[::1]:80", "1.2.3.4", "a\x00b", "0x7f.1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse([]string{text})
		if err != nil {
			return
		}
		r := p.rules[0]
		require.True(t, validHost(r.host))
		require.Equal(t, strings.ToLower(r.host), r.host)
		require.Contains(t, strings.ToLower(text), r.host)
		require.False(t, strings.ContainsAny(r.host, " \x00/@%*"))
		require.Equal(t, !r.below, p.allows(r.host, r.ports[0]))
	})
}
