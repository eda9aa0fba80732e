package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/internal/store"
)

// diskEnv says in which way the disk of a child gets full.
const diskEnv = "STORE_TEST_DISK"

// A disk can be full, of which err tells, and not.
type disk struct {
	fill, free func() error
	err        error
}

// limited is a disk on which files may not grow.
func limited(dir string) (*disk, error) {
	signal.Ignore(syscall.SIGXFSZ)
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		return nil, err
	}
	return &disk{
		fill: func() error {
			info, err := os.Stat(filepath.Join(dir, fileName))
			if err != nil {
				return err
			}
			return unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: uint64(info.Size()), Max: before.Max})
		},
		free: func() error { return unix.Setrlimit(unix.RLIMIT_FSIZE, &before) },
		err:  syscall.EFBIG,
	}, nil
}

// noMounts is how a child ends that may not mount anything.
const noMounts = 77

// small is a disk with room for two million bytes.
func small(dir string) (*disk, error) {
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=2000k,mode=700"); err != nil {
		fmt.Fprintln(os.Stderr, "mount a tmpfs:", err)
		os.Exit(noMounts)
	}
	other := filepath.Join(dir, "other")
	return &disk{
		fill: func() error {
			err := os.WriteFile(other, make([]byte, 4<<20), 0o600)
			if !errors.Is(err, syscall.ENOSPC) {
				return fmt.Errorf("the disk is larger than it should be: %w", err)
			}
			return nil
		},
		free: func() error { return os.Remove(other) },
		err:  syscall.ENOSPC,
	}, nil
}

// fillDisk is a child that has a store on a disk that gets full.
func fillDisk(dir string) error {
	d, err := map[string]func(string) (*disk, error){"limited": limited, "small": small}[os.Getenv(diskEnv)](dir)
	if err != nil {
		return err
	}
	s, _, err := store.Open(dir, store.Options{})
	if err != nil {
		return err
	}
	var kept []string
	for round := range 3 {
		if err := d.fill(); err != nil {
			return err
		}
		err := error(nil)
		for i := 0; err == nil; i++ {
			id := fmt.Sprint(round, "-", i)
			if _, err = s.Put(store.Record{ID: id, State: store.Ended, Reason: strings.Repeat("x", 20_000)}); err == nil {
				kept = append(kept, id)
			}
		}
		if !errors.Is(err, d.err) || !errors.Is(err, apierr.ResourceExhausted.Err()) {
			return fmt.Errorf("round %d: not said that the disk is full: %w", round, err)
		}
		if _, err := s.Put(store.Record{ID: "big", Reason: strings.Repeat("x", 60_000)}); err == nil {
			return errors.New("the disk is full, and a record was put")
		}
		if err := requireKept(s, kept); err != nil {
			return err
		}
		if err := d.free(); err != nil {
			return err
		}
		if _, err := s.Put(store.Record{ID: fmt.Sprint(round), State: store.Ended}); err != nil {
			return fmt.Errorf("round %d: the disk is free: %w", round, err)
		}
		kept = append(kept, fmt.Sprint(round))
		for range len(kept) / 2 { // for the next round
			if err := s.Delete(kept[0]); err != nil {
				return err
			}
			kept = kept[1:]
		}
	}
	if err := s.Close(); err != nil {
		return err
	}
	s, report, err := store.Open(dir, store.Options{})
	if err != nil {
		return err
	}
	if report.Damage != nil {
		return fmt.Errorf("damage: %+v", report.Damage)
	}
	return errors.Join(requireKept(s, kept), s.Close())
}

// requireKept checks that a store has certain records and no others.
func requireKept(s *store.Store, kept []string) error {
	for _, id := range kept {
		if _, ok := s.Get(id); !ok {
			return fmt.Errorf("%s is lost", id)
		}
	}
	if live, ended := s.Count(); live+ended != len(kept) {
		return fmt.Errorf("there are %d records, %d were put", live+ended, len(kept))
	}
	return nil
}

func runFull(t *testing.T, kind string, set func(*exec.Cmd)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	cmd := child(ctx, "full", dir)
	cmd.Env = append(cmd.Env, diskEnv+"="+kind)
	set(cmd)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || errors.As(err, &exit) && exit.ExitCode() == noMounts {
		t.Skipf("this user may not have mounts of its own here: %v: %s", err, out)
	}
	require.NoError(t, err, string(out))
}

// TestFileLimit: a file that may not grow costs the write, no more.
func TestFileLimit(t *testing.T) {
	runFull(t, "limited", func(*exec.Cmd) {})
}

// TestDiskFull: the same with a disk that is full.
func TestDiskFull(t *testing.T) {
	runFull(t, "small", func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
		}
	})
}
