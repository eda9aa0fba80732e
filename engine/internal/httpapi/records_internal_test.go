package httpapi

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/internal/wire"
)

// recordsEngine is an engine with records of two tenants, "one" and "two".
type recordsEngine struct {
	Engine
	records map[string][]Record
}

func (e recordsEngine) Records(tenant string) []Record { return slices.Clone(e.records[tenant]) }

func (recordsEngine) List(string) []Session {
	return []Session{{ID: "s-1", Seq: 1}, {ID: "s-2", Seq: 2}}
}

// newRecords returns records that were made in pairs at the same time.
func newRecords(n int) (records []Record) {
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range n {
		r := Record{
			ID: fmt.Sprintf("s-%03d", i), Image: "host", Labels: map[string]string{"n": strconv.Itoa(i % 2), "all": "x"},
			Created: start.Add(time.Duration(i/2) * time.Second), State: StateRunning,
		}
		if i%3 == 0 {
			r.State, r.Ended, r.Reason = StateEnded, r.Created.Add(time.Minute), "idle"
			r.Usage = &driver.Usage{CPU: 1500 * time.Microsecond, PeakBytes: 7, OOMKills: 1}
		}
		records = append(records, r)
	}
	slices.Reverse(records)
	return records
}

// asker asks an API as a tenant, whose name is the key.
type asker struct {
	t       *testing.T
	handler http.Handler
}

func newAsker(t *testing.T, engine Engine) asker {
	t.Helper()
	api := New(Config{Engine: engine, Logger: quiet, PageKey: [32]byte{1}})
	return asker{t, api.Handler(func(r *http.Request) (string, bool) { return r.Header.Get("Authorization"), true })}
}

func (a asker) records(tenant string, q url.Values) (wire.ListRecordsResponse, *wire.Envelope) {
	a.t.Helper()
	env := a.get(tenant, "/v1/records", q)
	resp, err := wire.Open[wire.ListRecordsResponse](env)
	require.NoError(a.t, err)
	return resp, env
}

func (a asker) get(tenant, path string, q url.Values) *wire.Envelope {
	a.t.Helper()
	r := httptest.NewRequestWithContext(a.t.Context(), http.MethodGet, path+"?"+q.Encode(), http.NoBody)
	r.Header.Set("Authorization", tenant)
	rec := httptest.NewRecorder()
	a.handler.ServeHTTP(rec, r)
	var env wire.Envelope
	require.NoError(a.t, json.Unmarshal(rec.Body.Bytes(), &env))
	return &env
}

func TestRecordsComeInPages(t *testing.T) {
	engine := recordsEngine{records: map[string][]Record{"one": newRecords(25)}}
	ask := newAsker(t, engine)
	var seen []string
	q := url.Values{"maxResults": {"7"}}
	for page := range 4 {
		resp, _ := ask.records("one", q)
		require.Equal(t, 25+min(page, 1), *resp.Page.Count)
		require.Equal(t, 7, resp.Page.MaxResults)
		require.Len(t, resp.Records, []int{7, 7, 7, 4}[page])
		for _, r := range resp.Records {
			seen = append(seen, r.SessionID)
		}
		if page == 0 { // what is made meanwhile moves nothing
			engine.records["one"] = append(engine.records["one"], Record{ID: "s-new", Created: time.Now().AddDate(100, 0, 0)})
		}
		q.Set("nextToken", resp.Page.NextToken)
	}
	require.Empty(t, q.Get("nextToken"))
	require.Len(t, seen, 25)
	require.Equal(t, "s-024", seen[0])
	require.Equal(t, []string{"s-022", "s-023"}, seen[1:3], "of the same time by id")
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(seen))), 25, "none twice")

	none, env := ask.records("two", nil)
	require.Empty(t, none.Records)
	require.Equal(t, "[]", string(env.Data))
}

func TestRecordsTell(t *testing.T) {
	ask := newAsker(t, recordsEngine{records: map[string][]Record{"one": newRecords(4)}})
	resp, _ := ask.records("one", url.Values{"labels": {`{"n":"1"}`}, "labelSelector": {"all=x"}})
	require.Equal(t, "all=x", resp.Page.Selector)
	require.Len(t, resp.Records, 2)
	ended := resp.Records[0]
	require.Equal(t, "s-003", ended.SessionID)
	require.Equal(t, wire.StatusFinish, ended.Status)
	require.Equal(t, "idle", ended.Reason)
	require.Equal(t, time.Minute, ended.EndedAt.Sub(ended.CreatedAt))
	require.Equal(t, &wire.Usage{CPUMicros: 1500, PeakMemoryBytes: 7, OOMKills: 1}, ended.Usage)
	require.Equal(t, map[string]string{"n": "1", "all": "x"}, ended.Labels)
	alive := resp.Records[1]
	require.Equal(t, wire.StatusRunning, alive.Status)
	require.Nil(t, alive.EndedAt)
	require.Nil(t, alive.Usage)
}

func TestRecordsRefuse(t *testing.T) {
	ask := newAsker(t, recordsEngine{records: map[string][]Record{"one": newRecords(4), "two": newRecords(4)}})
	first, _ := ask.records("one", url.Values{"maxResults": {"1"}})
	token := first.Page.NextToken
	require.NotEmpty(t, token)
	_, env := ask.records("one", url.Values{"nextToken": {token}})
	require.True(t, env.Success)

	of := ask.get("one", "/sdk/ListSession", url.Values{"maxResults": {"1"}})
	require.NotEmpty(t, of.NextToken)
	sealed, err := base64.RawURLEncoding.DecodeString(token)
	require.NoError(t, err)
	moved := slices.Clone(sealed)
	moved[len(moved)-1]++
	for name, q := range map[string]url.Values{
		"another list's token": {"nextToken": {of.NextToken}},
		"another filter":       {"nextToken": {token}, "labels": {`{"n":"1"}`}},
		"another selector":     {"nextToken": {token}, "labelSelector": {"all"}},
		"changed":              {"nextToken": {base64.RawURLEncoding.EncodeToString(moved)}},
		"cut":                  {"nextToken": {base64.RawURLEncoding.EncodeToString(sealed[:32])}},
		"longer":               {"nextToken": {token + "AA"}},
		"endless":              {"nextToken": {strings.Repeat("A", 1<<16)}},
		"made up":              {"nextToken": {"1"}},
		"negative page":        {"maxResults": {"-1"}},
		"bad selector":         {"labelSelector": {"a in"}},
		"label list":           {"labels": {`a=b,c=d`}},
		"label star":           {"labels": {`"*"`}},
		"label array":          {"labels": {`["n"]`}},
		"label object":         {"labels": {`{"n":{"$ne":""}}`}},
	} {
		env := ask.get("one", "/v1/records", q)
		require.Equal(t, "InvalidParameter", env.Code, name)
		require.Equal(t, http.StatusBadRequest, env.HTTPStatusCode, name)
	}
	foreign := ask.get("two", "/v1/records", url.Values{"nextToken": {token}})
	require.Equal(t, "InvalidParameter", foreign.Code)
	back := ask.get("one", "/sdk/ListSession", url.Values{"nextToken": {token}})
	require.Equal(t, "InvalidParameter", back.Code)
}
