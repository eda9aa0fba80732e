package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/internal/wire"
)

// createEngine keeps what it is asked to create.
type createEngine struct {
	Engine
	asked *[]CreateParams
}

func (e createEngine) Create(_ context.Context, _ string, p CreateParams) (Session, error) {
	*e.asked = append(*e.asked, p)
	return Session{ID: "s-1", Image: "host"}, nil
}

func (createEngine) Find(_, id string) (Session, error) { return Session{ID: id}, nil }

func (createEngine) Extend(_, id string, life time.Duration) (Session, error) {
	return Session{ID: id, Expires: time.Unix(0, 0).Add(life)}, nil
}

// post returns the answer to a request and what the engine was asked to create.
func post(t *testing.T, path, body string, header http.Header) (*wire.Envelope, []CreateParams) {
	t.Helper()
	var asked []CreateParams
	api := New(Config{Engine: createEngine{asked: &asked}, Logger: quiet})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	maps.Copy(r.Header, header)
	rec := httptest.NewRecorder()
	api.Handler(func(*http.Request) (string, bool) { return "one", true }).ServeHTTP(rec, r)
	var env wire.Envelope
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &env))
	for name, values := range rec.Header() {
		require.Len(t, values, 1, name)
		require.NotContains(t, values[0], "\n")
		require.NotEqual(t, "X-Injected", name)
	}
	return &env, asked
}

const pathCreate = "/mcp/createSession?imageId=host"

func TestIdempotencyKeys(t *testing.T) {
	longest := strings.Repeat("k", 255)
	for _, keys := range [][]string{nil, {""}, {"k"}, {longest}, {`!"~{}`}} {
		env, asked := post(t, pathCreate, "{}", http.Header{wire.HeaderIdempotencyKey: keys})
		require.True(t, env.Success, env.Message)
		require.Len(t, asked, 1)
		require.Equal(t, strings.Join(keys, ""), asked[0].Key)
	}
	for _, keys := range [][]string{
		{longest + "k"}, {"a b"}, {"a\r\nX-Injected: 1"}, {"a\n"}, {"\x00"}, {"\x7f"}, {"é"}, {"\xff"}, {"a", "a"}, {"a", ""},
	} {
		env, asked := post(t, pathCreate, "{}", http.Header{wire.HeaderIdempotencyKey: keys})
		require.Equal(t, "InvalidParameter", env.Code, keys)
		require.Equal(t, http.StatusBadRequest, env.HTTPStatusCode)
		require.NotContains(t, env.Message, longest)
		require.Empty(t, asked)
	}
}

func TestLifetimes(t *testing.T) {
	year := maxLifetime.Milliseconds()
	for text, want := range map[string]time.Duration{
		"1": time.Millisecond, "1.5": 2 * time.Millisecond, "6e4": time.Minute, fmt.Sprint(year): maxLifetime,
	} {
		env, asked := post(t, pathCreate, `{"lifetimeMs":`+text+`}`, nil)
		require.True(t, env.Success, env.Message)
		require.Equal(t, want, asked[0].Lifetime)
		env, _ = post(t, "/v1/sessions/extend", `{"sessionId":"s","lifetimeMs":`+text+`}`, nil)
		require.True(t, env.Success, env.Message)
		resp, err := wire.Open[wire.ExtendSessionResponse](env)
		require.NoError(t, err)
		require.Equal(t, want, resp.ExpiresAt.Sub(time.Unix(0, 0)))
	}
	for _, text := range []string{
		"-1", "0", "-0", fmt.Sprint(year + 1), "9223372036854775807", "9223372036854775808", "1e999", "NaN", "Infinity", `"60000"`, "[1]", "true",
	} {
		env, asked := post(t, pathCreate, `{"lifetimeMs":`+text+`}`, nil)
		require.Equal(t, "InvalidParameter", env.Code, text)
		require.Empty(t, asked)
		env, _ = post(t, "/v1/sessions/extend", `{"sessionId":"s","lifetimeMs":`+text+`}`, nil)
		require.Equal(t, "InvalidParameter", env.Code, text)
	}
	env, asked := post(t, pathCreate, `{"lifetimeMs":null}`, nil)
	require.True(t, env.Success)
	require.Zero(t, asked[0].Lifetime)
	for _, body := range []string{``, `{}`, `{"sessionId":"s"}`, `{"sessionId":"s","lifetimeMs":null}`} {
		env, _ = post(t, "/v1/sessions/extend", body, nil)
		require.Equal(t, "InvalidParameter", env.Code, body)
	}
}

func TestLimitsAreChecked(t *testing.T) {
	env, asked := post(t, pathCreate, `{"limits":{"processes":1,"openFiles":2,"fileBytes":3,"dataBytes":4,"diskBytes":5,"diskInodes":6,
		"memoryBytes":`+fmt.Sprint(int64(maxLimitBytes))+`,"milliCpu":`+fmt.Sprint(math.MaxInt32)+`}}`, nil)
	require.True(t, env.Success, env.Message)
	require.Equal(t, driver.Limits{
		Processes: 1, OpenFiles: 2, FileBytes: 3, DataBytes: 4, DiskBytes: 5, DiskInodes: 6, MemoryBytes: maxLimitBytes, MilliCPU: math.MaxInt32,
	}, asked[0].Limits)
	for _, limits := range []string{
		`{"processes":-1}`, `{"openFiles":2147483648}`, `{"memoryBytes":1125899906842625}`, `{"diskInodes":2147483648}`, `{"milliCpu":1e10}`,
		`{"gpus":1}`, `{"memoryBytes":"1G"}`, `{"memoryBytes":0.5}`, `[]`, `"x"`, `{"memoryBytes":{"max":1}}`,
	} {
		env, asked := post(t, pathCreate, `{"limits":`+limits+`}`, nil)
		require.Equal(t, "InvalidParameter", env.Code, limits)
		require.Contains(t, env.Message, "limits", limits)
		require.Empty(t, asked)
	}
}

func TestNothingOfARequestGetsIntoHeaders(t *testing.T) {
	const injected = `\r\nX-Injected: 1\r\n\r\n`
	for path, body := range map[string]string{
		pathCreate:                            `{"labels":"{\"a\":\"` + strings.ReplaceAll(injected, `\`, `\\`) + `\"}"}`,
		"/mcp/createSession?imageId=%0d%0aX-": `{}`,
		"/v1/sessions/extend":                 `{"sessionId":"` + injected + `","lifetimeMs":-1}`,
		"/v1/sessions/%0d%0aX-Injected:%201":  `{}`,
	} {
		post(t, path, body, http.Header{wire.HeaderRequestID: {"a\r\nX-Injected: 1"}})
	}
}
