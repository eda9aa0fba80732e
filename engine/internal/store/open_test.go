package store_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/internal/store"
)

const fileName = "sessions.db"

// open opens a directory, closed when the test ends.
func open(t *testing.T, dir string, opts store.Options) (*store.Store, *store.Report) {
	t.Helper()
	s, report, err := store.Open(dir, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s, report
}

// refused opens a directory in vain and returns what it hints at.
func refused(t *testing.T, dir string) (hint string) {
	t.Helper()
	_, _, err := store.Open(dir, store.Options{})
	require.ErrorIs(t, err, apierr.FailedPrecondition.Err())
	var e *apierr.Error
	require.ErrorAs(t, err, &e)
	return e.Hint
}

// TestAgain: what was put is there when the directory is opened again, in the
// same order, and order goes on.
func TestAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s, _ := open(t, dir, store.Options{})
	a, b, c := put(t, s, full("a")), put(t, s, full("b")), put(t, s, full("c"))
	require.NoError(t, s.Delete("c"))
	require.NoError(t, s.Close())

	s, report := open(t, dir, store.Options{})
	require.Equal(t, &store.Report{}, report)
	require.Equal(t, []string{"b", "a"}, ids(s, "t", 0))
	for _, want := range []store.Record{a, b} {
		got, ok := s.Get(want.ID)
		require.True(t, ok)
		require.Equal(t, want, got)
	}
	require.Greater(t, put(t, s, full("c")).Seq, c.Seq)
}

// TestAgainKey: a key stands for its session when another owner has the
// directory.
func TestAgainKey(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	s, _ := open(t, dir, store.Options{})
	put(t, s, store.Record{ID: "made", Key: "k1", KeyParams: [32]byte{5}, State: store.Running})
	put(t, s, store.Record{ID: "half made", Key: "k2"})
	require.NoError(t, s.Close())

	s, report := open(t, dir, store.Options{})
	made, ok := s.ByKey("", "k1")
	require.True(t, ok)
	require.Equal(t, [32]byte{5}, made.KeyParams)
	_, ok = s.ByKey("", "k2")
	require.False(t, ok, "nobody was given that session")
	half, _ := s.Get("half made")
	require.Equal(t, []store.Record{made, half}, report.Orphans)
	for _, r := range report.Orphans {
		require.Equal(t, store.Ended, r.State)
		require.Equal(t, store.OwnerDied, r.Reason)
		require.WithinDuration(t, time.Now(), r.Ended, time.Minute)
	}
	require.Nil(t, report.Previous, "it did not die, it closed")
	require.NoError(t, s.Close())

	s, report = open(t, dir, store.Options{})
	require.Empty(t, report.Orphans)
	got, _ := s.Get("made")
	require.Equal(t, made, got)
}

// TestAgainSmaller: limits that were lowered hold at once.
func TestAgainSmaller(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	s, _ := open(t, dir, store.Options{})
	for _, id := range []string{"a", "b", "c"} {
		end(t, s, "t", id)
	}
	put(t, s, store.Record{ID: "live", Tenant: "t"})
	require.NoError(t, s.Close())
	s, _ = open(t, dir, store.Options{Limits: store.Limits{Ended: 2}})
	require.Equal(t, []string{"live", "c"}, ids(s, "t", 0))
	require.NoError(t, s.Close())
	s, _ = open(t, dir, store.Options{})
	require.Equal(t, []string{"live", "c"}, ids(s, "t", 0))
}

func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no modes")
	}
	dir := filepath.Join(t.TempDir(), "state")
	open(t, dir, store.Options{})
	mode := func(name string) os.FileMode {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		return info.Mode().Perm()
	}
	require.Equal(t, os.FileMode(0o700), mode("."))
	require.Equal(t, os.FileMode(0o600), mode(fileName))
	require.Equal(t, os.FileMode(0o600), mode("sessions.lock"))
}

func TestNotPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("who may write there is the system's business")
	}
	dir := t.TempDir()
	for _, mode := range []os.FileMode{0o770, 0o702, 0o777} {
		require.NoError(t, os.Chmod(dir, mode))
		require.Contains(t, refused(t, dir), "chmod")
	}
	for _, mode := range []os.FileMode{0o700, 0o755} {
		require.NoError(t, os.Chmod(dir, mode))
		s, _ := open(t, dir, store.Options{})
		require.NoError(t, s.Close())
	}
	if os.Geteuid() == 0 {
		require.NoError(t, os.Chown(dir, 65534, 65534))
		refused(t, dir)
	} else {
		refused(t, "/proc")
		refused(t, "/nobody may make this")
	}
}

// TestNoFile: what is no directory, and no file, is left alone.
func TestNoFile(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, _, err := store.Open(file, store.Options{})
	require.Error(t, err)

	name := filepath.Join(dir, fileName)
	require.NoError(t, os.Mkdir(name, 0o700))
	refused(t, dir)
	require.NoError(t, os.Remove(name))
	if runtime.GOOS != "windows" {
		require.NoError(t, os.Symlink(file, name))
		refused(t, dir)
		require.NoError(t, os.Remove(name))
	}
	require.NoError(t, os.WriteFile(name, nil, 0o600))
	require.NoError(t, os.Truncate(name, 1<<30+1))
	refused(t, dir)
}

// TestOneOwner: a directory has one owner, whom the others are told.
func TestOneOwner(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	s, _ := open(t, dir, store.Options{})
	require.Contains(t, refused(t, dir), "process "+strconv.Itoa(os.Getpid()))

	// Who waits gets it when the owner closes.
	waited := make(chan error, 1)
	go func() {
		next, _, err := store.Open(dir, store.Options{Wait: time.Minute})
		if err == nil {
			err = next.Close()
		}
		waited <- err
	}()
	put(t, s, store.Record{ID: "a"})
	require.NoError(t, s.Close())
	require.NoError(t, <-waited)
}

// TestToolHasIt: the file alone may be open in a tool.
func TestToolHasIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	s, _ := open(t, dir, store.Options{})
	require.NoError(t, s.Close())
	db, err := bolt.Open(filepath.Join(dir, fileName), 0o600, nil)
	require.NoError(t, err)
	refused(t, dir)
	require.NoError(t, db.Close())
	open(t, dir, store.Options{})
}

// TestNewer: a file of a newer version is refused and stays as it is, damaged or
// not.
func TestNewer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	s, _ := open(t, dir, store.Options{})
	put(t, s, full("a"))
	require.NoError(t, s.Close())
	name := filepath.Join(dir, fileName)
	db, err := bolt.Open(name, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bolt.Tx) error {
		if _, err := tx.CreateBucket([]byte("zones")); err != nil {
			return err
		}
		return tx.Bucket([]byte("about")).Put([]byte("format"), []byte("2"))
	}))
	require.NoError(t, db.Close())

	before, err := os.ReadFile(name)
	require.NoError(t, err)
	refused(t, dir)
	after, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, before, after)
	names, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, names, 2)
}
