//go:build agbmutation && linux && (amd64 || arm64)

package hostile

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/linuxns"
)

// killers are the cases that have to fail when a part of the isolation is left
// out: for each part, at least one of them.
var killers = map[string][]string{
	driver.Seccomp:      {"N09", "N10", "N13", "N16"},
	driver.Landlock:     {"N23"},
	"network namespace": {"W01", "W04", "W05"},
	"pid namespace":     {"N02", "N05"},
	driver.ProcessLimit: {"X02"},
	driver.MemoryLimit:  {"X03"},
	driver.CPULimit:     {"X18"},
	driver.DiskLimit:    {"X06", "X07"},
	driver.Capabilities: {"N01"},
	driver.NoNewPrivs:   {"N01"},
	"private /dev":      {"N06", "F21"},
	driver.Descriptors:  {"N11"},
	driver.ReadOnlyRoot: {"F23"},
	driver.GuestHidden:  {"N05"},
}

// layerOf returns the layer that a part of the isolation belongs to.
func layerOf(part string) string {
	switch part {
	case "network namespace", "pid namespace":
		return driver.Namespaces
	case "private /dev":
		return driver.ReadOnlyRoot
	default:
		return part
	}
}

// TestMutation leaves out one part of the isolation after the other. The suite
// is worth something only when it notices: by harm that the same attack does not
// do where nothing is left out, and not by an attack that breaks off.
func TestMutation(t *testing.T) {
	all := slices.Concat(attackTables...)
	for part, ids := range killers {
		t.Run(part, func(t *testing.T) {
			t.Cleanup(func() { tally.count(t) })
			sound := startLab(t, engine.Config{Limits: tight})
			t.Cleanup(func() { require.NoError(t, sound.engine.Close()) })
			skipWithout(t, sound, []string{layerOf(part)})
			var attacks []attack
			for _, id := range ids {
				i := slices.IndexFunc(all, func(a attack) bool { return a.id == id })
				require.GreaterOrEqual(t, i, 0, id)
				a := all[i]
				a.vectors = []vector{first}
				if out, won := a.winsBare(t); !won {
					if len(ids) == 1 {
						skipUncontrolled(t, id, out)
					}
					continue
				}
				harm, unended := a.harmIn(t, sound)
				require.Empty(t, slices.Concat(harm, unended), id)
				attacks = append(attacks, a)
			}
			linuxns.Without(part)
			t.Cleanup(func() { linuxns.Without("") })
			l := startLab(t, engine.Config{Limits: tight, Require: []string{}})
			t.Cleanup(func() { require.NoError(t, l.engine.Close()) })
			red := 0
			for _, a := range attacks {
				harm, unended := a.harmIn(t, l)
				t.Logf("%s: %d harms: %.300q; %.300q", a.id, len(harm), harm, unended)
				if len(harm) > 0 {
					red++
				}
			}
			if red == 0 && len(attacks) == 1 { // or has the machine become busy?
				if out, won := attacks[0].winsBare(t); !won {
					skipUncontrolled(t, attacks[0].id, out)
				}
			}
			require.Positive(t, red, "without %s, none of %v goes red", part, ids)
		})
	}
}
