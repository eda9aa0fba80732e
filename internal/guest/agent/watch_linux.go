package agent

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

const (
	// watchingLimit is how many directory trees are watched at once.
	watchingLimit = 16
	// watchedLimit is how many directories are watched in all of them.
	watchedLimit = 8192
	// pendingLimit is how many events wait to be told.
	pendingLimit = 4 * guest.EventsLimit
	// gatherTime is how long events are gathered before they are told.
	gatherTime = 10 * time.Millisecond
)

// goneTime is how often it is looked whether the tree is still there.
const goneTime = time.Second

// watchMask is what is asked of inotify(7) for each directory.
const watchMask = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MODIFY | unix.IN_CLOSE_WRITE | unix.IN_ATTRIB |
	unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR | unix.IN_EXCL_UNLINK

// Watch implements guest.Handler.
func (a *agent) Watch(ctx context.Context, dir string, ready func() error, events func([]guest.Event) error) error {
	select {
	case a.watching <- struct{}{}:
		defer func() { <-a.watching }()
	default:
		return fail(guest.TooLarge, unix.EMFILE, dir+": too many watches")
	}
	fd, root, err := a.openTree(dir)
	if err != nil {
		return err
	}
	defer closeFD(fd)
	in, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return failure(dir, err)
	}
	t := &treeWatch{
		ctx: ctx, agent: a, root: root, dir: fd, in: in, file: os.NewFile(uintptr(in), "inotify"), byWD: map[int]string{},
	}
	defer t.close()
	stop := context.AfterFunc(ctx, func() { _ = t.file.SetDeadline(time.Unix(1, 0)) }) // and then reading fails
	defer stop()
	if err := t.add("", nil); err != nil {
		return failure(dir, err)
	}
	if err := ready(); err != nil {
		return err
	}
	return failure(dir, t.run(events))
}

// treeWatch watches one tree. What it tells is gathered in pending.
type treeWatch struct {
	ctx   context.Context
	agent *agent
	root  string // path of the tree
	dir   int    // its descriptor
	in    int    // descriptor of inotify
	file  *os.File
	byWD  map[int]string // paths of watched directories below root, by watch descriptor

	pending []guest.Event
	moved   map[uint32]departure // by cookie
	over    bool                 // the tree is gone
}

// departure is what was moved away, until it is known where to.
type departure struct {
	index int // in pending
	rel   string
	dir   bool
}

func (t *treeWatch) close() {
	_ = t.file.Close() // there is nothing that it could have to tell
	t.agent.watched.Add(-int64(len(t.byWD)))
}

// add watches a directory and all below it. What it finds it gives to found, if
// that is not nil: since it looks after it watches, nothing is missed.
func (t *treeWatch) add(rel string, found func(rel string, dir bool)) error {
	if strings.Count(rel, "/") >= depthLimit {
		return fail(guest.TooLarge, unix.ENAMETOOLONG, rel+": too deep to be watched")
	}
	fd, err := t.open(rel)
	if err != nil {
		return nil // it vanished, or is none of the user's business
	}
	defer closeFD(fd)
	wd, err := unix.InotifyAddWatch(t.in, ownPath(fd), watchMask)
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return fail(guest.TooLarge, unix.ENOSPC, "too many directories to watch")
	case errors.Is(err, syscall.EACCES):
		return nil // as above
	case err != nil:
		return err
	}
	if _, known := t.byWD[wd]; !known && t.agent.watched.Add(1) > watchedLimit {
		t.agent.watched.Add(-1)
		return fail(guest.TooLarge, unix.ENOSPC, "too many directories to watch")
	}
	t.byWD[wd] = rel
	return eachName(fd, func(name string) error {
		var st unix.Stat_t
		if unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
			return nil //nolint:nilerr // as above
		}
		below, isDir := path.Join(rel, name), st.Mode&unix.S_IFMT == unix.S_IFDIR
		if found != nil {
			found(below, isDir)
		}
		if isDir {
			return t.add(below, found)
		}
		return t.ctx.Err()
	})
}

// open opens a directory of the tree for reading, following no links.
func (t *treeWatch) open(rel string) (int, error) {
	how := unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC | unix.O_NONBLOCK,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	if rel == "" {
		rel = "."
	}
	return retry(func() (int, error) { return unix.Openat2(t.dir, rel, &how) })
}

// run tells events until the context ends or the tree is gone.
func (t *treeWatch) run(send func([]guest.Event) error) error {
	buf := make([]byte, 32<<10)
	for {
		if err := t.gather(buf); err != nil {
			return err
		}
		t.settle()
		list := t.pending
		t.pending = nil
		for len(list) > 0 {
			n := min(len(list), guest.EventsLimit)
			if err := send(list[:n]); err != nil {
				return err
			}
			list = list[n:]
		}
		if t.over {
			return fail(guest.NotExist, unix.ENOENT, "directory was removed or moved while it was watched")
		}
	}
}

// gather waits for an event, and then for those that follow closely. One buffer
// of the kernel's events makes more only where directories are new.
func (t *treeWatch) gather(buf []byte) error {
	for len(t.pending) < guest.EventsLimit && !t.over {
		if len(t.pending) == 0 {
			t.until(time.Now().Add(goneTime))
		}
		n, err := t.file.Read(buf)
		if err := t.ctx.Err(); err != nil {
			return err
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if len(t.pending) > 0 {
				break
			}
			t.over = t.gone()
			continue
		}
		if err != nil {
			return err
		}
		if err := t.take(buf[:n]); err != nil {
			return err
		}
		if len(t.pending) > 0 {
			t.until(time.Now().Add(gatherTime))
		}
	}
	return t.ctx.Err()
}

// gone reports whether the tree was removed. The kernel does not tell as long as
// it is open.
func (t *treeWatch) gone() bool {
	var st unix.Stat_t
	return unix.Fstat(t.dir, &st) != nil || st.Nlink == 0
}

// until sets how long to wait, unless the context has ended.
func (t *treeWatch) until(at time.Time) {
	_ = t.file.SetReadDeadline(at)
	if t.ctx.Err() != nil {
		_ = t.file.SetReadDeadline(time.Unix(1, 0))
	}
}

// take takes in the kernel's events.
func (t *treeWatch) take(b []byte) error {
	for len(b) >= unix.SizeofInotifyEvent {
		wd := int(int32(binary.NativeEndian.Uint32(b)))
		mask, cookie, size := binary.NativeEndian.Uint32(b[4:]), binary.NativeEndian.Uint32(b[8:]), int(binary.NativeEndian.Uint32(b[12:]))
		name := strings.TrimRight(string(b[unix.SizeofInotifyEvent:][:size]), "\x00")
		b = b[unix.SizeofInotifyEvent+size:]
		if err := t.one(wd, mask, cookie, name); err != nil {
			return err
		}
	}
	return nil
}

func (t *treeWatch) one(wd int, mask, cookie uint32, name string) error {
	if mask&unix.IN_Q_OVERFLOW != 0 {
		t.append(guest.EventOverflow, "", true)
		return t.add("", nil) // of directories that are new
	}
	at, known := t.byWD[wd]
	if !known {
		return nil // of what has moved away
	}
	if mask&unix.IN_IGNORED != 0 {
		t.forget(wd)
		return nil
	}
	if name == "" {
		t.over = t.over || at == "" && mask&(unix.IN_DELETE_SELF|unix.IN_MOVE_SELF|unix.IN_UNMOUNT) != 0
		return nil // its parent tells of all else
	}
	rel, dir := path.Join(at, name), mask&unix.IN_ISDIR != 0
	switch {
	case mask&unix.IN_CREATE != 0:
		return t.created(rel, dir)
	case mask&unix.IN_MOVED_TO != 0:
		return t.movedTo(rel, dir, cookie)
	case mask&unix.IN_MOVED_FROM != 0:
		if t.moved == nil {
			t.moved = map[uint32]departure{}
		}
		t.append(guest.EventRemove, rel, dir)
		t.moved[cookie] = departure{len(t.pending) - 1, rel, dir}
	case mask&unix.IN_DELETE != 0:
		t.tell(guest.EventRemove, rel, dir)
	case mask&(unix.IN_MODIFY|unix.IN_CLOSE_WRITE) != 0:
		t.tell(guest.EventWrite, rel, dir)
	case mask&unix.IN_ATTRIB != 0:
		t.tell(guest.EventAttrib, rel, dir)
	}
	return nil
}

// created tells of what is new, and of what is in it.
func (t *treeWatch) created(rel string, dir bool) error {
	t.tell(guest.EventCreate, rel, dir)
	if !dir {
		return nil
	}
	return t.add(rel, func(below string, dir bool) { t.tell(guest.EventCreate, below, dir) })
}

// movedTo tells of a rename if what was moved was in the tree, and else of
// something new.
func (t *treeWatch) movedTo(rel string, dir bool, cookie uint32) error {
	from, ok := t.moved[cookie]
	if !ok {
		return t.created(rel, dir)
	}
	delete(t.moved, cookie)
	old := t.pending[from.index]
	if full := path.Join(t.root, rel); old.Kind == guest.EventRemove && len(full) <= guest.PathLimit {
		t.pending[from.index] = guest.Event{Kind: guest.EventRename, Path: full, Old: old.Path, Dir: dir}
	}
	for wd, at := range t.byWD {
		if at == from.rel || strings.HasPrefix(at, from.rel+"/") {
			t.byWD[wd] = rel + at[len(from.rel):]
		}
	}
	return nil
}

// settle forgets what was moved out of the tree.
func (t *treeWatch) settle() {
	for _, from := range t.moved {
		if from.dir {
			t.forgetBelow(from.rel)
		}
	}
	t.moved = nil
}

// tell adds an event, unless it says no more than the last one of that file.
func (t *treeWatch) tell(kind guest.EventKind, rel string, dir bool) {
	full := path.Join(t.root, rel)
	const near = 32 // how far to look
	for i := len(t.pending) - 1; i >= max(0, len(t.pending)-near); i-- {
		if last := t.pending[i]; last.Path == full || last.Old == full {
			if last.Path == full && last.Kind == kind {
				return
			}
			break
		}
	}
	if len(full) <= guest.PathLimit {
		t.append(kind, rel, dir)
	}
}

// append adds an event, or tells that there are too many.
func (t *treeWatch) append(kind guest.EventKind, rel string, dir bool) {
	e := guest.Event{Kind: kind, Path: path.Join(t.root, rel), Dir: dir}
	if n := len(t.pending); n >= pendingLimit || len(e.Path) > guest.PathLimit {
		if n > 0 && t.pending[n-1].Kind == guest.EventOverflow {
			return
		}
		e = guest.Event{Kind: guest.EventOverflow, Path: t.root}
	}
	t.pending = append(t.pending, e)
}

func (t *treeWatch) forget(wd int) {
	if _, known := t.byWD[wd]; known {
		delete(t.byWD, wd)
		t.agent.watched.Add(-1)
	}
}

// forgetBelow stops watching a directory and what is below it.
func (t *treeWatch) forgetBelow(rel string) {
	for wd, at := range t.byWD {
		if at == rel || strings.HasPrefix(at, rel+"/") {
			_, _ = unix.InotifyRmWatch(t.in, uint32(wd)) // it may be gone already
			t.forget(wd)
		}
	}
}
