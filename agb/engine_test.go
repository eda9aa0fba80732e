package agb_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/session"
)

func TestLife(t *testing.T) {
	c := agbtest.NewClient(t)
	ctx := t.Context()
	created, err := c.Create(ctx, &agb.CreateParams{ImageID: "agb-code-space-1", Labels: map[string]string{"team": "x"}, IdleTimeout: time.Minute})
	require.NoError(t, err)
	s := created.Session
	require.NotEmpty(t, created.RequestID)
	require.Equal(t, "agb-code-space-1", s.ImageID)
	require.Contains(t, s.ResourceURL, "resourceId=")

	got, err := c.Get(ctx, s.ID)
	require.NoError(t, err)
	require.Equal(t, s.ID, got.Session.ID)
	require.Equal(t, "RUNNING", got.Status)
	res, err := got.Session.Command.Run(ctx, "echo hi", nil)
	require.NoError(t, err)
	require.Equal(t, "hi\n", res.Stdout)

	status, err := s.Status(ctx)
	require.NoError(t, err)
	require.Equal(t, session.Present, status.State)

	deleted, err := c.Delete(ctx, s.ID)
	require.NoError(t, err)
	require.NotEmpty(t, deleted.RequestID)
	_, err = c.Delete(ctx, s.ID)
	require.NoError(t, err, "deleting what is gone succeeds")

	status, err = s.Status(ctx)
	require.NoError(t, err)
	require.Equal(t, session.Gone, status.State)
	_, err = c.Get(ctx, s.ID)
	require.ErrorIs(t, err, agb.ErrSessionNotFound)
	_, err = s.Command.Run(ctx, "true", nil)
	require.ErrorIs(t, err, agb.ErrSessionNotFound)
	var e *agb.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, s.ID, e.SessionID)
	require.Equal(t, "command.Run", e.Op)
	require.NotEmpty(t, e.RequestID)
}

func TestUnknownImage(t *testing.T) {
	_, err := agbtest.NewClient(t).Create(t.Context(), &agb.CreateParams{ImageID: "no-such-image"})
	require.ErrorIs(t, err, agb.ErrInvalidArgument)
	var e *agb.Error
	require.ErrorAs(t, err, &e)
	require.Contains(t, e.Message, "no-such-image")
	require.Contains(t, e.Hint, "host")
	require.Contains(t, e.Hint, "agb-code-space-1")
}

func TestListByLabels(t *testing.T) {
	c := agbtest.NewClient(t)
	ctx := t.Context()
	var wg sync.WaitGroup
	for i := range 7 {
		wg.Go(func() {
			_, err := c.Create(ctx, &agb.CreateParams{Labels: map[string]string{
				"env": []string{"prod", "stage", "dev"}[i%3], "n": fmt.Sprint(i),
			}})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	count := func(p *agb.ListParams) (n int) {
		for _, err := range c.All(ctx, p) {
			require.NoError(t, err)
			n++
		}
		return n
	}
	require.Equal(t, 7, count(nil))
	require.Equal(t, 7, count(&agb.ListParams{Limit: 2}))
	require.Equal(t, 3, count(&agb.ListParams{Labels: map[string]string{"env": "prod"}}))
	require.Equal(t, 5, count(&agb.ListParams{Selector: "env in (prod,stage)", Limit: 2}))
	require.Equal(t, 4, count(&agb.ListParams{Selector: "env!=prod"}))
	require.Equal(t, 1, count(&agb.ListParams{Selector: "env!=prod", Labels: map[string]string{"n": "1"}}))
	require.Zero(t, count(&agb.ListParams{Selector: "env=prod", Labels: map[string]string{"env": "dev"}}))

	page, err := c.List(ctx, &agb.ListParams{Page: 2, Limit: 3})
	require.NoError(t, err)
	require.Len(t, page.Sessions, 3)
	require.Equal(t, 7, page.Total)
	_, err = c.List(ctx, &agb.ListParams{Page: 4, Limit: 3})
	require.ErrorIs(t, err, agb.ErrInvalidArgument)
	_, err = c.List(ctx, &agb.ListParams{Token: "made up"})
	require.ErrorIs(t, err, agb.ErrInvalidArgument)
}

// TestWithSessionOnEngine: the session is gone afterwards, however it ends.
func TestWithSessionOnEngine(t *testing.T) {
	c := agbtest.NewClient(t)
	failed := errors.New("failed")
	ctx, cancel := context.WithCancel(t.Context())
	var id string
	err := c.WithSession(ctx, nil, func(ctx context.Context, s *agb.Session) error {
		id = s.ID
		time.AfterFunc(20*time.Millisecond, cancel)
		_, err := s.Command.Run(ctx, "sleep 60", nil)
		return errors.Join(failed, err)
	})
	require.ErrorIs(t, err, failed)
	require.ErrorIs(t, err, context.Canceled)
	_, err = c.Get(t.Context(), id)
	require.ErrorIs(t, err, agb.ErrSessionNotFound)
}
