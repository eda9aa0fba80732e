package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/internal/guest"
)

// defaultRequire are the layers without which no session is made.
var defaultRequire = []string{driver.Namespaces, driver.Capabilities, driver.NoNewPrivs, driver.Seccomp}

// layerNames are the layers that can be required.
var layerNames = []string{
	driver.Namespaces, driver.Capabilities, driver.NoNewPrivs, driver.Seccomp, driver.Landlock, driver.ReadOnlyRoot,
	driver.Network, driver.Descriptors, driver.GuestHidden, driver.MemoryLimit, driver.ProcessLimit, driver.CPULimit,
	driver.DiskLimit,
}

func (c Config) checkRequire() error {
	for _, name := range c.Require {
		if !slices.Contains(layerNames, name) {
			return invalid("require: %q is no layer; there are: %s", name, strings.Join(layerNames, ", "))
		}
	}
	return nil
}

// verify returns the layers around a sandbox whose guest has just said hello:
// what the guest has found from inside, and what the runtime vouches for. It
// returns an error of code [apierr.IsolationUnavailable] when one that is
// required is not in place.
func (e *Engine) verify(hello guest.Hello, b *box) ([]driver.Layer, error) {
	layers := isolation(hello.Self, ownNamespaces(), b.limits, b.sandbox.Layers())
	return layers, demand(e.cfg.Require, layers)
}

// demand returns an error that names the layers that are wanted and not in
// place.
func demand(names []string, layers []driver.Layer) error {
	var missing, causes, cures []string
	for _, name := range names {
		i := slices.IndexFunc(layers, func(l driver.Layer) bool { return l.Name == name })
		l := driver.Layer{Name: name, Detail: "the runtime does not have it", Cure: "use another runtime"}
		if i >= 0 {
			l = layers[i]
		}
		if l.OK || slices.Contains(missing, name) {
			continue
		}
		missing, causes = append(missing, name), append(causes, name+": "+l.Detail)
		if l.Cure != "" && !slices.Contains(cures, l.Cure) {
			cures = append(cures, l.Cure)
		}
	}
	if missing == nil {
		return nil
	}
	cures = append(cures, "or do not ask for it: see Config.Require and CreateParams.Limits")
	err := apierr.Errorf(apierr.IsolationUnavailable, "the sandbox is not isolated as required: %s", strings.Join(causes, "; ")).
		WithHint("%s", strings.Join(cures, "; "))
	err.Missing = missing
	return err
}

// lost returns an error when a layer that was in place is not any more.
func lost(before, after []driver.Layer) error {
	for _, l := range after {
		if !l.OK && slices.ContainsFunc(before, func(b driver.Layer) bool { return b.Name == l.Name && b.OK }) {
			return apierr.Errorf(apierr.IsolationUnavailable, "the sandbox has lost its %s: %s", l.Name, l.Detail)
		}
	}
	return nil
}

// finding is what the guest's look at itself says about one layer.
type finding struct {
	name      string
	ok        bool
	good, bad string // details
	cure      string
}

// findings goes through what the guest has seen. The owner's own namespaces
// are zero where the system has none: then the runtime's word has to do.
func findings(s guest.Self, own [7]uint64, limits driver.Limits) []finding {
	const (
		kernel  = "the kernel has to support it: use a distribution's kernel"
		another = "use a runtime that sets it up"
	)
	list := []finding{
		{driver.Capabilities, s.Capabilities == [5]uint64{}, fmt.Sprintf("none, as user %d", s.UID),
			fmt.Sprintf("effective %#x, bounding %#x", s.Capabilities[2], s.Capabilities[3]), another},
		{driver.NoNewPrivs, s.NoNewPrivs, "set", "not set", another},
		{driver.Seccomp, s.Seccomp == filterMode && s.Refused, "a filter refuses calls",
			fmt.Sprintf("mode %d, forbidden call refused: %t", s.Seccomp, s.Refused), kernel},
		{driver.Landlock, s.Landlock, "refuses what it should", "does not refuse what it should",
			"needs Linux 5.19 or newer with landlock among its security modules (lsm= on the kernel's command line)"},
		{driver.ReadOnlyRoot, s.ReadOnlyRoot, "refuses a write", "takes a write", another},
		{driver.Network, s.LoopbackOnly, "loopback alone", "another interface is up", another},
		{driver.Descriptors, s.OpenFiles <= guestFiles, "the guest's stream alone",
			fmt.Sprintf("%d where the guest has %d", s.OpenFiles, guestFiles), "let no initialiser of the program open files"},
		{driver.GuestHidden, !s.Dumpable, "not to be read or traced", "can be read and traced", another},
		{driver.ProcessLimit, keeps(s.Processes, int64(limits.Processes), 0), "no more from inside",
			fmt.Sprintf("from inside %d, of %d", s.Processes, limits.Processes), another},
		{driver.DiskLimit, keeps(s.DiskBytes, limits.DiskBytes, diskSlack) && keeps(s.DiskInodes, limits.DiskInodes, inodeSlack),
			"no more from inside", fmt.Sprintf("from inside %d bytes and %d files, of %d and %d",
				s.DiskBytes, s.DiskInodes, limits.DiskBytes, limits.DiskInodes), another},
	}
	if own == ([7]uint64{}) {
		return list
	}
	shared := sharedNamespaces(s.Namespaces, own)
	return slices.Insert(list, 0, finding{
		driver.Namespaces, shared == nil, strings.Join(namespaceKinds[:], ", "), "not its own: " + strings.Join(shared, ", "), another,
	})
}

const (
	filterMode = 2        // SECCOMP_MODE_FILTER
	guestFiles = 4        // standard descriptors and the stream
	diskSlack  = 64 << 10 // bytes: what is limited in pages, which have up to so many
	inodeSlack = 16       // directories that are not the session's
)

// keeps reports whether a limit that was found keeps one that is wanted. 0 was
// found where there is none.
func keeps(found uint64, wanted, slack int64) bool {
	return found != 0 && found <= uint64(wanted+slack)
}

// isolation joins what the guest has seen with what the runtime vouches for.
// Of a layer that both know, both have to say that it is in place.
func isolation(s guest.Self, own [7]uint64, limits driver.Limits, runtime []driver.Layer) []driver.Layer {
	layers := make([]driver.Layer, 0, len(layerNames))
	for _, f := range findings(s, own, limits) {
		l := driver.Layer{Name: f.name, OK: f.ok, Detail: f.good}
		if !f.ok {
			l.Detail, l.Cure = f.bad, f.cure
		}
		layers = append(layers, l)
	}
	for _, r := range runtime {
		i := slices.IndexFunc(layers, func(l driver.Layer) bool { return l.Name == r.Name })
		switch {
		case i < 0:
			layers = append(layers, r)
		case !r.OK:
			layers[i] = r
		case layers[i].OK && r.Detail != "":
			layers[i].Detail += "; " + r.Detail
		}
	}
	slices.SortStableFunc(layers, func(a, b driver.Layer) int {
		return slices.Index(layerNames, a.Name) - slices.Index(layerNames, b.Name)
	})
	return layers
}
