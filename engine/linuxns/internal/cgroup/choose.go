//go:build linux

package cgroup

import (
	"cmp"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Choose finds out which places work, by calling try with each place by
// itself: try has to make a group there, enter it, and remove it again.
func (l Layout) Choose(try func(Place) error) Places {
	p := Places{Missing: map[string]string{}}
	for c, why := range l.none {
		p.Missing[c] = why
	}
	p.chooseV2(l, try)
	for _, place := range l.v1 {
		place.Controls = slices.DeleteFunc(slices.Clone(place.Controls), func(c string) bool {
			return p.Has(c) || p.Has(Core) && (c == CPUAcct || c == Freezer)
		})
		if len(place.Controls) > 0 {
			p.attempt(place, try)
		}
	}
	for _, c := range []string{Memory, PIDs, CPU} {
		if !p.Has(c) && p.Missing[c] == "" {
			p.Missing[c] = "no group that this program may use has this control"
		}
	}
	return p
}

// attempt adds a place if it works.
func (p *Places) attempt(place Place, try func(Place) error) bool {
	err := try(place)
	if err == nil {
		p.List = append(p.List, place)
		for _, c := range place.Controls {
			delete(p.Missing, c)
		}
		return true
	}
	for _, c := range place.Controls {
		if p.Missing[c] == "" {
			p.Missing[c] = err.Error()
		}
	}
	return false
}

// chooseV2 takes the nearest of the groups that have most of our controls.
func (p *Places) chooseV2(l Layout, try func(Place) error) {
	candidates := l.candidates()
	for _, c := range candidates {
		// The kernel looks at both directories when a process enters a group.
		if unix.Access(c.Dir, unix.W_OK|unix.X_OK) != nil || unix.Access(c.Dir+"/cgroup.procs", unix.W_OK) != nil {
			for _, control := range c.Controls {
				p.Missing[control] = "this program may not make groups in " + c.Dir
			}
			continue
		}
		if p.attempt(c, try) {
			return
		}
	}
}

// candidates returns the places of version 2 in the order in which they are to
// be tried.
func (l Layout) candidates() []Place {
	var list []Place
	for _, dir := range l.v2 {
		l.handOn(dir)
		place := Place{Dir: dir, Version: 2, Controls: []string{Core}}
		enabled := words(dir + "/cgroup.subtree_control")
		for _, c := range []string{Memory, PIDs, CPU} {
			if slices.Contains(enabled, c) {
				place.Controls = append(place.Controls, c)
			}
		}
		list = append(list, place)
	}
	slices.SortStableFunc(list, func(a, b Place) int { return cmp.Compare(b.worth(), a.worth()) })
	return list
}

// worth orders places: a limit of memory is worth more than the other two.
func (p Place) worth() int {
	n := len(p.Controls)
	if p.has(Memory) {
		n += 3
	}
	return n
}

// handOn has a group hand on those of our controls that it has: only a group
// that nobody else uses, and that has no processes or is the root. What is not
// permitted fails, and then another group may do.
func (l Layout) handOn(dir string) {
	if dir != l.top {
		if procs, err := os.ReadFile(dir + "/cgroup.procs"); err != nil || len(procs) > 0 {
			return
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		return e.IsDir() && !strings.HasPrefix(e.Name(), prefix) && !slices.Contains(l.v2, dir+"/"+e.Name())
	}) {
		return
	}
	enabled := words(dir + "/cgroup.subtree_control")
	for _, c := range words(dir + "/cgroup.controllers") {
		if (c == Memory || c == PIDs || c == CPU) && !slices.Contains(enabled, c) {
			_ = write(dir+"/cgroup.subtree_control", "+"+c)
		}
	}
}

// words returns the words of a file, none when it cannot be read.
func words(path string) []string {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return strings.Fields(string(text))
}
