package agb_test

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/session"
)

func TestLimitsAndLifetimeAreAskedFor(t *testing.T) {
	c := agbtest.NewClient(t)
	ctx := t.Context()
	wanted := agb.Limits{Processes: 32, OpenFiles: 128, FileBytes: 1 << 20, DiskBytes: 8 << 20, MemoryBytes: 64 << 20, MilliCPU: 500}
	created, err := c.Create(ctx, &agb.CreateParams{Lifetime: 10 * time.Minute, Limits: wanted})
	if errors.Is(err, agb.ErrIsolationUnavailable) {
		// This user can make no control groups: neither limit is to be had.
		var e *agb.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, []string{session.LayerMemoryLimit, session.LayerCPULimit}, e.Missing)
		require.NotEmpty(t, e.Hint)
		require.NotZero(t, os.Geteuid(), "root can")
		wanted.MemoryBytes, wanted.MilliCPU = 0, 0
		created, err = c.Create(ctx, &agb.CreateParams{Lifetime: 10 * time.Minute, Limits: wanted})
	}
	require.NoError(t, err)
	s := created.Session

	info, err := s.Info(ctx)
	require.NoError(t, err)
	require.Equal(t, session.StatusRunning, info.Status)
	require.WithinDuration(t, time.Now(), info.CreatedAt, 20*time.Second)
	require.WithinDuration(t, info.CreatedAt.Add(10*time.Minute), info.ExpiresAt, 5*time.Second)
	got := info.Limits
	require.Positive(t, got.DataBytes, "what was not asked for is the engine's")
	require.Positive(t, got.DiskInodes)
	got.DataBytes, got.DiskInodes = 0, 0
	if wanted.MemoryBytes == 0 {
		got.MemoryBytes, got.MilliCPU = 0, 0
	}
	require.Equal(t, wanted, got)
	require.NotEmpty(t, info.Isolation)

	for name, p := range map[string]*agb.CreateParams{
		"more than there is": {Limits: agb.Limits{MemoryBytes: 1 << 49}},
		"less than it needs": {Limits: agb.Limits{Processes: 1}},
		"too long a life":    {Lifetime: 24 * time.Hour},
	} {
		_, err := c.Create(ctx, p)
		require.ErrorIs(t, err, agb.ErrInvalidArgument, name)
	}

	extended, err := s.Extend(ctx, 20*time.Minute)
	require.NoError(t, err)
	require.NotEmpty(t, extended.RequestID)
	require.WithinDuration(t, time.Now().Add(20*time.Minute), extended.ExpiresAt, 5*time.Second)
	info, err = s.Info(ctx)
	require.NoError(t, err)
	require.Equal(t, extended.ExpiresAt, info.ExpiresAt)
	for _, d := range []time.Duration{0, -1, 24 * time.Hour, 1<<63 - 1} {
		_, err := s.Extend(ctx, d)
		require.ErrorIs(t, err, agb.ErrInvalidArgument, d)
	}
}

func TestIsolationIsTold(t *testing.T) {
	s := agbtest.NewSession(t)
	got, err := s.Isolation(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, got.RequestID)
	for _, name := range []string{session.LayerNamespaces, session.LayerCapabilities, session.LayerNoNewPrivs, session.LayerSeccomp} {
		require.True(t, got.Active(name), name)
	}
	require.False(t, got.Active("nonsense"))
	info, err := s.Info(t.Context())
	require.NoError(t, err)
	require.Equal(t, got.Layers, info.Isolation)
}

func TestUsageIsTold(t *testing.T) {
	s := agbtest.NewSession(t)
	before, err := s.Usage(t.Context())
	unlessUnsupported(t, err)
	_, err = s.Command.Run(t.Context(), "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done", nil)
	require.NoError(t, err)
	after, err := s.Usage(t.Context())
	require.NoError(t, err)
	require.Greater(t, after.CPU, before.CPU)
	require.Positive(t, after.Processes)
	require.Positive(t, after.MemoryBytes)
}

// unlessUnsupported skips the test when this machine cannot do what it is of.
func unlessUnsupported(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		require.ErrorIs(t, err, agb.ErrUnsupported)
		t.Skip("not on this machine: ", err)
	}
}

func TestPauseAndResume(t *testing.T) {
	c := agbtest.NewClient(t)
	ctx := t.Context()
	created, err := c.Create(ctx, nil)
	require.NoError(t, err)
	s := created.Session
	_, err = s.Pause(ctx)
	unlessUnsupported(t, err)
	_, err = s.Pause(ctx)
	require.NoError(t, err, "pausing twice")

	status, err := s.Status(ctx)
	require.NoError(t, err)
	require.Equal(t, session.Present, status.State)
	require.Equal(t, session.StatusPaused, status.Status)
	got, err := c.Get(ctx, s.ID)
	require.NoError(t, err)
	require.Equal(t, session.StatusPaused, got.Status)
	page, err := c.List(ctx, nil)
	require.NoError(t, err)
	require.Equal(t, []agb.SessionSummary{{ID: s.ID, Status: session.StatusPaused}}, page.Sessions)
	records, err := c.Records(ctx, nil)
	require.NoError(t, err)
	require.Equal(t, session.StatusPaused, records.Records[0].Status)
	_, err = s.Command.Run(ctx, "true", nil)
	require.ErrorIs(t, err, agb.ErrFailedPrecondition)

	for range 2 {
		_, err = s.Resume(ctx)
		require.NoError(t, err)
	}
	res, err := s.Command.Run(ctx, "echo on", nil)
	require.NoError(t, err)
	require.Equal(t, "on\n", res.Stdout)
	_, err = s.Pause(ctx)
	require.NoError(t, err)
	_, err = s.Delete(ctx)
	require.NoError(t, err, "a paused session can be deleted")
}

func TestRecordsOutliveTheirSessions(t *testing.T) {
	c := agbtest.NewClient(t)
	ctx := t.Context()
	var ids []string
	for i := range 5 {
		created, err := c.Create(ctx, &agb.CreateParams{Labels: map[string]string{"n": fmt.Sprint(i), "parity": fmt.Sprint(i % 2)}})
		require.NoError(t, err)
		ids = append(ids, created.Session.ID)
	}
	first, err := c.Get(ctx, ids[0])
	require.NoError(t, err)
	_, err = first.Session.Usage(ctx)
	accounted := !errors.Is(err, agb.ErrUnsupported)
	for _, id := range ids[:3] {
		_, err := c.Delete(ctx, id)
		require.NoError(t, err)
	}
	page, err := c.Records(ctx, &agb.RecordsOptions{Limit: 2})
	require.NoError(t, err)
	require.Equal(t, 5, page.Total)
	require.Equal(t, 2, page.Limit)
	require.NotEmpty(t, page.NextToken)
	require.NotEmpty(t, page.RequestID)
	require.Equal(t, []string{ids[4], ids[3]}, []string{page.Records[0].ID, page.Records[1].ID})
	rest, err := c.Records(ctx, &agb.RecordsOptions{Token: page.NextToken})
	require.NoError(t, err)
	require.Len(t, rest.Records, 3)
	require.Empty(t, rest.NextToken)

	count := func(o *agb.RecordsOptions) (n int) {
		for r, err := range c.AllRecords(ctx, o) {
			require.NoError(t, err)
			n++
			if r.EndedAt.IsZero() {
				require.Equal(t, session.StatusRunning, r.Status)
				require.Nil(t, r.Usage)
				continue
			}
			require.Equal(t, session.StatusFinish, r.Status)
			require.Equal(t, "deleted", r.Reason)
			require.False(t, r.EndedAt.Before(r.CreatedAt))
			require.Equal(t, accounted, r.Usage != nil)
			require.False(t, accounted && r.Usage.CPU == 0)
		}
		return n
	}
	require.Equal(t, 5, count(nil))
	require.Equal(t, 5, count(&agb.RecordsOptions{Limit: 1}))
	require.Equal(t, 3, count(&agb.RecordsOptions{Labels: map[string]string{"parity": "0"}, Limit: 1}))
	require.Equal(t, 2, count(&agb.RecordsOptions{Selector: "n in (0,1)"}))
	_, err = c.Records(ctx, &agb.RecordsOptions{Token: page.NextToken, Labels: map[string]string{"n": "0"}})
	require.ErrorIs(t, err, agb.ErrInvalidArgument, "another list's token")
}

func TestRecordsSurviveTheEngine(t *testing.T) {
	agbtest.NewClient(t) // skips where there are no sandboxes
	dir, ctx := t.TempDir(), t.Context()
	start := func() (*engine.Engine, *agb.Client) {
		eng, err := engine.New(engine.Config{StateDir: dir})
		require.NoError(t, err)
		c, err := agb.New(agb.WithTransport(eng.Transport()))
		require.NoError(t, err)
		return eng, c
	}
	eng, c := start()
	created, err := c.Create(ctx, &agb.CreateParams{IdempotencyKey: "k", Labels: map[string]string{"a": "b"}})
	require.NoError(t, err)
	id := created.Session.ID
	require.NoError(t, eng.Close())

	eng, c = start()
	defer func() { require.NoError(t, eng.Close()) }()
	page, err := c.Records(ctx, nil)
	require.NoError(t, err)
	require.Len(t, page.Records, 1)
	require.Equal(t, id, page.Records[0].ID)
	require.Equal(t, "engine closed", page.Records[0].Reason)
	_, err = c.Get(ctx, id)
	require.ErrorIs(t, err, agb.ErrSessionNotFound)
	var e *agb.Error
	require.ErrorAs(t, err, &e)
	require.Contains(t, e.Message, "engine closed")
	_, err = c.Create(ctx, &agb.CreateParams{IdempotencyKey: "k", Labels: map[string]string{"a": "b"}})
	require.ErrorIs(t, err, agb.ErrFailedPrecondition, "the key's session has ended")
}

func TestIdempotentCreate(t *testing.T) {
	c := agbtest.NewClient(t)
	ctx := t.Context()
	ids := make([]string, 20)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			created, err := c.Create(ctx, &agb.CreateParams{IdempotencyKey: "once", Labels: map[string]string{"a": "b", "c": "d"}})
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = created.Session.ID
		})
	}
	wg.Wait()
	for _, id := range ids {
		require.Equal(t, ids[0], id)
	}
	_, err := c.Create(ctx, &agb.CreateParams{IdempotencyKey: "once", Labels: map[string]string{"a": "other"}})
	require.ErrorIs(t, err, agb.ErrInvalidArgument)
	page, err := c.List(ctx, nil)
	require.NoError(t, err)
	require.Equal(t, 1, page.Total)
}
