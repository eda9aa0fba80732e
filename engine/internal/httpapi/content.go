package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/guest"
	"github.com/agb-go/sdk/internal/wire"
)

// addFiles makes the operations of ours on contents and trees known.
func (a *API) addFiles() {
	handleStream(a, wire.ReadContent, func(r wire.ReadContentRequest) string { return r.SessionID }, readContent)
	handleStream(a, wire.WriteContent, func(r wire.WriteContentRequest) string { return r.SessionID }, writeContent)
	handleStream(a, wire.PackTree, func(r wire.PackTreeRequest) string { return r.SessionID }, packTree)
	handleStream(a, wire.UnpackTree, func(r wire.FileRequest) string { return r.SessionID }, unpackTree)
	handleStream(a, wire.WatchTree, func(r wire.FileRequest) string { return r.SessionID }, watchTree)
	handleFile(a, wire.StatFile, func(r wire.StatFileRequest) string { return r.SessionID }, statFile)
	handleFile(a, wire.WalkTree, func(r wire.WalkTreeRequest) string { return r.SessionID }, walkTree)
	handleFile(a, wire.CopyFile, func(r wire.CopyFileRequest) string { return r.SessionID }, copyFile)
	handleFile(a, wire.ChangeMode, func(r wire.ChangeModeRequest) string { return r.SessionID }, changeMode)
	handleFile(a, wire.MakeSymlink, func(r wire.MakeSymlinkRequest) string { return r.SessionID }, makeSymlink)
	handleFile(a, wire.ReadLink, func(r wire.FileRequest) string { return r.SessionID }, readLink)
	handleFile(a, wire.TruncateFile, func(r wire.TruncateFileRequest) string { return r.SessionID }, truncateFile)
}

// handleFile serves op, which works on a session, with fn. session says which.
func handleFile[Req, Resp any](a *API, op wire.Op[Req, Resp], session func(Req) string, fn func(context.Context, *Workspace, Req) (*Resp, error)) {
	handle(a, op, func(ctx context.Context, by caller, req Req) (resp *Resp, err error) {
		err = a.cfg.Engine.Do(ctx, by.tenant, session(req), func(inner context.Context, ws *Workspace) (err error) {
			resp, err = fn(inner, ws, req)
			return err
		})
		return resp, fromInside(err)
	})
}

// readContent sends a file's state, its content and the end.
func readContent(ctx context.Context, ws *Workspace, req wire.ReadContentRequest, accept func() (*duplex, error)) error {
	var d *duplex
	f := guest.Fetch{Offset: req.Offset, Length: req.Length, IfMatch: req.IfMatch}
	begin := func(s guest.State) (err error) {
		if d, err = accept(); err != nil {
			return err
		}
		return d.send(wire.FrameState, fileState(s))
	}
	n, err := ws.Guest.Fetch(ctx, req.Path, f, begin, content{&d})
	if err != nil {
		return err
	}
	return d.send(wire.FrameEnd, wire.ContentEnd{Bytes: n})
}

// content writes data to a stream that has begun by then.
type content struct{ d **duplex }

func (f content) Write(p []byte) (int, error) {
	n, err := (*f.d).Write(p)
	if err != nil {
		return n, errGivenUp
	}
	return n, nil
}

// contentModes are the modes of writing by their names.
var contentModes = map[string]guest.WriteMode{
	"": guest.Overwrite, wire.WriteOverwrite: guest.Overwrite, wire.WriteAppend: guest.Append, wire.WriteCreateNew: guest.CreateNew,
	wire.WriteReplace: guest.Replace, wire.WriteUpdate: guest.Update,
}

// writeContent writes what the client sends to a file.
func writeContent(ctx context.Context, ws *Workspace, req wire.WriteContentRequest, accept func() (*duplex, error)) error {
	mode, ok := contentModes[req.Mode]
	if !ok {
		return apierr.Errorf(apierr.InvalidArgument, "invalid mode %q", req.Mode)
	}
	s := guest.Store{Mode: mode, Offset: req.Offset, Perm: filePerm, IfMatch: req.IfMatch}
	if req.Perm != nil {
		if *req.Perm > uint32(fs.ModePerm) {
			return apierr.Errorf(apierr.InvalidArgument, "invalid permissions %#o", *req.Perm)
		}
		s.Perm, s.SetPerm = fs.FileMode(*req.Perm), true
	}
	d, err := accept()
	if err != nil {
		return err
	}
	n, after, err := ws.Guest.Store(ctx, req.Path, s, &received{d: d})
	if err != nil {
		return err
	}
	return d.send(wire.FrameEnd, wire.ContentEnd{Bytes: n, ETag: after.Tag})
}

// received is the data that a client sends, to its end. One that ends without is
// an error.
type received struct {
	d      *duplex
	inside bool // a frame of data
	ended  bool
}

// Read fills p from one frame.
func (r *received) Read(p []byte) (int, error) {
	for !r.inside {
		if r.ended {
			return 0, io.EOF
		}
		kind, size, err := r.d.Next()
		switch {
		case err != nil:
			return 0, errGivenUp
		case kind == wire.FrameData:
			r.inside = size > 0
		case kind == wire.FrameEnd:
			r.ended = true
		default:
			return 0, errGivenUp
		}
	}
	total := 0
	for total < len(p) {
		n, err := r.d.Read(p[total:])
		total += n
		if errors.Is(err, io.EOF) {
			r.inside = false
			break
		}
		if err != nil {
			return total, errGivenUp
		}
	}
	return total, nil
}

func packTree(ctx context.Context, ws *Workspace, req wire.PackTreeRequest, accept func() (*duplex, error)) error {
	// What is no directory is told before the stream begins.
	if info, err := ws.Guest.Stat(ctx, req.Path, true); err != nil {
		return err
	} else if !info.Mode.IsDir() {
		return &guest.Error{Kind: guest.NotDir, Message: req.Path + ": not a directory"}
	}
	d, err := accept()
	if err != nil {
		return err
	}
	t, err := ws.Guest.Archive(ctx, req.Path, req.Exclude, content{&d})
	if err != nil {
		return err
	}
	return d.send(wire.FrameEnd, wire.ContentEnd{Bytes: t.Bytes, Entries: t.Entries})
}

func unpackTree(ctx context.Context, ws *Workspace, req wire.FileRequest, accept func() (*duplex, error)) error {
	d, err := accept()
	if err != nil {
		return err
	}
	t, err := ws.Guest.Extract(ctx, req.Path, &received{d: d})
	if err != nil {
		return err
	}
	return d.send(wire.FrameEnd, wire.ContentEnd{Bytes: t.Bytes, Entries: t.Entries})
}

// watchTree tells events until the client ends the stream.
func watchTree(ctx context.Context, ws *Workspace, req wire.FileRequest, accept func() (*duplex, error)) error {
	var d *duplex
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	said := make(chan struct{})
	ready := func() (err error) {
		if d, err = accept(); err != nil {
			return err
		}
		go func() {
			defer close(said)
			d.Wait()
			cancel()
		}()
		return d.send(wire.FrameWatching, struct{}{})
	}
	err := ws.Guest.Watch(watching, req.Path, ready, func(list []guest.Event) error { return d.events(list) })
	if d == nil || watching.Err() == nil || ctx.Err() != nil {
		return err
	}
	<-said
	if kind, _, err := d.Next(); err != nil || kind != wire.FrameEnd {
		return errGivenUp
	}
	return d.WriteFrame(wire.FrameEnd, nil)
}

var eventNames = map[guest.EventKind]string{
	guest.EventCreate: wire.EventCreate, guest.EventWrite: wire.EventWrite, guest.EventRemove: wire.EventRemove,
	guest.EventRename: wire.EventRename, guest.EventAttrib: wire.EventAttrib, guest.EventOverflow: wire.EventOverflow,
}

// events sends events, as many in a frame as fit.
func (d *duplex) events(list []guest.Event) error {
	frame := []byte{'['}
	for i, e := range list {
		p, err := json.Marshal(wire.FileEvent{Type: eventNames[e.Kind], Path: e.Path, OldPath: e.Old, IsDir: e.Dir})
		if err != nil {
			return err
		}
		if len(frame) > 1 && len(frame)+len(p)+1 > wire.FrameLimit {
			frame[len(frame)-1] = ']'
			if d.WriteFrame(wire.FrameEvents, frame) != nil {
				return errGivenUp
			}
			frame = append(frame[:0], '[')
		}
		frame = append(append(frame, p...), ',')
		if i < len(list)-1 {
			continue
		}
		frame[len(frame)-1] = ']'
		if d.WriteFrame(wire.FrameEvents, frame) != nil {
			return errGivenUp
		}
	}
	return nil
}
