package store_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/internal/failpoint"
	"github.com/agb-go/sdk/engine/internal/failpoint/failtest"
	"github.com/agb-go/sdk/engine/internal/store"
)

// A writer is a process that writes to a directory and says on its standard
// output what was acknowledged: "put", "end" or "delete" and an id.

// longWait is for what happens at once on a machine that is not busy.
const longWait = time.Minute

// writers is how many goroutines of a writer write.
const writers = 4

// writeForever is what a writer does. It ends by being killed, or when its
// standard output does.
func writeForever(dir string) error {
	if err := failtest.FromEnv(); err != nil {
		return err
	}
	s, _, err := store.Open(dir, store.Options{Wait: longWait})
	if err != nil {
		return err
	}
	fmt.Println("open")
	errs := make(chan error)
	for w := range writers {
		go func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i)
				if err := writeOne(s, id, i); err != nil {
					errs <- err
				}
			}
		}()
	}
	return <-errs
}

func writeOne(s *store.Store, id string, i int) error {
	r := store.Record{ID: id, Image: strings.Repeat("x", i%50*20), State: store.Running}
	if _, err := s.Put(r); err != nil {
		return err
	}
	fmt.Println("put", id)
	if i%3 == 0 {
		return nil
	}
	r.State, r.Reason = store.Ended, "deleted"
	if _, err := s.Put(r); err != nil {
		return err
	}
	fmt.Println("end", id)
	if i%3 == 1 {
		return nil
	}
	if err := s.Delete(id); err != nil {
		return err
	}
	fmt.Println("delete", id)
	return nil
}

// acks are the last words about each id.
type acks map[string]string

// runWriter runs a writer until it is dead, and adds what it said to said. after
// is when it is killed, unless it dies of what env says.
func runWriter(t *testing.T, dir string, said acks, after time.Duration, env ...string) (pid int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := child(ctx, "writer", dir)
	cmd.Env = append(cmd.Env, env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var kill sync.Once
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		verb, id, ok := strings.Cut(lines.Text(), " ")
		if ok {
			said[id] = verb
		} else if after > 0 {
			kill.Do(func() { time.AfterFunc(after, func() { _ = cmd.Process.Kill() }) })
		}
	}
	require.NoError(t, lines.Err())
	err = cmd.Wait()
	var died *exec.ExitError
	require.ErrorAs(t, err, &died)
	require.Equal(t, "signal: killed", died.String(), "it was to be killed")
	return cmd.Process.Pid
}

// requireSaid checks that everything that was acknowledged is there.
func requireSaid(t *testing.T, s *store.Store, said acks) {
	t.Helper()
	lost := 0
	for id, verb := range said {
		r, ok := s.Get(id)
		switch {
		case verb == "put":
			// What came next may have been done without having been told.
			if !ok || r.Reason != store.OwnerDied && r.Reason != "deleted" {
				lost++
			}
		case verb == "end" && ok && r.Reason != "deleted", verb == "delete" && ok:
			lost++
		case verb == "end" && !ok && !strings.HasSuffix(id, "-0"):
			// May have been deleted without having been told, of those that are.
			var w, i, pid int
			_, err := fmt.Sscanf(id, "%d-%d-%d", &pid, &w, &i)
			require.NoError(t, err)
			if i%3 != 2 {
				lost++
			}
		}
	}
	require.Zero(t, lost, "of %d", len(said))
	live, _ := s.Count()
	require.Zero(t, live)
}

// TestKill: what was acknowledged is there, whenever the owner is killed.
func TestKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	said := acks{}
	for range 6 {
		pid := runWriter(t, dir, said, time.Duration(rand.IntN(100))*time.Millisecond+1)
		s, report := open(t, dir, store.Options{Wait: longWait, Limits: store.Limits{Ended: 1 << 20, EndedBytes: 1 << 30}})
		require.Nil(t, report.Damage)
		require.NotNil(t, report.Previous)
		require.Equal(t, pid, report.Previous.PID)
		require.False(t, report.Previous.Alive())
		requireSaid(t, s, said)
		require.NoError(t, s.Close())
	}
	require.NotEmpty(t, said)
}

// TestKillAtPoints: the same at every step, of opening, repairing and writing.
func TestKillAtPoints(t *testing.T) {
	for _, p := range failpoint.Points("store.") {
		t.Run(string(p), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "s")
			s, _ := open(t, dir, store.Options{})
			for i := range 20 {
				put(t, s, store.Record{ID: fmt.Sprint("before", i), State: store.Running, Image: strings.Repeat("y", 300)})
			}
			require.NoError(t, s.Close())
			said := acks{}
			for i := range 20 {
				said[fmt.Sprint("before", i)] = "put"
			}
			damage(t, dir)
			pass := 1
			if p == failpoint.StoreBegun || p == failpoint.StoreWritten || p == failpoint.StoreCommitted {
				pass += rand.IntN(50)
			}
			runWriter(t, dir, said, 0, failtest.Setting(p, failtest.Kill, pass))
			s, report := open(t, dir, store.Options{Wait: longWait})
			requireSaid(t, s, said)
			require.NotNil(t, report.Previous)
			require.NoError(t, s.Close())
			s, report = open(t, dir, store.Options{})
			require.Nil(t, report.Damage)
			require.Nil(t, report.Previous)
			requireSaid(t, s, said)
		})
	}
}

// TestKillAtBirth: a directory whose first owner died while making it is as
// good as none.
func TestKillAtBirth(t *testing.T) {
	for _, p := range []failpoint.Point{failpoint.StoreLocked, failpoint.StoreBuilt, failpoint.StorePlaced} {
		dir := filepath.Join(t.TempDir(), "s")
		runWriter(t, dir, acks{}, 0, failtest.Setting(p, failtest.Kill, 1))
		s, report := open(t, dir, store.Options{Wait: longWait})
		require.Nil(t, report.Damage, p)
		put(t, s, full("a"))
	}
}

// damage harms a file in such a way that nothing is lost.
func damage(t *testing.T, dir string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, fileName), os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = f.WriteAt(make([]byte, 100), 4096)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}
