package engine

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/internal/guest"
)

// self is what a guest says of itself in a sandbox that is as it should be, and
// outside the namespaces of its owner.
var (
	self = guest.Self{
		UID: 1000, GID: 1000, NoNewPrivs: true, Seccomp: 2, Refused: true, Namespaces: [7]uint64{11, 12, 13, 14, 15, 16, 17},
		Landlock: true, ReadOnlyRoot: true, LoopbackOnly: true, OpenFiles: 4,
		Processes: 16, DiskBytes: 1 << 20, DiskInodes: 70,
	}
	wanted  = driver.Limits{Processes: 16, DiskBytes: 1 << 20, DiskInodes: 64}
	outside = [7]uint64{1, 2, 3, 4, 5, 6, 7}
)

// notOK returns the names of the layers that are not in place, and checks that
// exactly these have a cure.
func notOK(t *testing.T, layers []driver.Layer) []string {
	t.Helper()
	var names []string
	for _, l := range layers {
		require.Equal(t, l.OK, l.Cure == "", "%s: a cure exactly when something is wrong", l.Name)
		require.NotEmpty(t, l.Detail, l.Name)
		if !l.OK {
			names = append(names, l.Name)
		}
	}
	return names
}

func TestIsolationWhole(t *testing.T) {
	layers := isolation(self, outside, wanted, nil)
	require.Empty(t, notOK(t, layers))
	var names []string
	for _, l := range layers {
		names = append(names, l.Name)
	}
	require.Equal(t, slices.DeleteFunc(slices.Clone(layerNames), func(name string) bool {
		return name == driver.MemoryLimit || name == driver.CPULimit // the runtime's to tell
	}), names)
	require.NoError(t, demand(names, layers))
	require.NoError(t, demand(defaultRequire, layers))
}

// TestIsolationFalsified: each single fact that is wrong shows in its layer and
// no other.
func TestIsolationFalsified(t *testing.T) {
	type change = func(*guest.Self)
	cases := []struct {
		name  string
		layer string
		wrong change
	}{
		{"no_new_privs", driver.NoNewPrivs, func(s *guest.Self) { s.NoNewPrivs = false }},
		{"no filter", driver.Seccomp, func(s *guest.Self) { s.Seccomp = 0 }},
		{"strict mode", driver.Seccomp, func(s *guest.Self) { s.Seccomp = 1 }},
		{"a filter that refuses nothing", driver.Seccomp, func(s *guest.Self) { s.Refused = false }},
		{"landlock", driver.Landlock, func(s *guest.Self) { s.Landlock = false }},
		{"root", driver.ReadOnlyRoot, func(s *guest.Self) { s.ReadOnlyRoot = false }},
		{"network", driver.Network, func(s *guest.Self) { s.LoopbackOnly = false }},
		{"one more descriptor", driver.Descriptors, func(s *guest.Self) { s.OpenFiles++ }},
		{"dumpable", driver.GuestHidden, func(s *guest.Self) { s.Dumpable = true }},
		{"one more process", driver.ProcessLimit, func(s *guest.Self) { s.Processes++ }},
		{"any number of processes", driver.ProcessLimit, func(s *guest.Self) { s.Processes = math.MaxUint64 }},
		{"processes unknown", driver.ProcessLimit, func(s *guest.Self) { s.Processes = 0 }},
		{"twice the disk", driver.DiskLimit, func(s *guest.Self) { s.DiskBytes *= 2 }},
		{"disk without a limit", driver.DiskLimit, func(s *guest.Self) { s.DiskBytes = 0 }},
		{"many files", driver.DiskLimit, func(s *guest.Self) { s.DiskInodes += 64 }},
		{"files without a limit", driver.DiskLimit, func(s *guest.Self) { s.DiskInodes = 0 }},
	}
	for i := range self.Capabilities {
		for _, bit := range []int{0, 21, 40, 63} {
			cases = append(cases, struct {
				name  string
				layer string
				wrong change
			}{"a capability", driver.Capabilities, func(s *guest.Self) { s.Capabilities[i] = 1 << bit }})
		}
	}
	for i, kind := range namespaceKinds {
		for _, inode := range []uint64{0, outside[i]} {
			cases = append(cases, struct {
				name  string
				layer string
				wrong change
			}{kind, driver.Namespaces, func(s *guest.Self) { s.Namespaces[i] = inode }})
		}
	}
	for _, c := range cases {
		s := self
		c.wrong(&s)
		layers := isolation(s, outside, wanted, nil)
		require.Equal(t, []string{c.layer}, notOK(t, layers), c.name)
		err := demand([]string{driver.MemoryLimit, c.layer, c.layer}, append(layers, driver.Layer{Name: driver.MemoryLimit, OK: true}))
		require.ErrorIs(t, err, apierr.IsolationUnavailable.Err(), c.name)
		require.Equal(t, []string{c.layer}, apierr.From(err).Missing)
		require.Contains(t, apierr.From(err).Message, c.layer)
		require.NotEmpty(t, apierr.From(err).Hint)
	}
}

// TestIsolationOfNothing: a guest that could find out nothing, or that says
// nothing, has nothing that is required.
func TestIsolationOfNothing(t *testing.T) {
	err := demand(defaultRequire, isolation(guest.Self{Capabilities: [5]uint64{1, 1, 1, 1, 1}}, outside, wanted, nil))
	require.Equal(t, defaultRequire, apierr.From(err).Missing)
}

// TestIsolationOfRuntime: of what both look at, both have to say that it is
// there; what only the runtime knows is as it says.
func TestIsolationOfRuntime(t *testing.T) {
	bad := driver.Layer{Name: driver.Landlock, Detail: "ABI 1", Cure: "a newer kernel"}
	memory := driver.Layer{Name: driver.MemoryLimit, OK: true, Detail: "1 byte"}
	layers := isolation(self, outside, wanted, []driver.Layer{bad, memory})
	require.Equal(t, []string{driver.Landlock}, notOK(t, layers))
	require.Contains(t, layers, bad)
	require.Contains(t, layers, memory)

	good := driver.Layer{Name: driver.Landlock, OK: true, Detail: "ABI 7"}
	s := self
	s.Landlock = false
	require.Equal(t, []string{driver.Landlock}, notOK(t, isolation(s, outside, wanted, []driver.Layer{good})))
	layers = isolation(self, outside, wanted, []driver.Layer{good})
	i := slices.IndexFunc(layers, func(l driver.Layer) bool { return l.Name == driver.Landlock })
	require.True(t, layers[i].OK)
	require.Contains(t, layers[i].Detail, "ABI 7")
}

// TestIsolationWithoutNamespaces: an owner on a system that has none has to
// take the runtime's word, and without it does without the layer.
func TestIsolationWithoutNamespaces(t *testing.T) {
	err := demand(defaultRequire, isolation(self, [7]uint64{}, wanted, nil))
	require.Equal(t, []string{driver.Namespaces}, apierr.From(err).Missing)
	word := driver.Layer{Name: driver.Namespaces, OK: true, Detail: "a machine of its own"}
	require.NoError(t, demand(defaultRequire, isolation(self, [7]uint64{}, wanted, []driver.Layer{word})))
}

func TestRequireIsChecked(t *testing.T) {
	for _, name := range layerNames {
		require.NoError(t, Config{Require: []string{name}}.checkRequire(), name)
	}
	for _, name := range []string{"", "Seccomp", "system call filter"} {
		_, err := Config{Require: []string{driver.Seccomp, name}}.withDefaults()
		require.ErrorIs(t, err, apierr.InvalidArgument.Err(), name)
	}
	cfg, err := Config{}.withDefaults()
	require.NoError(t, err)
	require.Equal(t, []string{driver.Namespaces, driver.Capabilities, driver.NoNewPrivs, driver.Seccomp}, cfg.Require)
	cfg, err = Config{Require: []string{}}.withDefaults()
	require.NoError(t, err)
	require.Empty(t, cfg.Require)
}
