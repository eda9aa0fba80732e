package agb_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
)

// pages answers like a service with so many pages of one session each.
func pages(n int, asked *[]string) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		*asked = append(*asked, r.URL.Query().Get("nextToken"))
		page := 1
		if token := r.URL.Query().Get("nextToken"); token != "" {
			page, _ = strconv.Atoi(token[1:])
		}
		next := ""
		if page < n {
			next = fmt.Sprintf("t%d", page+1)
		}
		return httpmock.NewStringResponse(200, fmt.Sprintf(
			`{"requestId":"r","success":true,"data":[{"sessionId":"s-%d","sessionStatus":"RUNNING"}],"nextToken":%q,"maxResults":1,"count":%d}`, page, next, n)), nil
	}
}

func TestListPages(t *testing.T) {
	var asked []string
	c := newClient(t, pages(3, &asked))
	for _, row := range []struct {
		params *agb.ListParams
		asked  []string
		id     string
		next   string
	}{
		{nil, []string{""}, "s-1", "t2"},
		{&agb.ListParams{Page: 1}, []string{""}, "s-1", "t2"},
		{&agb.ListParams{Page: 3}, []string{"", "t2", "t3"}, "s-3", ""},
		{&agb.ListParams{Token: "t2"}, []string{"t2"}, "s-2", "t3"},
	} {
		asked = nil
		res, err := c.List(t.Context(), row.params)
		require.NoError(t, err)
		require.Equal(t, row.asked, asked)
		require.Equal(t, []agb.SessionSummary{{ID: row.id, Status: "RUNNING"}}, res.Sessions)
		require.Equal(t, row.next, res.NextToken)
		require.Equal(t, 3, res.Total)
		require.Equal(t, 1, res.Limit)
		require.Equal(t, "r", res.RequestID)
	}
	for _, p := range []*agb.ListParams{{Page: 4}, {Page: -1}, {Page: 2, Token: "t2"}, {Limit: -1}, {Selector: "a in ("}} {
		_, err := c.List(t.Context(), p)
		require.ErrorIs(t, err, agb.ErrInvalidArgument)
	}
}

func TestAll(t *testing.T) {
	var asked []string
	c := newClient(t, pages(4, &asked))
	all := c.All(t.Context(), nil)
	for range 2 { // an iterator can be used again
		asked = nil
		var ids []string
		for s, err := range all {
			require.NoError(t, err)
			ids = append(ids, s.ID)
		}
		require.Equal(t, []string{"s-1", "s-2", "s-3", "s-4"}, ids)
		require.Len(t, asked, 4)
	}
	asked = nil
	for _, err := range all {
		require.NoError(t, err)
		break
	}
	require.Len(t, asked, 1, "more pages were asked for than used")

	for s, err := range c.All(t.Context(), &agb.ListParams{Token: "t4"}) {
		require.NoError(t, err)
		require.Equal(t, "s-4", s.ID)
	}
	for _, err := range c.All(t.Context(), &agb.ListParams{Page: 1}) {
		require.ErrorIs(t, err, agb.ErrInvalidArgument)
	}
}

func TestAllStopsInCircles(t *testing.T) {
	for _, answer := range []string{
		`{"success":true,"data":[{"sessionId":"s-1"}],"nextToken":"t"}`,
		`{"success":true,"data":[],"nextToken":"t"}`,
	} {
		var last error
		n := 0
		for _, err := range newClient(t, newService(map[string][]string{pathList: {answer}})).All(t.Context(), nil) {
			last = err
			n++
		}
		require.ErrorIs(t, last, agb.ErrMalformedResponse)
		require.LessOrEqual(t, n, 3)
	}
}

func TestListAnswers(t *testing.T) {
	_, err := newClient(t, newService(map[string][]string{
		pathList: {`{"success":true,"data":[{"sessionId":"../x"}]}`},
	})).List(t.Context(), nil)
	require.ErrorIs(t, err, agb.ErrMalformedResponse)

	res, err := newClient(t, newService(map[string][]string{pathList: {`{"success":true}`}})).List(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, res.Sessions)
	require.Equal(t, -1, res.Total)
	require.Equal(t, agb.DefaultLimit, res.Limit)
}

func TestSelectors(t *testing.T) {
	ask := func(p agb.ListParams, echo string) (labels, selector string, err error) {
		svc := newService(map[string][]string{pathList: {`{"success":true,"data":[],"labelSelector":` + strconv.Quote(echo) + `}`}})
		_, err = newClient(t, svc).List(t.Context(), &p)
		q := svc.asked[0].URL.Query()
		return q.Get("labels"), q.Get("labelSelector"), err
	}
	labels, selector, err := ask(agb.ListParams{}, "")
	require.NoError(t, err)
	require.Equal(t, "{}", labels)
	require.Empty(t, selector)

	// Equality is asked for in AGB's own way, which every service understands.
	labels, selector, err = ask(agb.ListParams{Labels: map[string]string{"a": "1"}, Selector: "b=2, a==1"}, "")
	require.NoError(t, err)
	require.JSONEq(t, `{"a":"1","b":"2"}`, labels)
	require.Empty(t, selector)

	labels, selector, err = ask(agb.ListParams{Labels: map[string]string{"a": "1"}, Selector: "b in (3,2),!c"}, "!c , b in (2, 3)")
	require.NoError(t, err)
	require.JSONEq(t, `{"a":"1"}`, labels)
	require.NotEmpty(t, selector)

	for _, echo := range []string{"", "b in (2)", "b in ("} {
		_, _, err = ask(agb.ListParams{Selector: "b in (2,3)"}, echo)
		require.ErrorIs(t, err, agb.ErrUnsupported, echo)
	}
	// Two values of one label: nothing has them, and nothing is guessed.
	_, selector, err = ask(agb.ListParams{Labels: map[string]string{"a": "1"}, Selector: "a=2"}, "a=2")
	require.NoError(t, err)
	require.Equal(t, "a=2", selector)
}
