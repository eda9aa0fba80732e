package filesystem

import (
	"context"
	"iter"

	"github.com/agb-go/sdk/internal/wire"
)

// EventKind is what happened to a file.
type EventKind string

// Event kinds.
const (
	EventCreate   EventKind = wire.EventCreate   // is there, with what is in it by now
	EventWrite    EventKind = wire.EventWrite    // content changed
	EventRemove   EventKind = wire.EventRemove   // is gone, or was moved out of the tree
	EventRename   EventKind = wire.EventRename   // has another path
	EventAttrib   EventKind = wire.EventAttrib   // mode, owner or times changed
	EventOverflow EventKind = wire.EventOverflow // events are lost: look at the tree again
)

// knownEvents are all kinds.
var knownEvents = map[EventKind]bool{
	EventCreate: true, EventWrite: true, EventRemove: true, EventRename: true, EventAttrib: true, EventOverflow: true,
}

// Event is what happened to a file below a directory that is watched.
type Event struct {
	Kind    EventKind
	Path    string // absolute; of an overflow, the directory's
	OldPath string // of a rename
	IsDir   bool
}

// WatchOptions are for [Client.Watch].
type WatchOptions struct {
	// Ready, when not nil, is called once: whatever happens from then on is told.
	Ready func()
}

// Watch tells what happens below a directory, until the loop or ctx ends, or
// something fails: an error is the last that it yields. Directories that are new
// are watched too. Events that follow each other closely are told as one, and
// one may be told twice. A loop that is too slow gets an overflow for what is
// lost. A session watches at most 8,192 directories, in 16 watches: more is an
// error with code ResourceExhausted. When the directory itself is removed or
// moved the error matches [io/fs.ErrNotExist]. While it goes on the session is
// not idle, and cannot be paused.
//
// AGB's hosted service does not have it: the error has code Unsupported, and
// [Client.Changes] does. The options may be nil.
func (c *Client) Watch(ctx context.Context, dir string, opts *WatchOptions) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		s, err := c.subject("Watch", dir)
		if err != nil {
			yield(Event{}, err)
			return
		}
		f, err := openFlow(ctx, s, wire.WatchTree, s.file())
		if err != nil {
			yield(Event{}, err)
			return
		}
		defer f.close()
		if err := f.watch(opts, yield); err != nil {
			yield(Event{}, err)
		}
	}
}

// watch yields events until it is enough, which is no error.
func (f *flow) watch(opts *WatchOptions, yield func(Event, error) bool) error {
	for ready := false; ; ready = true {
		kind, p, err := f.st.Next()
		switch {
		case err != nil:
			return f.fail(err)
		case !ready && kind == wire.FrameWatching:
			if opts != nil && opts.Ready != nil {
				opts.Ready()
			}
			continue
		case !ready || kind != wire.FrameEvents:
			return f.fail(f.st.Malformed("the server sends what is no event"))
		}
		var list []wire.FileEvent
		if err := f.told(p, &list); err != nil {
			return err
		}
		for _, e := range list {
			if !knownEvents[EventKind(e.Type)] {
				return f.fail(f.st.Malformed("the server tells of an event that is not known"))
			}
			if !yield(Event{EventKind(e.Type), e.Path, e.OldPath, e.IsDir}, nil) {
				return nil
			}
		}
	}
}
