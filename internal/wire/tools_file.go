package wire

import "time"

// ChunkSize is how many bytes, or characters when writing, AGB's clients move
// in one call.
const ChunkSize = 50 << 10

// Tools on files.
var (
	ReadFile = Tool[ReadFileArgs, FileContent]{
		Name: "read_file", Description: "Read a file, or a range of its bytes.", Repeatable: true,
		Format: formatContent, Parse: parseContent, Plain: true,
	}
	WriteFile = Tool[WriteFileArgs, Done]{
		Name: "write_file", Description: "Write text to a file.",
		Format: formatDone, Parse: parseDone,
	}
	EditFile = Tool[EditFileArgs, EditResult]{
		Name: "edit_file", Description: "Replace pieces of a text file.",
		Format: formatEdit, Parse: parseEdit, Plain: true,
	}
	CreateDirectory = Tool[PathArgs, Done]{
		Name: "create_directory", Description: "Make a directory and its parents.", Repeatable: true,
		Format: formatDone, Parse: parseDone,
	}
	DeleteFile = Tool[PathArgs, Done]{
		Name: "delete_file", Description: "Remove a file, or a directory with all in it.",
		Format: formatDone, Parse: parseDone,
	}
	MoveFile = Tool[MoveFileArgs, Done]{
		Name: "move_file", Description: "Move or rename a file or directory.",
		Format: formatDone, Parse: parseDone,
	}
	GetFileInfo = Tool[PathArgs, FileInfo]{
		Name: "get_file_info", Description: "Describe a file.", Repeatable: true,
		Format: formatFileInfo, Parse: parseFileInfo,
	}
	ListDirectory = Tool[PathArgs, Listing]{
		Name: "list_directory", Description: "List a directory.", Repeatable: true,
		Format: formatListing, Parse: parseListing,
	}
	SearchFiles = Tool[SearchFilesArgs, SearchResult]{
		Name: "search_files", Description: "Find files by name below a directory.", Repeatable: true,
		Format: formatSearch, Parse: parseSearch,
	}
	ReadMultipleFiles = Tool[PathsArgs, MultipleFiles]{
		Name: "read_multiple_files", Description: "Read several text files.", Repeatable: true,
		Format: formatMultiple, Parse: parseMultiple,
	}
	// GetFileChange is not repeatable: what it told once it does not tell again.
	GetFileChange = Tool[PathArgs, []FileChange]{
		Name: "get_file_change", Description: "Tell what changed below a directory since the last call.",
	}
)

// PathArgs name a file.
type PathArgs struct {
	Path string `json:"path"`
}

// PathsArgs name files.
type PathsArgs struct {
	Paths []string `json:"paths"`
}

// MoveFileArgs are the arguments of [MoveFile].
type MoveFileArgs struct {
	Source      string `json:"source"`
	Destination string `json:"destination"`
}

// FormatBinary asks [ReadFile] for base64.
const FormatBinary = "binary"

// ReadFileArgs are the arguments of [ReadFile]. A length of 0 means to the end.
type ReadFileArgs struct {
	Path   string `json:"path"`
	Offset int64  `json:"offset"`
	Length int64  `json:"length"`
	Format string `json:"format,omitempty"`
}

// FileContent is a piece of a file, as it travels: text, or base64 when binary
// was asked for.
type FileContent struct {
	Text string
}

// Modes of [WriteFile].
const (
	WriteOverwrite = "overwrite"
	WriteAppend    = "append"
	WriteCreateNew = "create_new"
)

// WriteFileArgs are the arguments of [WriteFile]. An empty mode overwrites.
type WriteFileArgs struct {
	Path    string `json:"path"`
	Content string `json:"content"`
	Mode    string `json:"mode,omitempty"`
}

// Done is the result of tools that merely succeed.
type Done struct {
	Message string `json:"message,omitempty"`
}

// FileEdit replaces the first occurrence of a text.
type FileEdit struct {
	OldText string `json:"oldText"`
	NewText string `json:"newText"`
}

// EditFileArgs are the arguments of [EditFile].
type EditFileArgs struct {
	Path   string     `json:"path"`
	Edits  []FileEdit `json:"edits"`
	DryRun bool       `json:"dryRun"`
}

// EditResult is the content that a dry run would have left; otherwise empty.
type EditResult struct {
	Content string `json:"content"`
}

// FileInfo describes a file. In listings Path is the name alone.
type FileInfo struct {
	Path     string    `json:"path"`
	Size     int64     `json:"size"`
	IsDir    bool      `json:"isDirectory"`
	Mode     uint32    `json:"mode"` // as io/fs.FileMode
	Modified time.Time `json:"modified"`
	Target   string    `json:"target,omitempty"` // of a symbolic link
}

// Listing is the content of a directory.
type Listing struct {
	Entries []FileInfo `json:"entries"`
	// Bare says that only names and kinds are known.
	Bare bool `json:"-"`
}

// SearchFilesArgs are the arguments of [SearchFiles], in both spellings.
type SearchFilesArgs struct {
	Path         string   `json:"path"`
	Pattern      string   `json:"pattern"`
	Exclude      []string `json:"excludePatterns,omitempty"`
	ExcludeSnake []string `json:"exclude_patterns,omitempty"`
}

// SearchResult are the paths found.
type SearchResult struct {
	Paths     []string `json:"paths"`
	Truncated bool     `json:"truncated,omitempty"`
}

// MultipleFiles are the files that [ReadMultipleFiles] read.
type MultipleFiles struct {
	Files []NamedContent `json:"files"`
	// Bare says that the content came as text, from which neither bytes nor
	// errors can be told for certain.
	Bare bool `json:"-"`
}

// NamedContent is a file's content, or why there is none.
type NamedContent struct {
	Path      string `json:"path"`
	Content   []byte `json:"content"`
	Error     string `json:"error,omitempty"`
	ErrorCode string `json:"errorCode,omitempty"`
}

// Kinds of change and of path in a [FileChange].
const (
	ChangeCreate = "create"
	ChangeModify = "modify"
	ChangeDelete = "delete"
	PathFile     = "file"
	PathDir      = "directory"
)

// FileChange is something that happened to a file.
type FileChange struct {
	EventType string `json:"eventType"`
	Path      string `json:"path"`
	PathType  string `json:"pathType"`
}
