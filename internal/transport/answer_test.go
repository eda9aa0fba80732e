package transport_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

var discardLog = log.New(io.Discard, "", 0)

func TestAnswersNotUnderstood(t *testing.T) {
	for name, body := range map[string]string{
		"html":             "<!DOCTYPE html><title>Sign in</title>",
		"empty":            "",
		"blank":            "  \n",
		"array":            `[]`,
		"text":             `"ok"`,
		"cut":              okBody[:len(okBody)-1],
		"garbage after":    okBody + "x",
		"two":              okBody + okBody,
		"byte order mark":  "\uFEFF" + okBody,
		"of a gateway":     `{"message":"Session s not found"}`,
		"body in bodies":   strings.Repeat(`{"body":`, 5000) + okBody + strings.Repeat("}", 5000),
		"success as text":  `{"success":"true"}`,
		"id as number":     `{"success":true,"requestId":7}`,
		"data of a number": `{"success":true,"data":7}`,
		"data of an array": `{"success":true,"data":[1]}`,
		"field of a type":  `{"success":true,"data":{"sessionId":{}}}`,
		"big number":       `{"success":true,"httpStatusCode":18446744073709551616}`,
		"deep":             `{"success":true,"data":` + strings.Repeat("[", 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			m := mock(httpmock.NewStringResponder(200, body).HeaderSet(http.Header{"X-Request-Id": {"r-7"}}))
			meta, err := get(t.Context(), newClient(m, nil))
			require.ErrorIs(t, err, apierr.MalformedResponse.Err())
			e := asError(t, err)
			require.Equal(t, 200, e.HTTPStatus)
			require.Equal(t, 1, m.GetTotalCallCount())
			if name != "success as text" {
				require.Equal(t, "r-7", meta.RequestID)
			}
			require.LessOrEqual(t, len(e.Message), transport.ExcerptLimit+64)
		})
	}
}

func TestAnswersTolerated(t *testing.T) {
	for name, body := range map[string]string{
		"unknown fields": `{"requestId":"r-1","success":true,"new":[{}],"data":{"sessionId":"s-1","new":1}}`,
		"null data":      `{"requestId":"r-1","success":true,"data":null}`,
		"no data":        `{"requestId":"r-1","success":true}`,
		"capitals":       `{"RequestId":"r-1","Success":true,"Code":"ok"}`,
		"inside a body":  `{"body":{"RequestId":"r-1","Success":true}}`,
	} {
		t.Run(name, func(t *testing.T) {
			meta, err := get(t.Context(), newClient(mock(httpmock.NewStringResponder(200, body)), nil))
			require.NoError(t, err)
			require.Equal(t, "r-1", meta.RequestID)
		})
	}
}

// TestRefusals: whatever the status, only HTTP 200 with success is success.
func TestRefusals(t *testing.T) {
	for _, row := range []struct {
		name, body string
		status     int
		code       apierr.Code
		message    string
	}{
		{"success with another status", okBody, 201, apierr.Unknown, "the server refused without a message ok"},
		{"no content", "", 204, apierr.Unknown, "HTTP No Content"},
		{"no success", `{"code":"Forbidden","message":"not yours"}`, 200, apierr.PermissionDenied, "not yours"},
		{"session by code", `{"success":false,"code":"InvalidMcpSession.NotFound","message":"Session s not found"}`, 400, apierr.SessionNotFound, "Session s not found"},
		{"session by words", `{"success":false,"message":"Session s not found"}`, 200, apierr.SessionNotFound, "Session s not found"},
		{"message in data", `{"success":false,"data":{"errMsg":"no image"}}`, 400, apierr.InvalidArgument, "no image"},
		{"route of a gateway", `{"message":"no Route matched"}`, 404, apierr.Unsupported, `HTTP Not Found: {"message":"no Route matched"}`},
		{"method of a gateway", `{"detail":"Method Not Allowed"}`, 405, apierr.Unsupported, `HTTP Method Not Allowed: {"detail":"Method Not Allowed"}`},
		{"key of a gateway", `{"message":"bad key"}`, 401, apierr.Unauthenticated, `HTTP Unauthorized: {"message":"bad key"}`},
		{"file", `{"success":false,"message":"no such file"}`, 404, apierr.NotFound, "no such file"},
		{"control characters", `{"success":false,"code":"NotFound","message":"a\u001b[31mb\nc"}`, 404, apierr.NotFound, "a [31mb c"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := get(t.Context(), newClient(mock(httpmock.NewStringResponder(row.status, row.body)), nil))
			require.ErrorIs(t, err, row.code.Err())
			require.Equal(t, row.message, asError(t, err).Message)
			require.Equal(t, row.status, asError(t, err).HTTPStatus)
		})
	}
}

func TestRequestIDIsChecked(t *testing.T) {
	for _, id := range []string{"a b", "a\nb", "é", strings.Repeat("x", 129), apiKey, "token=" + apiKey[:8]} {
		body := fmt.Sprintf(`{"requestId":%q,"success":true}`, id)
		meta, err := get(t.Context(), newClient(mock(httpmock.NewStringResponder(200, body)), nil))
		require.NoError(t, err)
		require.NotEqual(t, id, meta.RequestID)
		require.NotEmpty(t, meta.RequestID)
	}
}

func TestRedirectsAreRefused(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, location := range []string{other.URL, "/elsewhere", "file:///etc/passwd", "javascript:1", "%zz", strings.Repeat("x", 10_000)} {
			b := newBackend(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", location)
				w.WriteHeader(status)
			}, nil)
			_, err := get(t.Context(), b.client)
			require.ErrorIs(t, err, apierr.MalformedResponse.Err())
			require.Equal(t, status, asError(t, err).HTTPStatus)
			require.Less(t, len(err.Error()), 1024)
			require.EqualValues(t, 1, b.served.Load())
		}
	}
}

// answerOf returns an answer that is exactly n bytes long.
func answerOf(n int) string {
	const before, after = `{"requestId":"r-1","success":true,"message":"`, `"}`
	return before + strings.Repeat("x", n-len(before)-len(after)) + after
}

func TestResponseLimit(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfBytes)
	for n, ok := range map[int]bool{transport.ResponseLimit: true, transport.ResponseLimit + 1: false} {
		for _, encoding := range []string{"", "chunked", "gzip"} {
			b := newBackend(t, func(w http.ResponseWriter, _ *http.Request) {
				switch encoding {
				case "gzip":
					w.Header().Set("Content-Encoding", "gzip")
					z := gzip.NewWriter(w)
					_, _ = io.WriteString(z, answerOf(n))
					_ = z.Close()
				case "":
					w.Header().Set("Content-Length", strconv.Itoa(n))
					fallthrough
				default:
					_, _ = io.WriteString(w, answerOf(n))
				}
			}, nil)
			_, err := get(t.Context(), b.client)
			if ok {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, apierr.ResponseTooLarge.Err())
				require.EqualValues(t, 1, b.served.Load())
			}
		}
	}
}

// TestGzipBomb: what counts is what comes out.
func TestGzipBomb(t *testing.T) {
	b := newBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
		if err != nil {
			return
		}
		zeros := make([]byte, 1<<20)
		for range 1 << 10 {
			if _, err := z.Write(zeros); err != nil {
				return
			}
		}
	}, nil)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := get(t.Context(), b.client)
	runtime.ReadMemStats(&after)
	require.ErrorIs(t, err, apierr.ResponseTooLarge.Err())
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(128<<20))
}

func TestUnaskedEncoding(t *testing.T) {
	m := mock(httpmock.NewStringResponder(200, okBody).HeaderSet(http.Header{"Content-Encoding": {"br"}}))
	_, err := get(t.Context(), newClient(m, nil))
	require.ErrorIs(t, err, apierr.MalformedResponse.Err())
}

func TestHeaderLimit(t *testing.T) {
	b := newBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Big", strings.Repeat("x", transport.HeaderLimit+1<<10))
		_, _ = io.WriteString(w, okBody)
	}, func(cfg *transport.Config) { cfg.Attempts = 1 })
	_, err := get(t.Context(), b.client)
	require.ErrorIs(t, err, apierr.ResponseTooLarge.Err())
}

func TestContentLengthLies(t *testing.T) {
	b := newBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = fmt.Fprintf(rw, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(okBody)+1, okBody)
		_ = rw.Flush()
		_ = conn.Close()
	}, func(cfg *transport.Config) { cfg.Attempts = 1 })
	_, err := get(t.Context(), b.client)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.ErrorIs(t, err, apierr.Unavailable.Err())
}

// TestNoSecrets puts the key and other secrets wherever a server or network
// can, and looks for them in every error and every line of log.
func TestNoSecrets(t *testing.T) {
	const secret = "hunter2hunter2"
	leaks := []string{
		"key " + apiKey, "Bearer " + secret, "https://u:" + secret + "@proxy/", "/callTool?apiKey=" + secret,
		"?a=1&token=" + secret + "&b=2", `{"token":"` + secret + `"}`, `{"X-Access-Token": "` + secret + `"}`, "password=" + secret,
	}
	var out logBuffer
	var shown []string
	show := func(err error) {
		for e := err; e != nil; {
			shown = append(shown, e.Error(), fmt.Sprintf("%v %+v", e, e))
			u, ok := e.(interface{ Unwrap() error })
			if !ok {
				break
			}
			e = u.Unwrap()
		}
		out.logger().Info("done", "error", err)
	}
	synctest.Test(t, func(t *testing.T) {
		for _, leak := range leaks {
			quoted := strconv.Quote(leak)
			for _, rt := range []http.RoundTripper{
				mock(httpmock.NewStringResponder(200, leak)),
				mock(httpmock.NewStringResponder(502, leak)),
				mock(httpmock.NewStringResponder(403, `{"code":"Forbidden","message":`+quoted+`,"hint":`+quoted+`}`)),
				mock(httpmock.NewStringResponder(200, `{"success":true,"data":{"isError":true,"content":[{"type":"text","text":`+quoted+`}]}}`)),
				mock(httpmock.NewStringResponder(200, `{"success":true,"data":{"content":[{"type":"text","text":`+quoted+`}]}}`)),
				mock(httpmock.NewErrorResponder(fmt.Errorf("proxy %s: %w", leak, errBroken))),
				mock(httpmock.NewStringResponder(307, "").HeaderSet(http.Header{"Location": {leak}})),
				mock(httpmock.NewStringResponder(307, "").HeaderSet(http.Header{"Location": {"http://" + strings.Repeat("x", 250) + apiKey}})),
				mock(httpmock.NewStringResponder(200, okBody).HeaderSet(http.Header{"Content-Encoding": {leak}})),
				mock(httpmock.NewErrorResponder(&apierr.Error{Code: apierr.Unavailable, Message: leak, Hint: leak})),
			} {
				c := newClient(rt, func(cfg *transport.Config) { cfg.Logger = out.logger() })
				_, err := get(t.Context(), c)
				show(err)
				_, _, err = transport.Call(t.Context(), c, "s-1", wire.GetMetrics, wire.Empty{}, 0)
				show(err)
				ctx, cancel := context.WithCancelCause(t.Context())
				cancel(fmt.Errorf("because of %s", leak))
				_, err = get(ctx, c)
				show(err)
			}
		}
	})
	require.Contains(t, out.String(), `"retry_reason"`)
	require.Greater(t, len(shown), 100)
	for _, text := range append(shown, out.String()) {
		assert.NotContains(t, text, secret)
		assert.NotContains(t, text, apiKey)
	}
}

func TestMessage(t *testing.T) {
	c := newClient(nil, nil)
	require.Equal(t, "a [31mb c d e", c.Message("\ta\u001b[31mb\nc\u2028d\u202ee"))
	require.Equal(t, "\uFFFD", c.Message("\xff"))
	require.Equal(t, "key [redacted].", c.Message("key "+apiKey+"."))
	for n, cut := range map[int]bool{transport.MessageLimit: false, transport.MessageLimit + 1: true} {
		text := c.Message(strings.Repeat("x", n))
		require.Len(t, text, transport.MessageLimit)
		require.Equal(t, cut, strings.HasSuffix(text, "…"))
	}
}

func TestLogLine(t *testing.T) {
	var out logBuffer
	m := mock(httpmock.NewStringResponder(200, okBody))
	_, err := get(t.Context(), newClient(m, func(cfg *transport.Config) { cfg.Logger = out.logger() }))
	require.NoError(t, err)
	for _, want := range []string{`"op":"GetSession"`, `"attempt":1`, `"status":200`, `"duration":`, `"request_id":"`} {
		require.Contains(t, out.String(), want)
	}
	require.Equal(t, 1, strings.Count(out.String(), "\n"))
}

// TestCutFailure: a failure of which only the status came is asked for again,
// since the body says which it is.
func TestCutFailure(t *testing.T) {
	const body = `{"success":false,"code":"InvalidMcpSession.NotFound","message":"gone"}`
	cut := true
	b := newBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		sent := body
		if cut {
			sent, cut = body[:20], false
		}
		_, _ = fmt.Fprintf(rw, "HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%s", len(body), sent)
		_ = rw.Flush()
		_ = conn.Close()
	}, nil)
	_, err := get(t.Context(), b.client)
	require.ErrorIs(t, err, apierr.SessionNotFound.Err())
}
