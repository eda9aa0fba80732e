package engine

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/internal/httpapi"
)

func TestSameKeySameSession(t *testing.T) {
	r := &fakeRuntime{delay: 20 * time.Millisecond}
	v := newFakeOn(t, Config{}, r)
	p := httpapi.CreateParams{Key: "k", Labels: map[string]string{"a": "b"}}
	var all sync.WaitGroup
	ids := make([]string, 50)
	for i := range ids {
		all.Go(func() {
			s, err := v.Create(t.Context(), owner, p)
			if err == nil {
				ids[i] = s.ID
			}
		})
	}
	all.Wait()
	for _, id := range ids {
		require.Equal(t, ids[0], id)
	}
	require.NotEmpty(t, ids[0])
	require.Equal(t, 1, r.count())
	require.Equal(t, ids[0], mustCreate(t, v, p).ID)
	p.Image = defaultImage
	require.Equal(t, ids[0], mustCreate(t, v, p).ID, "the default by its name")
	require.NoError(t, v.SetLabels(owner, ids[0], nil))
	require.Equal(t, ids[0], mustCreate(t, v, p).ID, "whatever became of it")

	foreign, err := v.Create(t.Context(), "foreign", p)
	require.NoError(t, err)
	require.NotEqual(t, ids[0], foreign.ID, "a key is its tenant's alone")
	require.Len(t, v.List(owner), 1)
}

func TestSameKeyOtherParameters(t *testing.T) {
	v, r := newFake(t, Config{})
	p := httpapi.CreateParams{Key: "k"}
	mustCreate(t, v, p)
	for name, other := range map[string]httpapi.CreateParams{
		"image":    {Key: "k", Image: "agb-code-space-1"},
		"labels":   {Key: "k", Labels: map[string]string{"a": "b"}},
		"idle":     {Key: "k", Idle: time.Second},
		"lifetime": {Key: "k", Lifetime: time.Second},
		"limits":   {Key: "k", Limits: driver.Limits{Processes: 20}},
	} {
		_, err := v.Create(t.Context(), owner, other)
		require.ErrorIs(t, err, apierr.InvalidArgument.Err(), name)
	}
	require.Equal(t, 1, r.count())
}

func TestKeyOfAnEndedSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, r := newFake(t, Config{IdleTimeout: time.Minute})
		p := httpapi.CreateParams{Key: "k"}
		id := mustCreate(t, v, p).ID
		time.Sleep(time.Minute)
		synctest.Wait()
		_, err := v.Create(t.Context(), owner, p)
		require.ErrorIs(t, err, apierr.FailedPrecondition.Err())
		require.Equal(t, id, apierr.From(err).SessionID)
		time.Sleep(24*time.Hour - time.Minute - 1)
		_, err = v.Create(t.Context(), owner, p)
		require.ErrorIs(t, err, apierr.FailedPrecondition.Err())
		time.Sleep(time.Nanosecond)
		require.NotEqual(t, id, mustCreate(t, v, p).ID)
		require.Equal(t, 2, r.count())
	})
}

// TestKeyOfAFailedCreation: all who wait are told of the failure, and the key
// is free.
func TestKeyOfAFailedCreation(t *testing.T) {
	r := &fakeRuntime{delay: 20 * time.Millisecond, err: errFake}
	v := newFakeOn(t, Config{}, r)
	var all sync.WaitGroup
	errs := make([]error, 10)
	for i := range errs {
		all.Go(func() { _, errs[i] = v.Create(t.Context(), owner, httpapi.CreateParams{Key: "k"}) })
	}
	all.Wait()
	for _, err := range errs {
		require.ErrorIs(t, err, errFake)
	}
	r.fail(nil)
	mustCreate(t, v, httpapi.CreateParams{Key: "k"})
}

// TestKeyedCreationIsGivenUp: a creation goes on for whoever waits, and is
// undone when nobody does.
func TestKeyedCreationIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &fakeRuntime{delay: time.Second}
		v := newFakeOn(t, Config{}, r)
		p := httpapi.CreateParams{Key: "k"}
		ask := func(patience time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			_, err := v.Create(ctx, owner, p)
			return err
		}
		errs := make(chan error, 2)
		go func() { errs <- ask(100 * time.Millisecond) }()
		go func() { errs <- ask(time.Hour) }()
		require.ErrorIs(t, <-errs, context.DeadlineExceeded)
		require.NoError(t, <-errs)
		require.Equal(t, 1, r.count())

		p.Key = "other"
		go func() { errs <- ask(100 * time.Millisecond) }()
		require.ErrorIs(t, <-errs, context.DeadlineExceeded)
		require.NoError(t, ask(time.Hour), "who comes later starts anew")
		require.Equal(t, 2, r.count())
		require.Len(t, v.List(owner), 2)
	})
}

func TestKeyIsChecked(t *testing.T) {
	v, _ := newFake(t, Config{})
	for key, ok := range map[string]bool{
		strings.Repeat("k", 255): true, strings.Repeat("k", 256): false, "!~": true,
		"a b": false, "a\r\nb": false, "\x7f": false, "é": false, "\x00": false,
	} {
		_, err := v.Create(t.Context(), owner, httpapi.CreateParams{Key: key})
		if ok {
			require.NoError(t, err, "%q", key)
		} else {
			require.ErrorIs(t, err, apierr.InvalidArgument.Err(), "%q", key)
		}
	}
}

// TestKeysRace has callers of a few keys come and go while sessions are deleted:
// never are there two of a key.
func TestKeysRace(t *testing.T) {
	r := &fakeRuntime{delay: time.Millisecond}
	v := newFakeOn(t, Config{}, r)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 50 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+(i+j)%5)*time.Millisecond)
				_, _ = v.Create(ctx, owner, httpapi.CreateParams{Key: string(rune('a' + j/5))}) // some are given up
				cancel()
			}
		})
	}
	all.Wait()
	require.LessOrEqual(t, len(v.List(owner)), 10)
	require.LessOrEqual(t, len(v.Records(owner)), 10)
}
