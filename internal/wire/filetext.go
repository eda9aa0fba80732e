package wire

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"
)

// The text forms of results, as AGB's clients read them.

func formatContent(c FileContent) string            { return c.Text }
func parseContent(text string) (FileContent, error) { return FileContent{text}, nil }

func formatDone(d Done) string            { return d.Message }
func parseDone(text string) (Done, error) { return Done{text}, nil }

func formatEdit(r EditResult) string            { return r.Content }
func parseEdit(text string) (EditResult, error) { return EditResult{text}, nil }

// formatFileInfo writes a line "key: value" for each fact. Some are there twice,
// for clients that know them by another name.
func formatFileInfo(f FileInfo) string {
	kind := PathFile
	if f.IsDir {
		kind = PathDir
	}
	perm, modified := fmt.Sprintf("%03o", fs.FileMode(f.Mode).Perm()), f.Modified.UTC().Format(time.RFC3339Nano)
	var b strings.Builder
	for _, fact := range [][2]string{
		{"path", oneLine(f.Path)}, {"name", oneLine(path.Base(f.Path))}, {"size", strconv.FormatInt(f.Size, 10)},
		{"isDirectory", strconv.FormatBool(f.IsDir)}, {"type", kind},
		{"permissions", perm}, {"mode", perm}, {"modified", modified}, {"modTime", modified},
	} {
		b.WriteString(fact[0] + ": " + fact[1] + "\n")
	}
	return b.String()
}

// parseFileInfo reads the lines that it understands. Size and kind have to be
// there.
func parseFileInfo(text string) (f FileInfo, err error) {
	facts := map[string]string{}
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(line, ":"); ok {
			facts[strings.TrimSpace(k)] = strings.TrimSpace(v)
		}
	}
	f.Path = facts["path"]
	f.IsDir = facts["isDirectory"] == "true" || facts["type"] == PathDir
	if f.Size, err = strconv.ParseInt(facts["size"], 10, 64); err != nil && !f.IsDir {
		return f, fmt.Errorf("file info without a size: %w", err)
	}
	perm, err := strconv.ParseUint(cmp.Or(facts["permissions"], facts["mode"]), 8, 32)
	if err != nil {
		perm = 0o644
	}
	f.Mode = uint32(fs.FileMode(perm).Perm())
	if f.IsDir {
		f.Mode |= uint32(fs.ModeDir)
	}
	if t, err := time.Parse(time.RFC3339Nano, cmp.Or(facts["modified"], facts["modTime"])); err == nil {
		f.Modified = t
	}
	return f, nil
}

// Marks of the lines of a listing.
const (
	markDir  = "[DIR] "
	markFile = "[FILE] "
)

func formatListing(l Listing) string {
	var b strings.Builder
	for _, e := range l.Entries {
		mark := markFile
		if e.IsDir {
			mark = markDir
		}
		b.WriteString(mark + oneLine(e.Path) + "\n")
	}
	return b.String()
}

func parseListing(text string) (Listing, error) {
	l := Listing{Bare: true}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if name, ok := strings.CutPrefix(line, markDir); ok {
			l.Entries = append(l.Entries, FileInfo{Path: name, IsDir: true, Mode: uint32(fs.ModeDir | 0o755)})
		} else if name, ok := strings.CutPrefix(line, markFile); ok {
			l.Entries = append(l.Entries, FileInfo{Path: name, Mode: 0o644})
		}
	}
	return l, nil
}

// noMatches is what a search that found nothing says.
const noMatches = "No matches found"

func formatSearch(r SearchResult) string {
	if len(r.Paths) == 0 {
		return noMatches
	}
	lines := make([]string, len(r.Paths))
	for i, p := range r.Paths {
		lines[i] = oneLine(p)
	}
	return strings.Join(lines, "\n")
}

func parseSearch(text string) (r SearchResult, err error) {
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\r\n"); line != "" && line != noMatches {
			r.Paths = append(r.Paths, line)
		}
	}
	return r, nil
}

// fileSeparator is the line between the blocks of several files.
const fileSeparator = "---"

func formatMultiple(m MultipleFiles) string {
	blocks := make([]string, len(m.Files))
	for i, f := range m.Files {
		content := string(f.Content)
		if f.Error != "" {
			content = "Error: " + f.Error
		}
		blocks[i] = oneLine(f.Path) + ":\n" + content
	}
	return strings.Join(blocks, "\n"+fileSeparator+"\n")
}

// parseMultiple understands what its format lets it: a path with a colon at the
// end of a line and content with a line of the separator are beyond it.
func parseMultiple(text string) (m MultipleFiles, err error) {
	m.Bare = true
	for block := range strings.SplitSeq(text, "\n"+fileSeparator+"\n") {
		path, content, ok := strings.Cut(block, ":\n")
		if !ok {
			continue
		}
		m.Files = append(m.Files, NamedContent{Path: path, Content: []byte(content)})
	}
	return m, nil
}

// oneLine keeps a name that has a line break in it from looking like two lines.
func oneLine(name string) string {
	return strings.NewReplacer("\n", "\\n", "\r", "\\r").Replace(name)
}
