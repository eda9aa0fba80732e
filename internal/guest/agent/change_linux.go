package agent

import (
	"context"
	"errors"
	"path"
	"sort"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

// look is what is remembered of a file: if any of it changes, so did the file.
type look struct {
	ino           uint64
	size          int64
	written, meta unix.Timespec // its content, and all else
	mode          uint32
}

func (l look) dir() bool { return l.mode&unix.S_IFMT == unix.S_IFDIR }

// modified reports whether there is something new about a file. A directory's
// times change with what is in it, which is reported itself.
func (l look) modified(now look) bool {
	if l.dir() && now.dir() {
		return l.mode != now.mode
	}
	return l != now
}

// watch is the last look at a directory.
type watch struct {
	files map[string]look // by path below it
	used  uint64          // when it was asked for
}

// watches are the directories that are watched, at most guest.WatchLimit of
// them with guest.ChangeLimit files in all.
type watches struct {
	mu    sync.Mutex
	byDir map[string]*watch
	clock uint64
}

// exchange remembers files for dir and returns what was known before; nil if
// nothing was. Those asked for the longest ago are forgotten if need be.
func (w *watches) exchange(dir string, files map[string]look) map[string]look {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byDir == nil {
		w.byDir = make(map[string]*watch)
	}
	var before map[string]look
	if old := w.byDir[dir]; old != nil {
		before = old.files
	}
	w.clock++
	w.byDir[dir] = &watch{files: files, used: w.clock}
	for len(w.byDir) > guest.WatchLimit || w.total() > guest.ChangeLimit {
		w.forgetOldest()
	}
	return before
}

func (w *watches) total() int {
	n := 0
	for _, one := range w.byDir {
		n += len(one.files)
	}
	return n
}

func (w *watches) forgetOldest() {
	oldest := ""
	for dir, one := range w.byDir {
		if oldest == "" || one.used < w.byDir[oldest].used {
			oldest = dir
		}
	}
	delete(w.byDir, oldest)
}

// Changes implements guest.Handler.
func (a *agent) Changes(ctx context.Context, dir string) ([]guest.Change, error) {
	if err := a.walk(ctx); err != nil {
		return nil, err
	}
	defer a.walked()
	fd, root, err := a.openTree(dir)
	if err != nil {
		return nil, err
	}
	defer closeFD(fd)
	files := make(map[string]look)
	w := &walker{ctx: ctx, deadline: time.Now().Add(walkTime)}
	w.visit = func(rel, _ string, st *unix.Stat_t) (bool, error) {
		if len(files) == guest.ChangeLimit {
			return false, fail(guest.TooLarge, unix.EOVERFLOW, dir+": too many files to watch")
		}
		files[rel] = look{ino: st.Ino, size: st.Size, written: st.Mtim, meta: st.Ctim, mode: st.Mode}
		return true, nil
	}
	err = w.walk(fd, "", depthLimit)
	if errors.Is(err, errTime) || err == nil && w.deep {
		err = fail(guest.TooLarge, unix.EOVERFLOW, dir+": too much to watch")
	}
	if err != nil {
		return nil, failure(dir, err)
	}
	before := a.watches.exchange(root, files)
	if before == nil {
		return nil, nil
	}
	return compare(root, before, files), nil
}

// compare returns how now differs from before, by path.
func compare(root string, before, now map[string]look) []guest.Change {
	var changes []guest.Change
	add := func(kind guest.ChangeKind, rel string, l look) {
		if full := path.Join(root, rel); len(full) <= guest.PathLimit {
			changes = append(changes, guest.Change{Kind: kind, Path: full, Dir: l.dir()})
		}
	}
	for rel, l := range now {
		old, known := before[rel]
		switch {
		case !known:
			add(guest.Created, rel, l)
		case old.dir() != l.dir():
			add(guest.Deleted, rel, old)
			add(guest.Created, rel, l)
		case old.modified(l):
			add(guest.Modified, rel, l)
		}
	}
	for rel, old := range before {
		if _, there := now[rel]; !there {
			add(guest.Deleted, rel, old)
		}
	}
	sort.SliceStable(changes, func(i, j int) bool { return changes[i].Path < changes[j].Path })
	return changes
}
