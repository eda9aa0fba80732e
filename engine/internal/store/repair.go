package store

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/agb-go/sdk/engine/internal/failpoint"
)

// Damaged files are named asidePrefix and the time, in UTC, such that the names
// sort by it.
const (
	asidePrefix = fileName + ".corrupt-"
	asideTime   = "20060102T150405.000000000Z"
	maxAside    = 4 // of them are kept
)

// repair puts the damaged file aside and a new one in its place, with all that
// can be read of it. base is the newest state in it whose pages are whole, nil
// if there is none.
func (f *file) repair(base *contents, fault error) (*contents, *Damage, error) {
	var saved *contents
	var lost int
	err := f.read(fileName, func(src *os.File) (err error) {
		saved, lost, err = rescue(src, base)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if err := build(f.dir, saved); err != nil {
		return nil, nil, err
	}
	aside := asidePrefix + time.Now().UTC().Format(asideTime)
	if err := f.dir.Rename(fileName, aside); err != nil {
		return nil, nil, err
	}
	// The name in between has to be on disk before the next one.
	err = errors.Join(syncDir(f.dir), failpoint.At(failpoint.StoreAside))
	if err == nil {
		err = f.place()
	}
	if err == nil {
		err = f.forgetAside()
	}
	return saved, &Damage{Found: fault.Error(), File: aside, Saved: len(saved.entries), Lost: lost, Complete: base != nil && base.latest}, err
}

// forgetAside removes the oldest of the files that were put aside.
func (f *file) forgetAside() error {
	names, err := readNames(f.dir)
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(n, asidePrefix) })
	slices.Sort(names)
	for len(names) > maxAside {
		if err := f.dir.Remove(names[0]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		names = names[1:]
	}
	return nil
}

// maxNames is how many names of the directory are looked at.
const maxNames = 1000

func readNames(dir *os.Root) ([]string, error) {
	d, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer func() { _ = d.Close() }() // it was only read
	names, err := d.Readdirnames(maxNames)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return names, err
}
