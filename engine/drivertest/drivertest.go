// Package drivertest checks that a runtime keeps the promises of package
// driver. Every runtime's tests call [Run]. It needs a shell and the usual
// small programs in the sandboxes.
package drivertest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/driver"
)

// Timeout bounds each single step of the suite.
const Timeout = 20 * time.Second

// Run runs the whole suite. newRuntime returns a new runtime each time, with
// no sandboxes; the suite closes it. Where the runtime cannot work, the suite
// is skipped with the reason.
func Run(t *testing.T, newRuntime func(*testing.T) driver.Runtime) {
	t.Helper()
	SkipUnavailable(t, newRuntime(t))
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.test(&suite{t, newRuntime}) })
	}
}

// Why the race detector, with which everything takes several times as long, sees
// nothing of a test: see [SkipRace].
const (
	OfKernel = "it is of what the kernel does"
	OfBytes  = "it moves many bytes, one after the other"
)

// SkipUnavailable skips the test when r cannot make sandboxes on this machine,
// and closes r.
func SkipUnavailable(t *testing.T, r driver.Runtime) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Timeout)
	defer cancel()
	report, err := r.Probe(ctx)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	if !report.Available {
		i := slices.IndexFunc(report.Layers, func(l driver.Layer) bool { return !l.OK })
		t.Skipf("%s: %s: %s (%s)", report.Runtime, report.Layers[i].Name, report.Layers[i].Detail, report.Layers[i].Cure)
	}
}

var cases = []struct {
	name string
	test func(*suite)
}{
	{"Probe", (*suite).probe},
	{"Hello", (*suite).hello},
	{"ExitCodes", (*suite).exitCodes},
	{"Environment", (*suite).environment},
	{"Descriptors", (*suite).descriptors},
	{"User", (*suite).user},
	{"HostFiles", (*suite).hostFiles},
	{"Network", (*suite).network},
	{"HostSockets", (*suite).hostSockets},
	{"Processes", (*suite).processes},
	{"HostName", (*suite).hostName},
	{"Writable", (*suite).writable},
	{"Apart", (*suite).apart},
	{"DiskLimit", (*suite).diskLimit},
	{"InodeLimit", (*suite).inodeLimit},
	{"FileLimit", (*suite).fileLimit},
	{"DataLimit", (*suite).dataLimit},
	{"OpenFilesLimit", (*suite).openFilesLimit},
	{"ProcessLimit", (*suite).processLimit},
	{"MemoryLimit", (*suite).memoryLimit},
	{"CPULimit", (*suite).cpuLimit},
	{"Usage", (*suite).usageGrows},
	{"Pause", (*suite).pauses},
	{"DestroyPaused", (*suite).destroyPaused},
	{"Destroy", (*suite).destroy},
	{"DestroyBusy", (*suite).destroyBusy},
	{"DestroyBomb", (*suite).destroyBomb},
	{"GuestGone", (*suite).guestGone},
	{"ConnClose", (*suite).connClose},
	{"Canceled", (*suite).canceled},
	{"Deadlines", (*suite).deadlines},
	{"Concurrent", (*suite).concurrent},
	{"Close", (*suite).close},
	{"Leaks", (*suite).leaks},
}

func (s *suite) probe() {
	t := s.t
	r := s.runtime()
	report, err := r.Probe(t.Context())
	require.NoError(t, err)
	require.Equal(t, r.Name(), report.Runtime)
	require.NotEmpty(t, report.Layers)
	for _, l := range report.Layers {
		require.NotEmpty(t, l.Name)
		require.Equal(t, l.OK, l.Cure == "", "layer %s: a cure exactly when something is wrong", l.Name)
	}
}

func (s *suite) hello() {
	t := s.t
	b := s.sandbox()
	require.NoError(t, b.Client.Err())
	conn := b.Sandbox.Conn()
	require.Same(t, conn, b.Sandbox.Conn(), "always the same stream")
}

func (s *suite) exitCodes() {
	t := s.t
	b := s.sandbox()
	for _, c := range []struct {
		script       string
		code, signal int
	}{
		{"true", 0, 0},
		{"exit 7", 7, 0},
		{"exit 255", 255, 0},
		{"kill -TERM $$", 143, 15},
		{"kill -KILL $$", 137, 9},
	} {
		exit := b.Run(t, c.script).Exit
		require.Equal(t, c.code, exit.Code, c.script)
		require.Equal(t, c.signal, exit.Signal, c.script)
	}
	got := b.Run(t, "echo out; echo err >&2")
	require.Equal(t, "out\n", got.Stdout)
	require.Equal(t, "err\n", got.Stderr)
}

func lines(s string) []string { return strings.Fields(s) }
