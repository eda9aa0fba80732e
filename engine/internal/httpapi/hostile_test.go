package httpapi_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

func TestSessionIDsAreExactAndRandom(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	other := p.create(t, nil)
	require.Regexp(t, `^s-[0-9a-f]{32}$`, id)
	require.NotEqual(t, id[:10], other[:10], "nothing of an id follows from another")
	bare := id[2:]
	for _, guess := range []string{
		"", "s-", bare, "S-" + bare, "s-" + strings.ToUpper(bare), id[:len(id)-1], id + "0", " " + id, id + " ", id + "\x00", id + "\n",
		"s-*", "%", ".*", id[:20] + "*", id + "/../" + other, "../" + id, "s-" + strings.Repeat("0", 32), id + "," + other,
	} {
		for _, pattern := range []string{wire.SessionStatus.Pattern, wire.PauseSession.Pattern, wire.DeleteSession.Pattern, wire.ExtendSession.Pattern} {
			a := p.send(t, request(t, pattern, guess, "shell"))
			require.Equal(t, gone, a.Code, "%s %q", pattern, guess)
		}
		_, a := ask(t, p, wire.SessionUsage, wire.SessionQuery{SessionID: guess})
		require.Equal(t, gone, a.Code, guess)
	}
	require.True(t, p.send(t, request(t, wire.SessionStatus.Pattern, id, "")).Success)
}

func TestFiltersAreNoPatterns(t *testing.T) {
	one := newPeer(t)
	two := peer{one.handler, keyTwo}
	mark := map[string]string{"test": t.Name()}
	mine, _ := one.create(t, mark), two.create(t, mark)
	for _, path := range []string{"/sdk/ListSession", "/v1/records"} {
		get := func(q url.Values) answer { return one.raw(t, http.MethodGet, path+"?"+q.Encode(), "") }
		a := get(url.Values{"labels": {`{"test":"` + t.Name() + `"}`}})
		require.Equal(t, 1, *a.Count, path)
		require.Contains(t, string(a.Data), mine)
		// The last of equal keys counts, for the other tenant's session too.
		require.Equal(t, 1, *get(url.Values{"labels": {`{"test":"x","test":"` + t.Name() + `"}`}}).Count)
		for _, value := range []string{
			"*", ".*", "%", "_", `' OR '1'='1`, `"; DROP TABLE sessions; --`, "$..*", t.Name()[:5], t.Name() + "\u200b", "ТеstFilters",
			strings.Repeat("x", 64<<10),
		} {
			text, err := wire.TextOf(map[string]string{"test": value}).MarshalText()
			require.NoError(t, err)
			require.Zero(t, *get(url.Values{"labels": {string(text)}}).Count, "%s %.20s", path, value)
		}
		for _, bad := range []string{`a=b,c=d`, `*`, `"*"`, `["test"]`, `{"test":["x"]}`, `{"test":{"$ne":""}}`, `{"test":null}`, `{`, `{}{}`, "\ufeff{}"} {
			a := get(url.Values{"labels": {bad}})
			require.Equal(t, "InvalidParameter", a.Code, "%s %s", path, bad)
			require.Equal(t, http.StatusBadRequest, a.status)
			require.NotContains(t, a.body, mine)
		}
	}
}

func TestReservedLabels(t *testing.T) {
	p := newPeer(t)
	for _, key := range []string{"agb/owner", "agb/tenant", "agb/"} {
		_, a := ask(t, p, wire.CreateSession, wire.CreateSessionRequest{ImageID: "host", Labels: wire.TextOf(map[string]string{key: "x"})})
		require.Equal(t, "InvalidParameter", a.Code, key)
	}
	// Keys that look like them are ordinary: whose a session is, no label says.
	id := p.create(t, map[string]string{"tenant": "key-two", "owner": "root"})
	two := peer{p.handler, keyTwo}
	require.Equal(t, gone, two.send(t, request(t, wire.SessionStatus.Pattern, id, "")).Code)
}

func TestOddJSON(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	extend := func(body string) answer { return p.raw(t, http.MethodPost, "/v1/sessions/extend", body) }
	for _, body := range []string{
		`{"sessionId":"` + id + `","lifetimeMs":60000,"unknown":{"a":[1e999]}}`,
		`{"sessionId":"none","sessionId":"` + id + `","lifetimeMs":-1,"lifetimeMs":60000}`,
		`{"sessionId":"` + id + `","lifetimeMs":60000.0}`,
	} {
		require.True(t, extend(body).Success, body)
	}
	for body, field := range map[string]string{
		`{"sessionId":"` + id + `","lifetimeMs":1e999}`: "lifetimeMs", `{"sessionId":"` + id + `","lifetimeMs":-0}`: "lifetimeMs",
		`{"sessionId":"` + id + `","lifetimeMs":null}`: "lifetimeMs", `{"sessionId":["` + id + `"]}`: "sessionId",
		`{"sessionId":"` + id + `","lifetimeMs":60000} {}`: "", `[]`: "", "\ufeff{}": "", "null": "not found",
		`{"sessionId":` + strings.Repeat("[", 10_000) + `}`: "nested",
	} {
		a := extend(body)
		require.Equal(t, http.StatusBadRequest, a.status, body)
		require.Contains(t, a.Message, field)
	}
}
