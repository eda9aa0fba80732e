//go:build linux

package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/guest"
)

// watched is a watch under way.
type watched struct {
	events chan guest.Event
	ended  chan error
}

// watch watches a directory below home until the test ends.
func (s *sandbox) watch(t *testing.T, dir string) *watched {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &watched{make(chan guest.Event, 100_000), make(chan error, 1)}
	ready := make(chan struct{})
	go func() {
		w.ended <- s.Watch(ctx, dir, func() error { close(ready); return nil }, func(list []guest.Event) error {
			for _, e := range list {
				w.events <- e
			}
			return nil
		})
	}()
	select {
	case <-ready:
	case err := <-w.ended:
		require.NoError(t, err)
	}
	t.Cleanup(cancel)
	return w
}

// next waits for an event.
func (w *watched) next(t *testing.T) guest.Event {
	t.Helper()
	select {
	case e := <-w.events:
		return e
	case <-time.After(10 * time.Second):
		require.FailNow(t, "no event")
		return guest.Event{}
	}
}

// until waits for an event and returns what came before.
func (w *watched) until(t *testing.T, want guest.Event) (before []guest.Event) {
	t.Helper()
	for {
		e := w.next(t)
		if e == want {
			return before
		}
		before = append(before, e)
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.write(t, "t/a/f", "x")
	w := s.watch(t, "t")
	at := func(p string) string { return filepath.Join(s.home, "t", p) }
	expect := func(want ...guest.Event) {
		t.Helper()
		for _, e := range want {
			require.Equal(t, e, w.next(t))
		}
	}
	require.NoError(t, os.WriteFile(at("new"), []byte("x"), 0o600))
	expect(guest.Event{Kind: guest.EventCreate, Path: at("new")})
	w.quiesce()
	f, err := os.OpenFile(at("a/f"), os.O_WRONLY, 0)
	require.NoError(t, err)
	for range 100 {
		_, err = f.WriteString("x")
		require.NoError(t, err)
	}
	require.NoError(t, f.Close())
	expect(guest.Event{Kind: guest.EventWrite, Path: at("a/f")})
	w.quiesce()
	require.NoError(t, os.Chmod(at("a/f"), 0o600))
	expect(guest.Event{Kind: guest.EventAttrib, Path: at("a/f")})
	require.NoError(t, os.Rename(at("a"), at("b")))
	expect(guest.Event{Kind: guest.EventRename, Path: at("b"), Old: at("a"), Dir: true})
	require.NoError(t, os.WriteFile(at("b/g"), nil, 0o600))
	expect(guest.Event{Kind: guest.EventCreate, Path: at("b/g")})
	w.quiesce()
	require.NoError(t, os.Rename(at("b"), filepath.Join(s.home, "away")))
	expect(guest.Event{Kind: guest.EventRemove, Path: at("b"), Dir: true})
	require.NoError(t, os.WriteFile(filepath.Join(s.home, "away/h"), nil, 0o600))
	require.NoError(t, os.Remove(at("new")))
	expect(guest.Event{Kind: guest.EventRemove, Path: at("new")})
	require.NoError(t, os.Rename(filepath.Join(s.home, "away"), at("back")))
	expect(guest.Event{Kind: guest.EventCreate, Path: at("back"), Dir: true})
	w.until(t, guest.Event{Kind: guest.EventCreate, Path: at("back/h")})

	require.NoError(t, os.RemoveAll(filepath.Join(s.home, "t")))
	select {
	case err := <-w.ended:
		require.ErrorIs(t, err, fs.ErrNotExist)
	case <-time.After(10 * time.Second):
		require.FailNow(t, "the watch goes on")
	}
}

// quiesce waits until what has happened has been told, and drops it.
func (w *watched) quiesce() {
	for {
		select {
		case <-w.events:
		case <-time.After(10 * gatherTime):
			return
		}
	}
}

// What is made in directories that are new themselves is not missed.
func TestWatchMissesNothing(t *testing.T) {
	t.Parallel()
	s := start(t)
	require.NoError(t, os.Mkdir(filepath.Join(s.home, "t"), 0o700))
	w := s.watch(t, "t")
	want := map[string]bool{}
	for i := range 200 {
		dir := filepath.Join(s.home, "t", fmt.Sprint(i), "deep", "er")
		require.NoError(t, os.MkdirAll(dir, 0o700))
		p := filepath.Join(dir, "f")
		require.NoError(t, os.WriteFile(p, []byte("x"), 0o600))
		for ; p != filepath.Join(s.home, "t"); p = filepath.Dir(p) {
			want[p] = true
		}
	}
	for len(want) > 0 {
		e := w.next(t)
		if e.Kind == guest.EventCreate {
			delete(want, e.Path)
		}
	}
}

// What happens to a file at a time is told once.
func TestWatchGathers(t *testing.T) {
	t.Parallel()
	a := &agent{home: t.TempDir(), watching: make(chan struct{}, 1)}
	touch := func(name string) error { return os.WriteFile(filepath.Join(a.home, name), []byte("x"), 0o600) }
	require.NoError(t, errors.Join(touch("a"), touch("b")))
	end := guest.Event{Kind: guest.EventCreate, Path: filepath.Join(a.home, "end")}
	var told []guest.Event
	err := a.Watch(t.Context(), ".", func() error {
		for range 100 { // in turn, for the kernel gathers those of one file itself
			if err := errors.Join(touch("a"), touch("b")); err != nil {
				return err
			}
		}
		return touch("end")
	}, func(list []guest.Event) error {
		told = append(told, list...)
		if slices.Contains(list, end) {
			return io.EOF
		}
		return nil
	})
	require.ErrorContains(t, err, io.EOF.Error())
	require.Equal(t, []guest.Event{
		{Kind: guest.EventWrite, Path: filepath.Join(a.home, "a")}, {Kind: guest.EventWrite, Path: filepath.Join(a.home, "b")}, end,
	}, told[:slices.Index(told, end)+1])
}

// Who does not take events in is told that some are lost.
func TestWatchOverflow(t *testing.T) {
	t.Parallel()
	s := start(t)
	dir := filepath.Join(s.home, "t")
	require.NoError(t, os.Mkdir(dir, 0o700))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ready, held := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	overflow := make(chan struct{}, 1)
	go func() {
		ended <- s.Watch(ctx, "t", func() error { close(ready); return nil }, func(list []guest.Event) error {
			<-held
			for _, e := range list {
				if e.Kind == guest.EventOverflow {
					select {
					case overflow <- struct{}{}:
					default:
					}
				}
			}
			return nil
		})
	}()
	<-ready
	for i := range 60_000 {
		p := filepath.Join(dir, fmt.Sprint(i%50))
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			require.NoError(t, err)
		}
		if err := os.Remove(p); err != nil {
			require.NoError(t, err)
		}
	}
	close(held)
	select {
	case <-overflow:
	case <-time.After(20 * time.Second):
		require.FailNow(t, "no overflow")
	}
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
}

func TestWatchLimits(t *testing.T) {
	t.Parallel()
	s := start(t)
	for range watchingLimit {
		s.watch(t, ".")
	}
	err := s.Watch(t.Context(), ".", func() error { return nil }, func([]guest.Event) error { return nil })
	requireKind(t, guest.TooLarge, err)
	err = s.Watch(t.Context(), "none", func() error { return nil }, func([]guest.Event) error { return nil })
	require.Error(t, err)
}
