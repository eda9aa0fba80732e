package guest

import (
	"io/fs"
	"strings"
	"time"
)

// Limits of the file calls. Each is checked on both ends.
const (
	PathLimit    = 4096    // bytes of a path
	ListLimit    = 100_000 // entries of one listing
	NamesLimit   = 4 << 20 // bytes of all names of a listing, and of all paths that changed
	SearchLimit  = 10_000  // matches of one search
	ChangeLimit  = 100_000 // files under all watched directories together
	WatchLimit   = 64      // watched directories
	EditLimit    = 10 << 20
	EditsLimit   = 1000
	RequestLimit = 4 << 20 // bytes of an encoded request without its content
)

// FileInfo describes a file.
type FileInfo struct {
	Path    string // as asked for; in listings the name alone
	Size    int64
	Mode    fs.FileMode
	ModTime time.Time
	Target  string // of a symbolic link that was not followed
}

// WriteMode says what writing does with a file that exists.
type WriteMode uint8

// Write modes.
const (
	Overwrite WriteMode = iota // empty it first; keep its mode
	Append                     // add to its end
	CreateNew                  // fail with fs.ErrExist
)

// SearchQuery looks for files by name.
type SearchQuery struct {
	Dir     string
	Pattern string   // as path.Match, on the name; or on the path below Dir when it has a slash
	Exclude []string // patterns of names and paths to leave out, with all below them
}

// SearchResult is what was found, as absolute paths in lexical order.
type SearchResult struct {
	Paths     []string
	Truncated bool // more than SearchLimit matched, or time ran out
}

// An Edit replaces the first occurrence of Old, which must exist.
type Edit struct{ Old, New string }

// ChangeKind is what happened to a file.
type ChangeKind uint8

// Change kinds.
const (
	Created ChangeKind = iota + 1
	Modified
	Deleted
)

// Change is a difference between two looks at a directory.
type Change struct {
	Kind ChangeKind
	Path string
	Dir  bool
}

// Metrics is what the sandbox uses and may use.
type Metrics struct {
	CPUCount  int
	CPUUsed   float64 // per cent of one CPU since the last call, or since start
	MemTotal  int64   // bytes
	MemUsed   int64
	DiskTotal int64
	DiskUsed  int64
	Received  int64 // network bytes since start, loopback left out
	Sent      int64
	Time      time.Time
}

// validName reports whether s can be the name of a directory entry.
func validName(s string) bool {
	return s != "" && s != "." && s != ".." && len(s) <= nameLimit && !strings.ContainsAny(s, "/\x00")
}

// validPath reports whether s can be an absolute path.
func validPath(s string) bool {
	return strings.HasPrefix(s, "/") && strings.IndexByte(s, 0) < 0
}

const nameLimit = 255 // bytes of a name, by Linux
