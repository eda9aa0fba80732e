package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/internal/failpoint"
	"github.com/agb-go/sdk/engine/internal/failpoint/failtest"
	"github.com/agb-go/sdk/engine/internal/store"
)

// fail has a point fail once.
func fail(t *testing.T, p failpoint.Point) {
	t.Helper()
	var disarm func()
	disarm = failpoint.Arm(p, func() error { disarm(); return failtest.ErrInjected })
	t.Cleanup(disarm)
}

// TestWriteFails: a write that fails, at whatever step, changes nothing, neither
// before nor after the next owner comes, once another has succeeded.
func TestWriteFails(t *testing.T) {
	for _, p := range []failpoint.Point{failpoint.StoreBegun, failpoint.StoreWritten, failpoint.StoreCommitted} {
		t.Run(string(p), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "s")
			s, _ := open(t, dir, store.Options{})
			kept := put(t, s, full("kept"))
			gone := put(t, s, store.Record{ID: "gone", Tenant: "t"})

			fail(t, p)
			r, err := s.Put(store.Record{ID: "never", Tenant: "t", Key: "k"})
			require.ErrorIs(t, err, failtest.ErrInjected)
			require.Zero(t, r)
			fail(t, p)
			_, err = s.Update("kept", func(r *store.Record) error { r.Reason = "other"; return nil })
			require.ErrorIs(t, err, failtest.ErrInjected)
			fail(t, p)
			require.ErrorIs(t, s.Delete("gone"), failtest.ErrInjected)

			require.Equal(t, []string{"gone", "kept"}, ids(s, "t", 0))
			got, _ := s.Get("kept")
			require.Equal(t, kept, got)
			_, ok := s.ByKey("t", "k")
			require.False(t, ok)

			later := put(t, s, full("later"))
			require.Greater(t, later.Seq, gone.Seq)
			require.NoError(t, s.Close())
			s, report := open(t, dir, store.Options{})
			require.Nil(t, report.Damage)
			require.Equal(t, []string{"later", "gone", "kept"}, ids(s, "t", 0))
			got, _ = s.Get("kept")
			require.Equal(t, kept, got)
		})
	}
}

// TestOpenFails: an opening that fails, at whatever step, lets go of the
// directory, and the next one finds everything.
func TestOpenFails(t *testing.T) {
	for _, p := range []failpoint.Point{
		failpoint.StoreLocked, failpoint.StoreBuilt, failpoint.StoreAside, failpoint.StorePlaced,
		failpoint.StoreOrphans, failpoint.StoreBegun, failpoint.StoreWritten, failpoint.StoreCommitted,
	} {
		t.Run(string(p), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "s")
			if p == failpoint.StoreBuilt || p == failpoint.StorePlaced {
				fail(t, p)
				_, _, err := store.Open(dir, store.Options{})
				require.ErrorIs(t, err, failtest.ErrInjected)
			}
			s, report := open(t, dir, store.Options{})
			require.Nil(t, report.Damage)
			put(t, s, store.Record{ID: "live", Tenant: "t", Key: "k", State: store.Running})
			put(t, s, full("a"))
			require.NoError(t, s.Close())
			damage(t, dir)

			fail(t, p)
			_, _, err := store.Open(dir, store.Options{})
			require.ErrorIs(t, err, failtest.ErrInjected)
			s, report = open(t, dir, store.Options{})
			require.Equal(t, []string{"a", "live"}, ids(s, "t", 0))
			if report.Damage != nil {
				require.Equal(t, 2, report.Damage.Saved)
			}
			live, _ := s.Get("live")
			require.Equal(t, store.OwnerDied, live.Reason)
		})
	}
}

// TestPanicInWrite: what a panic leaves is told, and nothing hangs.
func TestPanicInWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	s, _ := open(t, dir, store.Options{})
	put(t, s, full("a"))
	disarm := failpoint.Arm(failpoint.StoreWritten, func() error { panic(errors.New("a page is not what it was")) })
	_, err := s.Put(full("b"))
	require.Error(t, err)
	disarm()
	_, err = s.Put(full("b"))
	require.Error(t, err, "nobody knows what state it is in")
	require.NoError(t, s.Close())
	s, report := open(t, dir, store.Options{})
	require.Nil(t, report.Damage)
	require.Equal(t, []string{"a"}, ids(s, "t", 0))
}

// What is written where nobody finds it is not taken for written.
func TestFilesAreRemoved(t *testing.T) {
	for _, name := range []string{"", "sessions.db", "sessions.lock"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "s")
			s, _ := open(t, dir, store.Options{})
			put(t, s, full("kept"))
			require.NoError(t, os.RemoveAll(filepath.Join(dir, name)))
			_, err := s.Put(full("lost"))
			require.ErrorIs(t, err, apierr.Unavailable.Err())
			require.ErrorContains(t, err, "removed or replaced")
			require.Equal(t, []string{"kept"}, ids(s, "t", 0))
			require.NoError(t, s.Close())
		})
	}
}
