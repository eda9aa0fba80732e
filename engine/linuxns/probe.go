//go:build linux && (amd64 || arm64)

package linuxns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/linuxns/internal/cgroup"
	"github.com/agb-go/sdk/engine/linuxns/internal/control"
	"github.com/agb-go/sdk/engine/linuxns/internal/layers"
	"github.com/agb-go/sdk/engine/linuxns/internal/tape"
)

// The oldest kernel that has every call of a tape (mount_setattr is the
// youngest).
const (
	minMajor = 5
	minMinor = 12
)

// namespaceLayers are tried one by one, each together with a user namespace.
var namespaceLayers = []struct {
	name string
	flag uint64
}{
	{"user namespace", 0},
	{"mount namespace", unix.CLONE_NEWNS},
	{"pid namespace", unix.CLONE_NEWPID},
	{"network namespace", unix.CLONE_NEWNET},
	{"ipc namespace", unix.CLONE_NEWIPC},
	{"uts namespace", unix.CLONE_NEWUTS},
	{"cgroup namespace", unix.CLONE_NEWCGROUP},
}

// trialLimits are those of the trial sandbox.
var trialLimits = driver.Limits{
	Processes: 16, OpenFiles: 64, FileBytes: 1 << 20, DataBytes: 1 << 30, DiskBytes: 1 << 20, DiskInodes: 64,
	MemoryBytes: 32 << 20, MilliCPU: 1000,
}

// Probe implements [driver.Runtime]. It starts a launcher, tries every kind of
// namespace, and then makes one whole sandbox and destroys it. The limits that
// sandboxes would have, and Landlock, do not decide whether sandboxes can be
// made.
func (r *Runtime) Probe(ctx context.Context) (*driver.Report, error) {
	p := &probe{runtime: r}
	if err := p.run(ctx); err != nil {
		e := explain(err)
		e.Message = "linuxns: probe: " + e.Message
		return nil, e
	}
	available := !slices.ContainsFunc(p.layers, func(l driver.Layer) bool { return !l.OK })
	return &driver.Report{Runtime: name, Available: available, Layers: slices.Concat(p.layers, p.limits)}, nil
}

type probe struct {
	runtime *Runtime
	layers  []driver.Layer
	limits  []driver.Layer // of the trial sandbox; sandboxes can be made without
}

// run fills in layers. It returns an error only when it could not find out.
func (p *probe) run(ctx context.Context) error {
	p.layers = append(p.layers, kernelLayer())
	_, err := p.runtime.launcher()
	var start *startError
	switch {
	case err == nil:
		p.ok(layerCopy, "in memory, nobody can change it")
		p.ok(layerLauncher, "started")
	case errors.As(err, &start):
		p.failed(start.layer, start.err.Error(), cureStart(start))
		return nil
	default:
		return err
	}
	for _, n := range namespaceLayers {
		_, err := p.runtime.create(ctx, control.Request{Op: control.Trial, Namespaces: unix.CLONE_NEWUSER | n.flag}, "")
		if err := p.add(n.name, "can be made", err); err != nil {
			return err
		}
	}
	s, err := p.runtime.create(ctx, control.Request{Op: control.Start, Hostname: "probe", Limits: trialLimits}, "")
	if err != nil {
		return p.trialFailed(err)
	}
	for _, layer := range layers.Order[1:] {
		if layer != layers.Landlock { // sandboxes can be made without
			p.ok(layer, detail(layer))
		}
	}
	p.limits = s.Layers()
	if i := slices.IndexFunc(p.layers, func(l driver.Layer) bool { return l.Name == layers.Groups }); i >= 0 {
		p.layers[i].Detail = groupsDetail(s.launcher.places())
	}
	return s.Destroy(ctx)
}

// trialFailed sorts out which layers of the trial sandbox were set up.
func (p *probe) trialFailed(err error) error {
	var f *tape.Failure
	if !errors.As(err, &f) || exhausted(err) {
		return err
	}
	for i, layer := range layers.Order {
		switch at := slices.Index(layers.Order, f.Layer); {
		case i < at && i > 0:
			p.ok(layer, detail(layer))
		case i == at:
			p.failed(layer, f.Step+": "+f.Errno.Error(), cure(f.Layer, f.Step, f.Errno))
		case i > at:
			p.failed(layer, "not tried", "see "+f.Layer)
		}
	}
	return nil
}

func (p *probe) add(layer, found string, err error) error {
	var f *tape.Failure
	switch {
	case err == nil:
		p.ok(layer, found)
	case errors.As(err, &f) && !exhausted(err):
		p.failed(layer, f.Step+": "+f.Errno.Error(), cure(f.Layer, f.Step, f.Errno))
	default:
		return err
	}
	return nil
}

func (p *probe) ok(layer, detail string) {
	p.layers = append(p.layers, driver.Layer{Name: layer, OK: true, Detail: detail})
}

func (p *probe) failed(layer, detail, cure string) {
	p.layers = append(p.layers, driver.Layer{Name: layer, Detail: detail, Cure: cure})
}

// detail says what is special about a layer on this machine.
func detail(layer string) string {
	switch layer {
	case layers.Identity:
	case layers.Landlock:
		return landlock().Detail
	default:
		return "set up in a trial sandbox"
	}
	if ids := layers.FindIDs(); ids.Range {
		return fmt.Sprintf("%d ids for each, out of %d to %d", layers.RangeSize, ids.First, ids.End-1)
	}
	return fmt.Sprintf("one id, %d", os.Geteuid())
}

func kernelLayer() driver.Layer {
	release := kernelRelease()
	var major, minor int
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err == nil &&
		(major < minMajor || major == minMajor && minor < minMinor) {
		return driver.Layer{
			Name: layerKernel, Detail: "Linux " + release,
			Cure: fmt.Sprintf("needs Linux %d.%d or newer, %s", minMajor, minMinor, instead),
		}
	}
	return driver.Layer{Name: layerKernel, OK: true, Detail: "Linux " + release}
}

func kernelRelease() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Release[:])
}

// groupsDetail says where sandboxes have their control groups.
func groupsDetail(p cgroup.Places) string {
	if len(p.List) == 0 {
		return "none"
	}
	var parts []string
	for _, place := range p.List {
		parts = append(parts, fmt.Sprintf("version %d for %s in %s", place.Version, strings.Join(place.Controls, ", "), place.Dir))
	}
	return strings.Join(parts, "; ")
}
