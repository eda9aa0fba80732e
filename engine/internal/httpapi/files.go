package httpapi

import (
	"context"
	"fmt"
	"io/fs"
	"strings"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/guest"
	"github.com/agb-go/sdk/internal/wire"
)

// Modes of new files and directories.
const (
	filePerm fs.FileMode = 0o644
	dirPerm  fs.FileMode = 0o755
)

func writeFile(ctx context.Context, ws *Workspace, args wire.WriteFileArgs) (wire.Done, error) {
	if err := need(wire.WriteFile.Name, "path", args.Path); err != nil {
		return wire.Done{}, err
	}
	mode, ok := map[string]guest.WriteMode{
		"": guest.Overwrite, wire.WriteOverwrite: guest.Overwrite, wire.WriteAppend: guest.Append, wire.WriteCreateNew: guest.CreateNew,
	}[args.Mode]
	if !ok {
		return wire.Done{}, apierr.Errorf(apierr.InvalidArgument, "write_file: invalid mode %q", args.Mode).
			WithHint("use %s, %s or %s", wire.WriteOverwrite, wire.WriteAppend, wire.WriteCreateNew)
	}
	n, err := ws.Guest.Write(ctx, args.Path, mode, filePerm, strings.NewReader(args.Content))
	return done("wrote %d bytes to %s", n, args.Path), err
}

func editFile(ctx context.Context, ws *Workspace, args wire.EditFileArgs) (wire.EditResult, error) {
	if err := need(wire.EditFile.Name, "path", args.Path); err != nil {
		return wire.EditResult{}, err
	}
	edits := make([]guest.Edit, len(args.Edits))
	for i, e := range args.Edits {
		edits[i] = guest.Edit{Old: e.OldText, New: e.NewText}
	}
	content, err := ws.Guest.Edit(ctx, args.Path, edits, args.DryRun)
	if err != nil || !args.DryRun {
		return wire.EditResult{}, err
	}
	return wire.EditResult{Content: replaceInvalid(content)}, nil
}

func createDirectory(ctx context.Context, ws *Workspace, args wire.PathArgs) (wire.Done, error) {
	if err := need(wire.CreateDirectory.Name, "path", args.Path); err != nil {
		return wire.Done{}, err
	}
	return done("made directory %s", args.Path), ws.Guest.Mkdir(ctx, args.Path, dirPerm)
}

func deleteFile(ctx context.Context, ws *Workspace, args wire.PathArgs) (wire.Done, error) {
	if err := need(wire.DeleteFile.Name, "path", args.Path); err != nil {
		return wire.Done{}, err
	}
	return done("removed %s", args.Path), ws.Guest.Remove(ctx, args.Path)
}

func moveFile(ctx context.Context, ws *Workspace, args wire.MoveFileArgs) (wire.Done, error) {
	if err := need(wire.MoveFile.Name, "source", args.Source); err != nil {
		return wire.Done{}, err
	}
	if err := need(wire.MoveFile.Name, "destination", args.Destination); err != nil {
		return wire.Done{}, err
	}
	return done("moved %s to %s", args.Source, args.Destination), ws.Guest.Move(ctx, args.Source, args.Destination)
}

func getFileInfo(ctx context.Context, ws *Workspace, args wire.PathArgs) (wire.FileInfo, error) {
	if err := need(wire.GetFileInfo.Name, "path", args.Path); err != nil {
		return wire.FileInfo{}, err
	}
	info, err := ws.Guest.Stat(ctx, args.Path, true)
	return fileInfo(info), err
}

func listDirectory(ctx context.Context, ws *Workspace, args wire.PathArgs) (wire.Listing, error) {
	if err := need(wire.ListDirectory.Name, "path", args.Path); err != nil {
		return wire.Listing{}, err
	}
	// A long listing is read again when there is memory for it.
	for room := freeOutput / entriesFactor; ; room = entriesBudget {
		l, cost := wire.Listing{Entries: []wire.FileInfo{}}, 0
		err := ws.Guest.EachEntry(ctx, args.Path, func(e guest.FileInfo) {
			if cost += entryCost + 2*encodedLen(e.Path) + encodedLen(e.Target); cost <= room {
				l.Entries = append(l.Entries, fileInfo(e))
			}
		})
		if err == nil && cost > room {
			err = ws.roomFor(ctx, wire.ListDirectory.Name, cost)
		}
		if err != nil {
			return wire.Listing{}, err
		}
		if cost <= room {
			return l, nil
		}
	}
}

const (
	// entriesBudget bounds the bytes of an answer that tells of many files, which
	// takes entriesFactor times as much memory while it is made.
	entriesBudget = 4 << 20
	entriesFactor = 3
	// entryCost is what a file takes in an answer besides its names, at most.
	entryCost = 192
)

// roomFor sees to it that an answer of so many bytes is not too large, and waits
// for memory for it, which it has until it is sent.
func (ws *Workspace) roomFor(ctx context.Context, tool string, cost int) error {
	if cost > entriesBudget {
		return apierr.Errorf(apierr.ResourceExhausted, "%s: the result is too large: %d bytes, at most %d are sent", tool, cost, entriesBudget).
			WithHint("ask for less at a time, or walk the files")
	}
	if k := ws.newKeeper(ctx, entriesFactor*entriesBudget); !k.reserve(entriesFactor * cost) {
		return apierr.Errorf(apierr.ResourceExhausted, "%s: other calls of the session take the memory that results may have", tool).
			WithHint("make fewer calls at once")
	}
	return nil
}

func fileInfo(i guest.FileInfo) wire.FileInfo {
	return wire.FileInfo{
		Path: i.Path, Size: i.Size, IsDir: i.Mode.IsDir(), Mode: uint32(i.Mode), Modified: i.ModTime, Target: i.Target,
	}
}

// searchBudget bounds the bytes of the paths that a search tells: they travel
// twice.
const searchBudget = 4 << 20

func searchFiles(ctx context.Context, ws *Workspace, args wire.SearchFilesArgs) (wire.SearchResult, error) {
	if err := need(wire.SearchFiles.Name, "path", args.Path); err != nil {
		return wire.SearchResult{}, err
	}
	if err := need(wire.SearchFiles.Name, "pattern", args.Pattern); err != nil {
		return wire.SearchResult{}, err
	}
	found, err := ws.Guest.Search(ctx, guest.SearchQuery{
		Dir: args.Path, Pattern: args.Pattern, Exclude: append(args.Exclude, args.ExcludeSnake...),
	})
	if err != nil {
		return wire.SearchResult{}, err
	}
	r := wire.SearchResult{Paths: []string{}, Truncated: found.Truncated}
	left := searchBudget
	for _, p := range found.Paths {
		if left -= encodedLen(p) + 1; left < 0 {
			r.Truncated = true
			break
		}
		r.Paths = append(r.Paths, p)
	}
	return r, nil
}

func getFileChange(ctx context.Context, ws *Workspace, args wire.PathArgs) ([]wire.FileChange, error) {
	if err := need(wire.GetFileChange.Name, "path", args.Path); err != nil {
		return nil, err
	}
	changes, err := ws.Guest.Changes(ctx, args.Path)
	if err != nil {
		return nil, err
	}
	cost := 0
	for _, c := range changes {
		cost += entryCost + nestedCost([]byte(c.Path))
	}
	if err := ws.roomFor(ctx, wire.GetFileChange.Name, cost); err != nil {
		return nil, err
	}
	events := make([]wire.FileChange, len(changes))
	for i, c := range changes {
		events[i] = wire.FileChange{EventType: changeNames[c.Kind], Path: c.Path, PathType: wire.PathFile}
		if c.Dir {
			events[i].PathType = wire.PathDir
		}
	}
	return events, nil
}

var changeNames = map[guest.ChangeKind]string{
	guest.Created: wire.ChangeCreate, guest.Modified: wire.ChangeModify, guest.Deleted: wire.ChangeDelete,
}

func done(format string, args ...any) wire.Done {
	return wire.Done{Message: fmt.Sprintf(format, args...)}
}
