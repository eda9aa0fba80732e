package failpoint_test

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/internal/failpoint"
	"github.com/agb-go/sdk/engine/internal/failpoint/failtest"
)

const childEnv = "FAILPOINT_TEST_CHILD"

// TestMain also is a child that passes a point three times and tells what each
// pass returned.
func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	if err := failtest.FromEnv(); err != nil {
		os.Exit(3)
	}
	for range 3 {
		text := "passed "
		if errors.Is(failpoint.At(failpoint.StoreBegun), failtest.ErrInjected) {
			text = "failed "
		}
		_, _ = os.Stdout.WriteString(text)
	}
}

func TestArm(t *testing.T) {
	require.NoError(t, failpoint.At(failpoint.StoreBegun))
	mine := errors.New("mine")
	disarm := failpoint.Arm(failpoint.StoreBegun, func() error { return mine })
	other := failpoint.Arm(failpoint.StoreWritten, func() error { return nil })
	require.Equal(t, mine, failpoint.At(failpoint.StoreBegun))
	require.NoError(t, failpoint.At(failpoint.StoreWritten))
	require.NoError(t, failpoint.At(failpoint.StoreCommitted))
	require.Panics(t, func() { failpoint.Arm(failpoint.StoreBegun, func() error { return nil }) })
	require.Panics(t, func() { failpoint.Arm("store.nowhere", func() error { return nil }) })
	disarm()
	disarm()
	other()
	require.NoError(t, failpoint.At(failpoint.StoreBegun))
}

// TestArmTogether: arming one point is none of the others' business.
func TestArmTogether(t *testing.T) {
	var wg sync.WaitGroup
	for _, p := range failpoint.Points("store.") {
		wg.Go(func() {
			for range 200 {
				mine := errors.New(string(p))
				disarm := failpoint.Arm(p, func() error { return mine })
				if err := failpoint.At(p); !errors.Is(err, mine) {
					t.Errorf("%s: %v", p, err)
				}
				disarm()
				if err := failpoint.At(p); err != nil {
					t.Errorf("%s: %v", p, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestPoints(t *testing.T) {
	all := failpoint.Points("")
	require.Contains(t, all, failpoint.StoreOrphans)
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(all))), len(all), "a point is there twice")
	for _, p := range all {
		area, step, ok := strings.Cut(string(p), ".")
		require.True(t, ok && area != "" && step != "", p)
	}
	require.Empty(t, failpoint.Points("nothing."))
	for _, p := range failpoint.Points("store.") {
		require.True(t, strings.HasPrefix(string(p), "store."))
	}
}

func TestChild(t *testing.T) {
	for _, row := range []struct {
		env, out, end string
	}{
		{failtest.Env + "=", "passed passed passed ", "exit status 0"},
		{failtest.Setting(failpoint.StoreBegun, failtest.Fail, 2), "passed failed passed ", "exit status 0"},
		{failtest.Setting(failpoint.StoreBegun, failtest.Kill, 3), "passed passed ", "signal: killed"},
		{failtest.Setting(failpoint.StoreWritten, failtest.Kill, 1), "passed passed passed ", "exit status 0"},
		{failtest.Env + "=x", "", "exit status 3"},
		{failtest.Setting(failpoint.StoreBegun, "explode", 1), "", "exit status 3"},
	} {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"=1", row.env)
		out, err := cmd.Output()
		var exit *exec.ExitError
		if err != nil {
			require.ErrorAs(t, err, &exit)
		}
		require.Equal(t, row.out, string(out), row.env)
		require.Equal(t, row.end, cmd.ProcessState.String(), row.env)
	}
}

func BenchmarkAt(b *testing.B) {
	for b.Loop() {
		_ = failpoint.At(failpoint.StoreBegun)
	}
}
