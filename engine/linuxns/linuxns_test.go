//go:build linux && (amd64 || arm64)

package linuxns_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/engine/linuxns"
)

func TestMain(m *testing.M) {
	if as := os.Getenv(ownerEnv); as != "" {
		owners[as]()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func newRuntime(t *testing.T) driver.Runtime {
	t.Helper()
	r, err := linuxns.New(linuxns.Config{})
	require.NoError(t, err)
	return r
}

// usable returns a runtime that is closed with the test, or skips the test.
func usable(t *testing.T) driver.Runtime {
	t.Helper()
	drivertest.SkipUnavailable(t, newRuntime(t))
	r := newRuntime(t)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

func TestDriver(t *testing.T) { drivertest.Run(t, newRuntime) }

func TestProbeNamesLayers(t *testing.T) {
	r := newRuntime(t)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	report, err := r.Probe(t.Context())
	require.NoError(t, err)
	var names []string
	for _, l := range report.Layers {
		names = append(names, l.Name)
	}
	require.Subset(t, names, []string{"kernel", "user namespace", "pid namespace", "control groups", "landlock"})
}

func TestCreateAfterClose(t *testing.T) {
	r := newRuntime(t)
	require.NoError(t, r.Close())
	_, err := r.Create(t.Context(), drivertest.Spec)
	require.ErrorIs(t, err, apierr.Unavailable.Err())
	_, err = r.Probe(t.Context())
	require.ErrorIs(t, err, apierr.Unavailable.Err())
}

func TestCreateErrorNamesSession(t *testing.T) {
	r := usable(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.Create(ctx, drivertest.Spec)
	var e *apierr.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, apierr.Canceled, e.Code)
	require.Equal(t, drivertest.Spec.ID, e.SessionID)
}

func TestInvalidSpecs(t *testing.T) {
	r := newRuntime(t)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink("/", link))
	for _, root := range []string{"relative", "/", "/.", "/usr/..", link, file, "/does/not/exist"} {
		spec := drivertest.Spec
		spec.Root = root
		_, err := r.Create(t.Context(), spec)
		require.ErrorIs(t, err, apierr.InvalidArgument.Err(), root)
	}
	spec := drivertest.Spec
	spec.Root = "/does/not/exist"
	_, err := r.Create(t.Context(), spec)
	require.ErrorIs(t, err, fs.ErrNotExist)
	for _, hostname := range []string{"", strings.Repeat("h", 65)} {
		spec := drivertest.Spec
		spec.Hostname = hostname
		_, err := r.Create(t.Context(), spec)
		require.ErrorIs(t, err, apierr.InvalidArgument.Err(), hostname)
	}
	spec = drivertest.Spec
	spec.Root = "/" + strings.Repeat("r", 4095)
	_, err = r.Create(t.Context(), spec)
	require.ErrorIs(t, err, apierr.InvalidArgument.Err())
}

func TestBurst(t *testing.T) {
	const n = 100
	r := usable(t)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			spec := drivertest.Spec
			spec.ID = "burst-" + strconv.Itoa(i)
			sb, err := r.Create(t.Context(), spec)
			if err == nil {
				err = sb.Destroy(t.Context())
			}
			errs[i] = err
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
}
