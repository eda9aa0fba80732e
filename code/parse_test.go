package code

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
)

// answering returns a client of a service that answers every call so.
func answering(t *testing.T, isError bool, text string, args *map[string]any) *Client {
	t.Helper()
	m := httpmock.NewMockTransport()
	m.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
		if args != nil {
			var body struct{ Args string }
			require.NoError(t, json.NewDecoder(r.Body).Decode(&body))
			require.NoError(t, json.Unmarshal([]byte(body.Args), args))
		}
		return httpmock.NewStringResponse(200, `{"requestId":"r-1","success":true,"data":{"isError":`+strconv.FormatBool(isError)+
			`,"content":[{"type":"text","text":`+strconv.Quote(text)+`}]}}`), nil
	})
	return New(transport.New(transport.Config{
		BaseURL: "http://agb.test", Transport: m, Logger: slog.New(slog.DiscardHandler), Timeout: time.Minute, Attempts: 1,
	}), "s-1")
}

func TestArguments(t *testing.T) {
	var args map[string]any
	c := answering(t, false, `{"result":[]}`, &args)
	_, err := c.Run(t.Context(), " PY ", "1", &RunOptions{Timeout: 1500 * time.Millisecond})
	require.NoError(t, err)
	require.Equal(t, map[string]any{"code": "1", "language": "python", "timeout_s": 2.0, "timeout_ms": 1500.0}, args)

	clear(args)
	_, err = c.Run(t.Context(), Python, "1", nil)
	require.NoError(t, err)
	require.Equal(t, map[string]any{"code": "1", "language": "python", "timeout_s": 60.0}, args, "as AGB has it")

	for _, bad := range []func() error{
		func() error { _, err := c.Run(t.Context(), "ruby", "1", nil); return err },
		func() error { _, err := c.Run(t.Context(), Python, "\xff", nil); return err },
		func() error { _, err := c.Run(t.Context(), Python, "1", &RunOptions{Timeout: -1}); return err },
	} {
		require.ErrorIs(t, bad(), apierr.InvalidArgument.Err())
	}
}

// TestShapes are all shapes of a result that the protocol knows.
func TestShapes(t *testing.T) {
	raw := func(mime, value string) map[string]json.RawMessage {
		return map[string]json.RawMessage{mime: json.RawMessage(value)}
	}
	main42 := Item{Text: "42", Main: true, Raw: raw(mimeText, `"42"`)}
	for name, row := range map[string]struct {
		text string
		want Result
	}{
		"items as text": {
			`{"result":["{\"text/plain\":\"42\",\"isMainResult\":true}"],"stdout":["a\n","b\n"],"stderr":null,"execution_count":3,"execution_time":0.25}`,
			Result{Results: []Item{main42}, Stdout: "a\nb\n", ExecutionCount: 3, Duration: 250 * time.Millisecond},
		},
		"items as objects, camel": {
			`{"result":[{"text":"42","is_main_result":true}],"executionCount":3,"executionTime":1}`,
			Result{Results: []Item{main42}, ExecutionCount: 3, Duration: time.Second},
		},
		"items as text of text": {
			`{"result":["\"{\\\"text/plain\\\":\\\"42\\\",\\\"isMainResult\\\":true}\""]}`,
			Result{Results: []Item{main42}},
		},
		"items under mime": {
			`{"result":[{"mime":{"text/plain":"42"},"isMainResult":true}]}`,
			Result{Results: []Item{main42}},
		},
		"error as text": {
			`{"result":[],"executionError":"boom"}`,
			Result{Error: &ExecError{Name: "ExecutionError", Value: "boom"}},
		},
		"error in detail": {
			`{"result":[],"executionError":"boom","errorDetail":{"name":"E","value":"v","traceback":"t"},"stdout_dropped":5}`,
			Result{Error: &ExecError{Name: "E", Value: "v", Traceback: "t"}, Truncated: true, StdoutDropped: 5},
		},
		"rich": {
			`{"logs":{"stdout":["o"],"stderr":["e"]},"results":[{"text":"42","is_main_result":true}],"error":{"name":"E","value":"v","traceback":["a","b"]},"execution_count":1}`,
			Result{Results: []Item{main42}, Stdout: "o", Stderr: "e", ExecutionCount: 1, Error: &ExecError{Name: "E", Value: "v", Traceback: "ab"}},
		},
		"rich without an error": {
			`{"logs":{"stdout":[],"stderr":[]},"results":[],"error":null}`, Result{},
		},
		"legacy wrapper": {
			`{"content":[{"type":"text","text":"{\"result\":[],\"stdout\":[\"o\"]}"}]}`, Result{Stdout: "o"},
		},
		"legacy wrapper of an error": {
			`{"content":[{"type":"text","text":"{\"executionError\":\"boom\"}"}],"isError":true}`,
			Result{Error: &ExecError{Name: "ExecutionError", Value: "boom"}},
		},
		"legacy text": {
			`{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`,
			Result{Stdout: "a\nb", Results: []Item{{Text: "a\nb", Main: true, Raw: raw(mimeText, `"a\nb"`)}}},
		},
		"plain text": {
			"hello\n", Result{Stdout: "hello\n", Results: []Item{{Text: "hello\n", Main: true, Raw: raw(mimeText, `"hello\n"`)}}},
		},
		"a number": {
			"42", Result{Stdout: "42", Results: []Item{{Text: "42", Main: true, Raw: raw(mimeText, `"42"`)}}},
		},
		"an item that is text": {
			`{"result":["{not json"]}`, Result{Results: []Item{{Text: "{not json", Raw: raw(mimeText, `"{not json"`)}}},
		},
		"mad numbers": {
			`{"result":[],"execution_count":-5,"execution_time":1e300}`, Result{Duration: 100 * 365 * 24 * time.Hour},
		},
	} {
		t.Run(name, func(t *testing.T) {
			res, err := answering(t, false, row.text, nil).Run(t.Context(), Python, "x", nil)
			require.NoError(t, err)
			row.want.RequestID = "r-1"
			require.Equal(t, &row.want, res)
		})
	}
}

func TestItem(t *testing.T) {
	it := parseItem(json.RawMessage(`{"text/html":"<b>","text/markdown":"*","text/latex":"$","image/svg+xml":"<svg/>","image/png":"iVBO\nRw==",
		"isTruncated":true,"image/jpeg":"?","application/json":{"a":1},"application/vnd.vegalite.v4+json":"{\"mark\":\"bar\"}","text/plain":["a","b"],"application/x":null}`))
	require.Equal(t, "<b>", it.HTML)
	require.Equal(t, "*", it.Markdown)
	require.Equal(t, "$", it.LaTeX)
	require.Equal(t, "<svg/>", it.SVG)
	require.Equal(t, []byte("\x89PNG"), it.PNG)
	require.Nil(t, it.JPEG)
	require.JSONEq(t, `{"a":1}`, string(it.JSON))
	require.JSONEq(t, `{"mark":"bar"}`, string(it.Chart))
	require.Equal(t, "ab", it.Text)
	require.Len(t, it.Raw, 9)
	require.False(t, it.Main)
	require.True(t, it.Truncated)
}

func TestFailures(t *testing.T) {
	for _, row := range []struct {
		isError bool
		text    string
		code    apierr.Code
	}{
		{false, "", apierr.MalformedResponse},
		{false, `{"isError":true,"content":[{"type":"text","text":"permission denied"}]}`, apierr.PermissionDenied},
		{false, `{"isError":true}`, apierr.Unknown},
		{true, "the kernel timed out", apierr.DeadlineExceeded},
		{true, "", apierr.Unknown},
	} {
		res, err := answering(t, row.isError, row.text, nil).Run(t.Context(), Python, "x", nil)
		require.Nil(t, res)
		require.ErrorIs(t, err, row.code.Err(), row.text)
	}

	// A failed call that tells of an error in the code is a result.
	res, err := answering(t, true, `{"result":[],"executionError":"boom"}`, nil).Run(t.Context(), Python, "x", nil)
	require.NoError(t, err)
	require.Equal(t, "boom", res.Error.Value)

	res, err = answering(t, false, `{"result":[],"stdout":["o"],"timed_out":true}`, nil).Run(t.Context(), Python, "x", nil)
	require.ErrorIs(t, err, apierr.DeadlineExceeded.Err())
	require.Equal(t, "o", res.Stdout)
}

// FuzzParse: no text makes the reader panic or lose all of itself.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"result":["{\"text/plain\":\"42\",\"isMainResult\":true}"],"stdout":["a"],"execution_count":3,"execution_time":0.25}`,
		`{"logs":{"stdout":["o"],"stderr":["e"]},"results":[{"text":"42"}],"error":{"name":"E","value":"v","traceback":["a"]}}`,
		`{"content":[{"type":"text","text":"{\"executionError\":\"boom\"}"}],"isError":true}`,
		`{"result":[{"application/vnd.agb-go.chart+json":{"kind":"pie","series":[{"kind":"pie","labels":["a"],"values":[1]}]}}]}`,
		`{"result":[{"mime":{"image/png":"iVBORw=="}}],"errorDetail":"x"}`, "text", "", `{"result":[[[]],null,1,"\"\""]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, err := parse(text)
		if err != nil {
			return
		}
		require.GreaterOrEqual(t, o.Duration, time.Duration(0))
		require.GreaterOrEqual(t, o.ExecutionCount, 0)
		for _, it := range o.Results {
			require.NotNil(t, it.Raw)
		}
	})
}
