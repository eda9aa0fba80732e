package agb_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/code"
	"github.com/agb-go/sdk/internal/transport"
)

// TestNoSecrets has the service say secrets, very much, or what a terminal
// obeys, wherever what it says becomes an error.
func TestNoSecrets(t *testing.T) {
	const secret = "hunter2hunter2"
	quote := func(s string) string {
		b, err := json.Marshal(s)
		require.NoError(t, err)
		return string(b)
	}
	success := func(data string) string { return `{"requestId":"r-1","success":true,"data":` + data + `}` }
	text := func(isError bool, s string) string {
		return success(`{"isError":` + strconv.FormatBool(isError) + `,"content":[{"type":"text","text":` + quote(s) + `}]}`)
	}
	for name, row := range map[string]struct {
		answer func(said string) string
		call   func(ctx context.Context, c *agb.Client, s *agb.Session) error
	}{
		"create": {
			func(said string) string { return success(`{"success":false,"errMsg":` + quote(said) + `}`) },
			func(ctx context.Context, c *agb.Client, _ *agb.Session) error {
				_, err := c.Create(ctx, &agb.CreateParams{ImageID: "i"})
				return err
			},
		},
		"info": {
			func(said string) string { return success(`{"isError":true,"errMsg":` + quote(said) + `}`) },
			func(ctx context.Context, _ *agb.Client, s *agb.Session) error {
				_, err := s.Info(ctx)
				return err
			},
		},
		"code": {
			func(said string) string {
				return text(false, `{"isError":true,"content":[{"type":"text","text":`+quote(said)+`}]}`)
			},
			func(ctx context.Context, _ *agb.Client, s *agb.Session) error {
				_, err := s.Code.Run(ctx, code.Python, "1", nil)
				return err
			},
		},
		"file of many": {
			func(said string) string {
				return success(`{"structuredContent":{"files":[{"path":"/x","error":` + quote(said) + `,"errorCode":"Forbidden"}]}}`)
			},
			func(ctx context.Context, _ *agb.Client, s *agb.Session) error {
				res, err := s.FileSystem.ReadFiles(ctx, []string{"/x"}, nil)
				if err != nil {
					return err
				}
				return res.Files[0].Err
			},
		},
		"another file": {
			func(said string) string {
				return success(`{"structuredContent":{"files":[{"path":` + quote(said) + `,"content":"eA=="}]}}`)
			},
			func(ctx context.Context, _ *agb.Client, s *agb.Session) error {
				_, err := s.FileSystem.ReadFiles(ctx, []string{"/x"}, nil)
				return err
			},
		},
		"bad name": {
			func(said string) string { return text(false, "[FILE] /"+strings.ReplaceAll(said, "\n", "")+"\n") },
			func(ctx context.Context, _ *agb.Client, s *agb.Session) error {
				_, err := s.FileSystem.List(ctx, "/", nil)
				return err
			},
		},
		"name of a listing": {
			func(said string) string {
				if strings.Contains(said, "/") {
					said = testKey // no name has a slash
				}
				return text(false, "[FILE] "+strings.ReplaceAll(said, "\n", "")+"\n")
			},
			func(ctx context.Context, _ *agb.Client, s *agb.Session) error {
				_, err := s.FileSystem.List(ctx, "/", nil) // asks for more about the name, in vain
				return err
			},
		},
		"shell that writes": {
			func(said string) string { return text(false, `{"exit_code":1,"stderr":`+quote(said)+`}`) },
			func(ctx context.Context, _ *agb.Client, s *agb.Session) error {
				_, err := s.FileSystem.WriteFile(ctx, "/x", []byte{0xff}, nil)
				return err
			},
		},
		"tool": {
			func(said string) string { return text(true, said) },
			func(ctx context.Context, _ *agb.Client, s *agb.Session) error {
				_, err := s.CallTool(ctx, "x", nil, nil)
				return err
			},
		},
		"request id": {
			func(said string) string {
				return `{"success":false,"code":"Forbidden","message":"no","requestId":` + quote(said) + `}`
			},
			func(ctx context.Context, c *agb.Client, _ *agb.Session) error {
				_, err := c.List(ctx, nil)
				return err
			},
		},
	} {
		for _, said := range []string{
			"key " + testKey, testKey, "Bearer " + secret, "https://u:" + secret + "@proxy/", "?a=1&token=" + secret + "&b=2",
			"\x1b[31mred\x1b]0;title\a\u009b\u202e\u2028\r\n", strings.Repeat("x", 100<<10),
		} {
			c := newClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
				if r.URL.Path == pathGet {
					return httpmock.NewStringResponse(200, success(`{"sessionId":"s-1"}`)), nil
				}
				return httpmock.NewStringResponse(200, row.answer(said)), nil
			}))
			got, err := c.Get(t.Context(), "s-1")
			require.NoError(t, err)
			err = row.call(t.Context(), c, got.Session)
			require.Error(t, err, name)
			for _, shown := range everything(err) {
				assert.NotContains(t, shown, testKey, name)
				assert.NotContains(t, shown, secret, name)
				assert.NotContains(t, shown, "\x1b", name)
				assert.False(t, strings.ContainsAny(shown, "\a\r\u009b\u202e\u2028"), name)
				assert.LessOrEqual(t, len(shown), transport.MessageLimit+512, name)
			}
		}
	}
}

// everything returns all texts that an error shows, and those of its causes.
func everything(err error) (shown []string) {
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("failed", "error", err)
	shown = []string{err.Error(), fmt.Sprintf("%+v", err), strings.TrimSuffix(log.String(), "\n")}
	switch u := err.(type) { //nolint:errorlint // the chain is what is walked
	case interface{ Unwrap() error }:
		if cause := u.Unwrap(); cause != nil {
			shown = append(shown, everything(cause)...)
		}
	case interface{ Unwrap() []error }:
		for _, cause := range u.Unwrap() {
			shown = append(shown, everything(cause)...)
		}
	}
	return shown
}
