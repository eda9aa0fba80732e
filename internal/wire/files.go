package wire

// Operations of ours on contents and trees.
var (
	// ReadContent reads a file. The server sends one frame, [FrameState], the
	// content as data, and an end with a [ContentEnd].
	ReadContent = Stream[ReadContentRequest]{Name: "ReadContent", Pattern: "POST /v1/files/read"}
	// WriteContent writes a file. The client sends the content as data, and an
	// end: without one nothing is put in a file's place. The server sends an end
	// with a [ContentEnd].
	WriteContent = Stream[WriteContentRequest]{Name: "WriteContent", Pattern: "POST /v1/files/write"}
	// PackTree makes a tar archive of a directory. The server sends data, and an
	// end with a [ContentEnd].
	PackTree = Stream[PackTreeRequest]{Name: "PackTree", Pattern: "POST /v1/files/pack"}
	// UnpackTree takes a tar archive apart in a directory. The client sends data,
	// and an end; the server an end with a [ContentEnd].
	UnpackTree = Stream[FileRequest]{Name: "UnpackTree", Pattern: "POST /v1/files/unpack"}
	// WatchTree tells what happens below a directory until the client ends the
	// stream. The server sends one frame, [FrameWatching], and then frames of
	// [FrameEvents].
	WatchTree = Stream[FileRequest]{Name: "WatchTree", Pattern: "POST /v1/files/watch"}

	StatFile     = Op[StatFileRequest, FileState]{Name: "StatFile", Pattern: "POST /v1/files/stat", Repeatable: true, Ours: true}
	WalkTree     = Op[WalkTreeRequest, WalkTreeResponse]{Name: "WalkTree", Pattern: "POST /v1/files/walk", Repeatable: true, Ours: true}
	CopyFile     = Op[CopyFileRequest, Empty]{Name: "CopyFile", Pattern: "POST /v1/files/copy", Repeatable: true, Ours: true}
	ChangeMode   = Op[ChangeModeRequest, Empty]{Name: "ChangeMode", Pattern: "POST /v1/files/chmod", Repeatable: true, Ours: true}
	MakeSymlink  = Op[MakeSymlinkRequest, Empty]{Name: "MakeSymlink", Pattern: "POST /v1/files/symlink", Ours: true}
	ReadLink     = Op[FileRequest, ReadLinkResponse]{Name: "ReadLink", Pattern: "POST /v1/files/readlink", Repeatable: true, Ours: true}
	TruncateFile = Op[TruncateFileRequest, Empty]{Name: "TruncateFile", Pattern: "POST /v1/files/truncate", Repeatable: true, Ours: true}
)

// Frames of the streams above.
const (
	FrameState    = FrameOwn     // a [FileState], as JSON
	FrameWatching = FrameOwn     // nothing: what happens from now on is told
	FrameEvents   = FrameOwn + 1 // an array of [FileEvent], as JSON
)

// FileRequest names a file of a session.
type FileRequest struct {
	SessionID string `json:"sessionId"`
	Path      string `json:"path"`
}

// FileState is what a file is like.
type FileState struct {
	FileInfo
	ETag   string `json:"etag"`
	SHA256 string `json:"sha256,omitempty"` // hexadecimal
}

// SumPrefix begins a condition on the SHA-256 of a file, in hexadecimal.
// Without it a condition is an ETag.
const SumPrefix = "sha256:"

// StatFileRequest asks what a file is like.
type StatFileRequest struct {
	FileRequest
	NoFollow bool `json:"noFollow,omitempty"` // of a link, what the link is like
	Sum      bool `json:"sum,omitempty"`      // with its SHA-256
}

// ReadContentRequest says what to read. A length of 0 means to the end.
type ReadContentRequest struct {
	FileRequest
	Offset  int64  `json:"offset,omitempty"`
	Length  int64  `json:"length,omitempty"`
	IfMatch string `json:"ifMatch,omitempty"`
}

// Modes of writing that [WriteContent] has besides those of [WriteFile].
const (
	WriteReplace = "replace" // a whole new file, in one step
	WriteUpdate  = "update"  // over what is there, from an offset on
)

// WriteContentRequest says how to write.
type WriteContentRequest struct {
	FileRequest
	Mode    string  `json:"mode,omitempty"`   // overwrite when absent
	Offset  int64   `json:"offset,omitempty"` // of update alone
	Perm    *uint32 `json:"perm,omitempty"`   // permissions to set; absent: those of the file, or 0644
	IfMatch string  `json:"ifMatch,omitempty"`
}

// ContentEnd is what the end of a transfer says of it.
type ContentEnd struct {
	Bytes   int64  `json:"bytes"`             // of contents
	Entries int64  `json:"entries,omitempty"` // of an archive
	ETag    string `json:"etag,omitempty"`    // of a file that was written
}

// PackTreeRequest says what to archive.
type PackTreeRequest struct {
	FileRequest
	Exclude []string `json:"exclude,omitempty"` // patterns, as in [SearchFilesArgs]
}

// FileEvent is what happened to a file.
type FileEvent struct {
	Type    string `json:"type"`
	Path    string `json:"path"`
	OldPath string `json:"oldPath,omitempty"` // of a rename
	IsDir   bool   `json:"isDirectory,omitempty"`
}

// Types of [FileEvent].
const (
	EventCreate   = "create"
	EventWrite    = "write"
	EventRemove   = "remove"
	EventRename   = "rename"
	EventAttrib   = "attributes"
	EventOverflow = "overflow"
)

// CopyFileRequest says what to copy where.
type CopyFileRequest struct {
	SessionID   string `json:"sessionId"`
	Source      string `json:"source"`
	Destination string `json:"destination"`
}

// ChangeModeRequest says which permissions to set.
type ChangeModeRequest struct {
	FileRequest
	Perm uint32 `json:"perm"`
}

// MakeSymlinkRequest says where a new link leads to.
type MakeSymlinkRequest struct {
	FileRequest
	Target string `json:"target"`
}

// ReadLinkResponse tells where a link leads to.
type ReadLinkResponse struct {
	Target string `json:"target"`
}

// TruncateFileRequest says how long a file is to be.
type TruncateFileRequest struct {
	FileRequest
	Size int64 `json:"size"`
}

// WalkTreeRequest asks for entries of a tree, at most Limit and at most 10,000;
// 0 means 1,000.
type WalkTreeRequest struct {
	FileRequest
	After string `json:"after,omitempty"` // Next of the page before
	Limit int    `json:"limit,omitempty"`
}

// WalkTreeResponse is a page of a tree, with paths below the directory, parents
// first.
type WalkTreeResponse struct {
	Entries []FileInfo `json:"entries"`
	Next    string     `json:"next,omitempty"` // where there is more
}
