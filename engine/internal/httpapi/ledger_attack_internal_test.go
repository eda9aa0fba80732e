package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/internal/guest"
	"github.com/agb-go/sdk/internal/wire"
)

// writers is an engine of sessions whose commands are "size seconds": they
// write so many bytes and then sleep.
type writers struct {
	Engine
	sessions map[[2]string]*Workspace // by tenant and ID
}

func (e writers) Do(ctx context.Context, tenant, id string, fn func(context.Context, *Workspace) error) error {
	return fn(ctx, e.sessions[[2]string{tenant, id}])
}

// writer is the guest of a session of writers.
type writer struct{ guest.Handler }

func (writer) Hello(context.Context) (guest.Hello, error) {
	return guest.Hello{Version: guest.Version}, nil
}

func (writer) Run(ctx context.Context, cmd guest.Command) (guest.Exit, error) {
	text, seconds, _ := strings.Cut(cmd.Args[2], " ")
	size, err := strconv.Atoi(text)
	if err != nil {
		return guest.Exit{}, err
	}
	sleep, err := strconv.Atoi(seconds)
	if err != nil {
		return guest.Exit{}, err
	}
	for piece := make([]byte, 32<<10); size > 0; size -= len(piece) {
		if _, err := cmd.Stdout.Write(piece[:min(size, len(piece))]); err != nil {
			return guest.Exit{}, err
		}
	}
	select {
	case <-time.After(time.Duration(sleep) * time.Second):
	case <-ctx.Done():
	}
	return guest.Exit{}, nil
}

// callOf returns a request of a command in a session.
func callOf(ctx context.Context, t *testing.T, key, id, command string) *http.Request {
	t.Helper()
	args, err := json.Marshal(wire.ShellArgs{Command: command, Output: wire.OutputBytes})
	require.NoError(t, err)
	body, err := json.Marshal(wire.CallToolRequest{SessionID: id, Name: wire.Shell.Name, Args: string(args)})
	require.NoError(t, err)
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/mcp", bytes.NewReader(body))
	r.Header.Set("Authorization", key)
	return r
}

// dropped has h answer r and returns how many bytes of the output are missing.
func dropped(t *testing.T, h http.Handler, r *http.Request) int64 {
	t.Helper()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	resp, err := wire.Open[wire.CallToolResponse](decoded(t, rec.Body.Bytes()))
	require.NoError(t, err)
	out, err := wire.Shell.Decode(&resp)
	require.NoError(t, err, resp.Text())
	return out.StdoutDropped
}

// A key whose sessions all keep what they can for as long as they can takes
// nothing from another key.
func TestOutputOfAnotherTenant(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfBytes)
	synctest.Test(t, func(t *testing.T) {
		const sessions = 24
		e := writers{sessions: map[[2]string]*Workspace{}}
		api := New(Config{Engine: e, Logger: slog.New(slog.DiscardHandler)})
		open := func(tenant, id string) {
			ours, theirs := net.Pipe()
			go func() { _ = guest.Serve(theirs, writer{}, nil) }() // ends with the client
			ws := api.Open(tenant, guest.NewClient(ours), nil, Ahead{})
			t.Cleanup(func() { _ = ws.Guest.Close() })
			e.sessions[[2]string{tenant, id}] = ws
		}
		for i := range sessions {
			open("a", strconv.Itoa(i))
		}
		open("b", "0")
		h := api.Handler(func(r *http.Request) (string, bool) { return r.Header.Get("Authorization"), true })

		attack, end := context.WithCancel(t.Context())
		var group sync.WaitGroup
		for i := range 2 * sessions {
			r := callOf(attack, t, "a", strconv.Itoa(i%sessions), strconv.Itoa(14<<20)+" 60")
			group.Go(func() { h.ServeHTTP(httptest.NewRecorder(), r) })
		}
		for range 2 { // while others of A wait, and when they have waited
			synctest.Wait()
			kept := api.output.bounds.engine - api.output.engine.left
			require.Greater(t, kept, tenantOutput-runOutput, "A has all it can get")
			require.LessOrEqual(t, kept, tenantOutput)
			begin := time.Now()
			sent, end := context.WithCancel(t.Context())
			require.Zero(t, dropped(t, h, callOf(sent, t, "b", "0", strconv.Itoa(10<<20)+" 0")))
			end()
			require.Zero(t, time.Since(begin), "nobody has waited")
			time.Sleep(2 * outputWait)
		}
		end()
		group.Wait()
		for _, ws := range e.sessions {
			ws.Close()
		}
		synctest.Wait()
		clean(t, api.output)
	})
}
