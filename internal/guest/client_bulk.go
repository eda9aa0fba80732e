package guest

import (
	"context"
	"io"
)

// Walk returns up to limit entries, at most [PageLimit], of what is below a
// directory, in the order that [Follows] tells, behind the path after; an empty
// one is before all. It follows no symbolic link and leaves out what vanishes
// and what must not be read.
func (c *Client) Walk(ctx context.Context, path, after string, limit int) (Page, error) {
	var page Page
	if err := checkPath(path); err != nil {
		return page, err
	}
	if limit < 1 || limit > PageLimit || after != "" && !validBelow(after) {
		return page, &Error{Kind: Invalid, Errno: 22, Message: "page of a walk that cannot be"}
	}
	req := newRequest(opWalk)
	req.text(path)
	req.text(after)
	req.count(limit)
	last := after
	err := c.list(ctx, req, limit, func(d *decoder) {
		info := d.fileInfo()
		if !validBelow(info.Path) || last != "" && !Follows(info.Path, last) {
			d.fail()
			return
		}
		last = info.Path
		page.Entries = append(page.Entries, info)
	}, func(d *decoder) {
		if page.More = d.bool(); page.More && len(page.Entries) == 0 {
			d.fail()
		}
	})
	if err != nil {
		return Page{}, err
	}
	return page, nil
}

// Archive writes a directory to w as a tar archive, without what matches a
// pattern of exclude, see [SearchQuery]. Names are below the directory. There
// are files, directories and symbolic links in it; of all else nothing. A file
// that changes meanwhile so that it cannot be told whole is an error of kind
// [Busy]. What w gets is the guest's word, to be believed in nothing.
func (c *Client) Archive(ctx context.Context, path string, exclude []string, w io.Writer) (Tally, error) {
	var t Tally
	if err := checkPath(path); err != nil {
		return t, err
	}
	if len(exclude) > excludeLimit {
		return t, &Error{Kind: TooLarge, Message: "too many patterns"}
	}
	req := newRequest(opArchive)
	req.text(path)
	req.texts(exclude)
	k, err := c.begin(ctx, req, true)
	if err != nil {
		return t, err
	}
	defer k.end()
	_, err = k.content(0, w, func(d *decoder) { t = d.tally() })
	return t, err
}

// Extract makes of a tar archive what it has in it, below a directory that is
// made if it is missing. It has files, directories, symbolic links and hard
// links to files of the archive's own: anything else, sparse files, names that
// lead out or through a link, the same name twice, and more than [ArchiveLimit]
// entries are errors. Files that are there are replaced. Of modes only
// permissions count. When it fails what came before is there.
func (c *Client) Extract(ctx context.Context, path string, r io.Reader) (Tally, error) {
	var t Tally
	if err := checkPath(path); err != nil {
		return t, err
	}
	req := newRequest(opExtract)
	req.text(path)
	k, err := c.begin(ctx, req, false)
	if err != nil {
		return t, err
	}
	defer k.end()
	if _, err := k.upload(r); err != nil {
		return t, err
	}
	err = k.result(func(d *decoder) { t = d.tally() })
	return t, err
}

func (e *encoder) tally(t Tally) {
	e.int(t.Entries)
	e.int(t.Bytes)
}

func (d *decoder) tally() Tally {
	t := Tally{Entries: d.size(), Bytes: d.size()}
	if t.Entries > ArchiveLimit {
		d.fail()
	}
	return t
}

// Watch tells what happens below a directory until ctx ends, whose error it then
// returns. It calls ready once all that happens from then on is told, and events
// with at most [EventsLimit] at a time; what they return is an error of Watch.
// Events that follow each other closely become one, and one may be told twice.
// When more happens than is taken in, an overflow tells so. A guest watches 8,192
// directories in 16 watches, more are an error of kind [TooLarge]; a directory
// that is removed ends its watch with one of kind [NotExist].
func (c *Client) Watch(ctx context.Context, path string, ready func() error, events func([]Event) error) error {
	if err := checkPath(path); err != nil {
		return err
	}
	req := newRequest(opWatch)
	req.text(path)
	k, err := c.begin(ctx, req, true)
	if err != nil {
		return err
	}
	defer k.end()
	kind, d, err := k.next()
	if err != nil {
		return err
	}
	if kind != recordEntries || !d.done() {
		return c.violated("watch that is not ready")
	}
	if err := ready(); err != nil {
		return err
	}
	for {
		kind, d, err := k.next()
		if err != nil {
			return err
		}
		if kind != recordEntries {
			return c.violated("watch that ends well")
		}
		list := d.events()
		if d.bad || len(list) == 0 {
			return c.violated("event")
		}
		if err := events(list); err != nil {
			return err
		}
	}
}

func (e *encoder) event(v *Event) {
	e.byte(byte(v.Kind))
	e.text(v.Path)
	e.text(v.Old)
	e.bool(v.Dir)
}

// events are all of a record.
func (d *decoder) events() []Event {
	var list []Event
	for !d.done() && !d.bad {
		v := Event{Kind: EventKind(d.byte()), Path: d.text(PathLimit), Old: d.text(PathLimit), Dir: d.bool()}
		if v.Kind < EventCreate || v.Kind > EventOverflow || !validPath(v.Path) ||
			(v.Kind == EventRename) != (v.Old != "") || v.Old != "" && !validPath(v.Old) || len(list) == EventsLimit {
			d.fail()
			return nil
		}
		list = append(list, v)
	}
	return list
}
