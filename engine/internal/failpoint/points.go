package failpoint

import (
	"slices"
	"strings"
)

// Points of package store. At those of a write nothing is acknowledged yet.
const (
	StoreBegun     Point = "store.begun"     // a write is checked, no transaction begun
	StoreWritten   Point = "store.written"   // in the transaction, before it is committed
	StoreCommitted Point = "store.committed" // on disk, not in the index

	StoreLocked  Point = "store.locked"  // the directory is ours, nothing read
	StoreBuilt   Point = "store.built"   // a whole file is written under its temporary name
	StoreAside   Point = "store.aside"   // the damaged file has another name, the whole one not yet its own
	StorePlaced  Point = "store.placed"  // the whole file has its name
	StoreOrphans Point = "store.orphans" // records of a dead owner are not marked yet
)

// Points of package engine on the way to a session. Before the last nobody is
// told of it.
const (
	CreateAdmitted  Point = "create.admitted"  // there is a place for it, and no ready sandbox
	CreateMade      Point = "create.made"      // a sandbox runs
	CreateGreeted   Point = "create.greeted"   // its guest is ready
	PoolWarmed      Point = "pool.warmed"      // it has run the first command and goes to the pool
	CreateTaken     Point = "create.taken"     // it has left the pool for a session
	CreateOpened    Point = "create.opened"    // the session is made, without a record
	CreateRecorded  Point = "create.recorded"  // it has one
	CreatePublished Point = "create.published" // it can be found
)

// Points of package engine on the way out of a session, on which nothing turns
// back.
const (
	DeleteHidden    Point = "delete.hidden"    // it cannot be found
	DeleteClosed    Point = "delete.closed"    // its guest is told no more
	DeleteDestroyed Point = "delete.destroyed" // its sandbox is gone
	DeleteRecorded  Point = "delete.recorded"  // its end is on record
	DeleteForgotten Point = "delete.forgotten" // its place is free
)

var points = []Point{
	CreateAdmitted, CreateMade, CreateGreeted, PoolWarmed, CreateTaken, CreateOpened, CreateRecorded, CreatePublished,
	DeleteHidden, DeleteClosed, DeleteDestroyed, DeleteRecorded, DeleteForgotten,
	StoreBegun, StoreWritten, StoreCommitted,
	StoreLocked, StoreBuilt, StoreAside, StorePlaced, StoreOrphans,
}

// Points returns all points whose names begin with prefix, such as "store.", in
// the order in which they are passed.
func Points(prefix string) []Point {
	return slices.DeleteFunc(slices.Clone(points), func(p Point) bool { return !strings.HasPrefix(string(p), prefix) })
}
