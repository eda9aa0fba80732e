package agent

import (
	"context"
	"errors"
	"path"
	"sort"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

// walkTime is how long a search or a look for changes may take.
const walkTime = 5 * time.Second

var errTime = errors.New("out of time")

// walker goes through a directory tree in lexical order, without following
// links.
type walker struct {
	ctx      context.Context
	deadline time.Time
	// visit is called for everything in the tree but its root, with the path
	// below that. It returns whether to go into a directory.
	visit func(rel, name string, st *unix.Stat_t) (bool, error)
	dir   int  // where the name that is visited is
	deep  bool // something was too deep to be visited
}

// target returns where the link called name leads, which is visited.
func (w *walker) target(name string) string {
	var buf [guest.PathLimit]byte
	n, err := unix.Readlinkat(w.dir, name, buf[:])
	if err != nil {
		return ""
	}
	return string(buf[:n])
}

// walk visits what is in the directory that fd has open.
func (w *walker) walk(fd int, rel string, depth int) error {
	names, err := w.names(fd)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := w.check(); err != nil {
			return err
		}
		var st unix.Stat_t
		if unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
			continue // it vanished, or is none of the user's business
		}
		below := path.Join(rel, name)
		w.dir = fd
		into, err := w.visit(below, name, &st)
		if err != nil {
			return err
		}
		if into && st.Mode&unix.S_IFMT == unix.S_IFDIR {
			if err := w.into(fd, name, below, depth-1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walker) into(dir int, name, rel string, depth int) error {
	if depth == 0 {
		w.deep = true
		return nil
	}
	fd, err := open(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil // as above
	}
	defer closeFD(fd)
	return w.walk(fd, rel, depth)
}

func (w *walker) names(fd int) ([]string, error) {
	var names []string
	err := eachName(fd, func(name string) error {
		if len(names) == guest.ListLimit {
			w.deep = true
			return errEnough
		}
		names = append(names, name)
		return w.check()
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	sort.Strings(names)
	return names, nil
}

func (w *walker) check() error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if time.Now().After(w.deadline) {
		return errTime
	}
	return nil
}

// openTree opens a directory to be walked through and returns its absolute
// path, as it was asked for.
func (a *agent) openTree(dir string) (int, string, error) {
	p, err := a.absolute(dir)
	if err != nil {
		return -1, "", err
	}
	fd, err := open(unix.AT_FDCWD, p, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	return fd, path.Clean(p), failure(dir, err)
}

func checkPatterns(patterns []string) error {
	for _, pattern := range patterns {
		if _, err := path.Match(pattern, ""); err != nil {
			return fail(guest.Invalid, unix.EINVAL, "malformed pattern "+pattern)
		}
	}
	return nil
}

// Search implements guest.Handler.
func (a *agent) Search(ctx context.Context, q guest.SearchQuery) (guest.SearchResult, error) {
	if err := checkPatterns(append([]string{q.Pattern}, q.Exclude...)); err != nil {
		return guest.SearchResult{}, err
	}
	if err := a.walk(ctx); err != nil {
		return guest.SearchResult{}, err
	}
	defer a.walked()
	fd, root, err := a.openTree(q.Dir)
	if err != nil {
		return guest.SearchResult{}, err
	}
	defer closeFD(fd)
	var found guest.SearchResult
	w := &walker{ctx: ctx, deadline: time.Now().Add(walkTime)}
	w.visit = func(rel, name string, _ *unix.Stat_t) (bool, error) {
		for _, pattern := range q.Exclude {
			if matches(pattern, rel, name) {
				return false, nil
			}
		}
		if !matches(q.Pattern, rel, name) {
			return true, nil
		}
		full := path.Join(root, rel)
		if len(found.Paths) == guest.SearchLimit || len(full) > guest.PathLimit {
			return false, errTime
		}
		found.Paths = append(found.Paths, full)
		return true, nil
	}
	err = w.walk(fd, "", depthLimit)
	found.Truncated = w.deep || errors.Is(err, errTime)
	if err != nil && !errors.Is(err, errTime) {
		return guest.SearchResult{}, failure(q.Dir, err)
	}
	sort.Strings(found.Paths)
	return found, nil
}

// matches reports whether a name, or a path below the root, matches.
func matches(pattern, rel, name string) bool {
	if strings.Contains(pattern, "/") {
		name = rel
	}
	ok, _ := path.Match(pattern, name) // the pattern was checked
	return ok
}
