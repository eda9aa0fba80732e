package guest

import (
	"context"
	"io"
	"io/fs"
	"strings"
)

// Limits of the calls on contents and trees. Each is checked on both ends.
const (
	TagLimit     = 128     // bytes of a tag
	PageLimit    = 10_000  // entries of one page of a walk
	ArchiveLimit = 200_000 // entries of one archive
	EventsLimit  = 4096    // events that are told at once
)

// SumPrefix begins a condition on the content itself.
const SumPrefix = "sha256:"

// State is what a file is like, and what tells whether it is still so.
type State struct {
	FileInfo
	// Tag is made of inode, size, and the times of the last change of content
	// and of anything else. It changes with each of these: content that changes
	// twice within a tick of the kernel's clock, a few milliseconds, and keeps
	// its size, may keep its tag. It is no secret and means nothing elsewhere.
	Tag string
	// Sum is the SHA-256 of the content in hexadecimal, when it was asked for.
	Sum string
}

// Fetch says what to read of a file.
type Fetch struct {
	Offset, Length int64  // a length of 0 means all that is left
	IfMatch        string // when not empty, the tag, or [SumPrefix] and the sum, that the file must have
}

// Further write modes, of [Client.Store] alone.
const (
	Replace  WriteMode = iota + 3 // put a whole new file in its place at the end, in one step
	Update                        // write over what is there from an offset on
	PlaceNew                      // as Replace, but fail with fs.ErrExist
)

// Store says how to write a file.
type Store struct {
	Mode    WriteMode
	Offset  int64 // of Update alone
	Perm    fs.FileMode
	SetPerm bool // also of a file that exists, and whatever the umask
	// IfMatch is as in [Fetch]. With Replace nothing that goes through the same
	// guest changes the file in between, with others the check comes first.
	IfMatch string
}

// Page is a part of a walk.
type Page struct {
	Entries []FileInfo // with paths below the directory, parents first
	More    bool       // there are more behind the last one
}

// Tally is what an archive had in it.
type Tally struct {
	Entries int64
	Bytes   int64 // of contents
}

// EventKind is what happened.
type EventKind uint8

// Event kinds.
const (
	EventCreate   EventKind = iota + 1 // is there; content may be too
	EventWrite                         // content changed
	EventRemove                        // is gone, or was moved out of sight
	EventRename                        // has another path
	EventAttrib                        // mode, owner or times changed
	EventOverflow                      // some events are lost: look again
)

// Event is what happened to a file below a directory that is watched.
type Event struct {
	Kind EventKind
	Path string // absolute; of an overflow, that of the directory watched
	Old  string // of a rename: what the path was
	Dir  bool
}

// Files are the calls on contents and trees, like those of [Client].
type Files interface {
	Inspect(ctx context.Context, path string, follow, sum bool) (State, error)
	Fetch(ctx context.Context, path string, f Fetch, begin func(State) error, w io.Writer) (int64, error)
	Store(ctx context.Context, path string, s Store, r io.Reader) (int64, State, error)
	Copy(ctx context.Context, from, to string) error
	Chmod(ctx context.Context, path string, perm fs.FileMode) error
	Symlink(ctx context.Context, target, path string) error
	Truncate(ctx context.Context, path string, size int64) error
	Walk(ctx context.Context, path, after string, limit int) (Page, error)
	Archive(ctx context.Context, path string, exclude []string, w io.Writer) (Tally, error)
	Extract(ctx context.Context, path string, r io.Reader) (Tally, error)
	Watch(ctx context.Context, path string, ready func() error, events func([]Event) error) error
}

func (e *encoder) state(s *State) {
	e.fileInfo(&s.FileInfo)
	e.text(s.Tag)
	e.text(s.Sum)
}

// state accepts a sum only where one was asked for.
func (d *decoder) state(sum bool) State {
	s := State{FileInfo: d.fileInfo(), Tag: d.text(TagLimit), Sum: d.text(sumLen)}
	if s.Sum != "" && (!sum || !validSum(s.Sum)) || !printable(s.Tag) {
		d.fail()
	}
	return s
}

const sumLen = 64 // hexadecimal digits of a SHA-256

func validSum(s string) bool {
	return len(s) == sumLen && strings.Trim(s, "0123456789abcdef") == ""
}

// printable reports whether s is of visible ASCII alone.
func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// checkMatch refuses what no file can match.
func checkMatch(s string) error {
	if sum, ok := strings.CutPrefix(s, SumPrefix); len(s) > TagLimit || !printable(s) || ok && !validSum(sum) {
		return &Error{Kind: Invalid, Errno: 22, Message: "malformed condition"}
	}
	return nil
}

// validBelow reports whether s can be a path below a directory.
func validBelow(s string) bool {
	return fs.ValidPath(strings.ToValidUTF8(s, "?")) && s != "." && len(s) <= PathLimit && strings.IndexByte(s, 0) < 0
}

// Follows reports whether path comes behind other in a walk: names are compared
// one by one, so that a directory is followed by what is in it.
func Follows(path, other string) bool {
	for {
		a, restA, moreA := strings.Cut(path, "/")
		b, restB, moreB := strings.Cut(other, "/")
		if a != b || !moreA || !moreB {
			return a > b || a == b && moreA && !moreB
		}
		path, other = restA, restB
	}
}
