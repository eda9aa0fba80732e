package labels_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/labels"
)

func TestSelector(t *testing.T) {
	dev := map[string]string{"env": "dev", "team": "a b", "in": "x"}
	for _, tc := range []struct {
		text, canonical string
		matches         bool
	}{
		{"", "", true},
		{" \t\n", "", true},
		{"env=dev", "env=dev", true},
		{" env == dev ", "env=dev", true},
		{"env=prod", "env=prod", false},
		{"none=dev", "none=dev", false},
		{"env!=prod", "env!=prod", true},
		{"env != dev", "env!=dev", false},
		{"none!=x", "none!=x", true},
		{"env", "env", true},
		{"none", "none", false},
		{"!env", "!env", false},
		{"! none", "!none", true},
		{"env in (prod,dev)", "env in (dev,prod)", true},
		{"env in(prod , test)", "env in (prod,test)", false},
		{"env in (dev,dev)", "env=dev", true},
		{"env notin (prod,test)", "env notin (prod,test)", true},
		{"env notin (dev)", "env!=dev", false},
		{"none notin (dev,prod)", "none notin (dev,prod)", true},
		{`team="a b"`, `team="a b"`, true},
		{`"env"="\x64ev"`, "env=dev", true},
		{"in", "in", true},
		{"in in (in,x)", "in in (in,x)", true},
		{"notin notin (notin)", "notin!=notin", true},
		{`k=""`, `k=""`, false},
		{"team,env=dev,env=dev", "env=dev,team", true},
		{"env=dev,env=prod", "env=dev,env=prod", false},
		{"a.b/c-d_e=1:2", "a.b/c-d_e=1:2", false},
		{"länder=Österreich", "länder=Österreich", false},
		{`a\b=c`, `a\b=c`, false},
	} {
		t.Run(tc.text, func(t *testing.T) {
			s, err := labels.ParseSelector(tc.text)
			require.NoError(t, err)
			require.Equal(t, tc.canonical, s.String())
			require.Equal(t, tc.matches, s.Matches(dev))
		})
	}
}

func TestSelectorFaults(t *testing.T) {
	for _, tc := range []struct{ text, where string }{
		{",", "byte 0"},
		{"a,", "byte 2"},
		{"a,,b", "byte 2"},
		{"=a", "byte 0"},
		{"a=", "byte 2"},
		{"a= ,b", "byte 3"},
		{"a===b", "byte 3"},
		{"a=b=c", "byte 3"},
		{"a b", "byte 2"},
		{"!", "byte 1"},
		{"!!a", "byte 1"},
		{"!a=b", "byte 2"},
		{"a in", "byte 4"},
		{"a in b", "byte 5"},
		{"a in ()", "byte 6"},
		{"a in (b", "byte 7"},
		{"a in (b,)", "byte 8"},
		{"a in (b c)", "byte 8"},
		{"a in (b))", "byte 8"},
		{`a "in" (b)`, "byte 2"},
		{`a="b`, "byte 2"},
		{`a="\q"`, "byte 2"},
		{"a=\"b\nc\"", "byte 2"},
		{"a=b\x00", "byte 3"},
		{"a=\u200b", "byte 2"},
		{"a=\xff", "UTF-8"},
		{"a=\"\xff\"", "UTF-8"},
	} {
		t.Run(tc.text, func(t *testing.T) {
			s, err := labels.ParseSelector(tc.text)
			requireInvalid(t, err, tc.where)
			require.Equal(t, labels.Selector{}, s)
		})
	}
}

func TestSelectorLimits(t *testing.T) {
	keys := make([]string, labels.MaxRequirements+1)
	for i := range keys {
		keys[i] = fmt.Sprint("k", i)
	}
	_, err := labels.ParseSelector(strings.Join(keys[1:], ","))
	require.NoError(t, err)
	_, err = labels.ParseSelector(strings.Join(keys, ","))
	requireInvalid(t, err, "requirements")

	longest := strings.Repeat("k", labels.MaxSelectorBytes)
	_, err = labels.ParseSelector(longest)
	require.NoError(t, err)
	_, err = labels.ParseSelector(longest + "k")
	requireInvalid(t, err, "bytes")

	// A no-break space is two bytes as given and six as an escape.
	_, err = labels.ParseSelector(`"` + strings.Repeat("\u00a0", labels.MaxSelectorBytes/4) + `"`)
	requireInvalid(t, err, "canonical")
}

func TestZeroSelector(t *testing.T) {
	var s labels.Selector
	require.True(t, s.Matches(nil))
	require.True(t, s.Matches(map[string]string{"a": "b"}))
	require.Empty(t, s.String())
	require.Empty(t, labels.FromMap(nil).String())
}

func TestPairs(t *testing.T) {
	want := map[string]string{"env": "dev", "odd \"one\"": "\xff\x00,()=!", "": ""}
	s := labels.FromMap(want)
	got, ok := s.Pairs()
	require.True(t, ok)
	require.Equal(t, want, got)
	require.True(t, s.Matches(want))

	again, err := labels.ParseSelector(s.String())
	require.NoError(t, err)
	require.Equal(t, s, again)

	for _, text := range []string{"a", "!a", "a!=b", "a in (b,c)", "a=b,a=c"} {
		s, err := labels.ParseSelector(text)
		require.NoError(t, err)
		_, ok := s.Pairs()
		require.False(t, ok, text)
	}
}

// naive is what a requirement means, said another way.
type naive struct {
	text  string
	holds func(map[string]string) bool
}

func randomRequirement(r *rand.Rand) naive {
	pick := func() string { return string(rune('a' + r.IntN(4))) }
	key, v, w := pick(), pick(), pick()
	has := func(set map[string]string, value string) bool {
		for k, got := range set {
			if k == key && got == value {
				return true
			}
		}
		return false
	}
	hasKey := func(set map[string]string) bool { return strings.Contains(strings.Join(keysOf(set), " "), key) }
	return []naive{
		{key + "=" + v, func(s map[string]string) bool { return has(s, v) }},
		{key + " == " + v, func(s map[string]string) bool { return has(s, v) }},
		{key + "!=" + v, func(s map[string]string) bool { return !has(s, v) }},
		{key + " in (" + v + ", " + w + ")", func(s map[string]string) bool { return has(s, v) || has(s, w) }},
		{key + " notin (" + v + "," + w + ")", func(s map[string]string) bool { return !has(s, v) && !has(s, w) }},
		{key, hasKey},
		{"!" + key, func(s map[string]string) bool { return !hasKey(s) }},
	}[r.IntN(7)]
}

func keysOf(set map[string]string) (keys []string) {
	for k := range maps.Keys(set) {
		keys = append(keys, k)
	}
	return keys
}

func TestMatchesLikeNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		var texts []string
		var all []naive
		for range r.IntN(4) {
			n := randomRequirement(r)
			all, texts = append(all, n), append(texts, n.text)
		}
		text := strings.Join(texts, ", ")
		s, err := labels.ParseSelector(text)
		require.NoError(t, err)

		set := map[string]string{}
		for range r.IntN(4) {
			set[string(rune('a'+r.IntN(4)))] = string(rune('a' + r.IntN(4)))
		}
		want := true
		for _, n := range all {
			want = want && n.holds(set)
		}
		require.Equal(t, want, s.Matches(set), "%s on %v", text, set)
	}
}

func FuzzParseSelector(f *testing.F) {
	for _, seed := range []string{
		"", "env in (a,b),team=x,!tmp", `k="a \"quoted\" one\n"`, "a!=b,c notin (d,e),f==g", `"\xff"=""`, "!(", "in in (in)",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := labels.ParseSelector(text)
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(s.String()), labels.MaxSelectorBytes)
		again, err := labels.ParseSelector(s.String())
		require.NoError(t, err)
		require.Equal(t, s, again)
		require.Equal(t, s.String(), again.String())
		if pairs, ok := s.Pairs(); ok {
			require.True(t, s.Matches(pairs))
			require.Equal(t, s.String(), labels.FromMap(pairs).String())
		}
	})
}

func FuzzFromMap(f *testing.F) {
	f.Add("key", "value")
	f.Add("", "\x00\xff\"\\,()=! ")
	f.Fuzz(func(t *testing.T, key, value string) {
		s := labels.FromMap(map[string]string{key: value})
		require.True(t, s.Matches(map[string]string{key: value}))
		if len(s.String()) > labels.MaxSelectorBytes {
			return
		}
		again, err := labels.ParseSelector(s.String())
		require.NoError(t, err)
		require.Equal(t, s, again)
	})
}

func BenchmarkMatches(b *testing.B) {
	s, err := labels.ParseSelector("env in (dev,prod),team=x,!tmp")
	require.NoError(b, err)
	set := map[string]string{"env": "prod", "team": "x", "region": "eu"}
	for b.Loop() {
		if !s.Matches(set) {
			b.Fatal("no match")
		}
	}
}
