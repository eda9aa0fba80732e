package wire

import "encoding/json"

// Operations of AGB's own transfer of files. A file travels by plain HTTP, to or
// from a URL that is good for itself, without a key; a sync then moves it
// between where the URL leads to and the session, and is waited for by polling:
//
//	C: POST /sdk/GetAndLoadInternalContext?sessionId=s-1&contextTypes=["file_transfer"]
//	S: [{"contextId":"c-1","contextType":"file_transfer","contextPath":"/tmp/t"}]
//	C: POST /sdk/GetContextFileUploadUrl?contextId=c-1&filePath=/tmp/t/a
//	S: {"url":"https://…","expireTime":1893553445}
//	C: PUT https://… with the content
//	C: POST /sdk/SyncContext?sessionId=s-1&contextId=c-1&path=/tmp/t&mode=download
//	C: GET /sdk/GetContextInfo?sessionId=s-1&contextId=c-1&path=/tmp/t&taskType=download
//	S: {"contextStatus":"[{\"type\":\"data\",\"data\":\"[{\\\"status\\\":\\\"Success\\\",…}]\"}]"}
//
// Modes and types of tasks are named from the side of the store: "download" is
// into the session.
var (
	LoadContext = Op[LoadContextRequest, LoadContextResponse]{Name: "LoadContext", Pattern: "POST /sdk/GetAndLoadInternalContext", Repeatable: true}
	UploadURL   = Op[FileURLRequest, FileURLResponse]{Name: "UploadURL", Pattern: "POST /sdk/GetContextFileUploadUrl", Repeatable: true}
	DownloadURL = Op[FileURLRequest, FileURLResponse]{Name: "DownloadURL", Pattern: "POST /sdk/GetContextFileDownloadUrl", Repeatable: true}
	SyncContext = Op[SyncContextRequest, Empty]{Name: "SyncContext", Pattern: "POST /sdk/SyncContext", Repeatable: true}
	// ContextInfo does not count as activity.
	ContextInfo = Op[ContextInfoRequest, ContextInfoResponse]{Name: "ContextInfo", Pattern: "GET /sdk/GetContextInfo", Repeatable: true}
)

// ContextFileTransfer is the type of the context that files are transferred by.
const ContextFileTransfer = "file_transfer"

// LoadContextRequest asks for contexts of a session, by their types.
type LoadContextRequest struct {
	SessionID string              `query:"sessionId" json:"-"`
	Types     *JSONText[[]string] `query:"contextTypes" json:"-"`
}

// LoadContextResponse is the contexts.
type LoadContextResponse struct{ Contexts []InternalContext }

// InternalContext is a context that the server keeps for a session.
type InternalContext struct {
	ID   string `json:"contextId"`
	Type string `json:"contextType"`
	Path string `json:"contextPath"` // where it is in the session
}

// MarshalJSON implements [json.Marshaler]: the data is the bare array.
func (r LoadContextResponse) MarshalJSON() ([]byte, error) {
	if r.Contexts == nil {
		return []byte("[]"), nil
	}
	return marshal(r.Contexts)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (r *LoadContextResponse) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &r.Contexts)
}

// FileURLRequest asks for a URL of a file.
type FileURLRequest struct {
	ContextID string `query:"contextId" json:"-"`
	Path      string `query:"filePath" json:"-"`
}

// FileURLResponse is that URL.
type FileURLResponse struct {
	URL     string `json:"url"`
	Expires int64  `json:"expireTime"` // seconds since 1970
}

// Modes of a sync, and types of tasks.
const (
	SyncUpload   = "upload"   // out of the session
	SyncDownload = "download" // into the session
)

// SyncContextRequest asks for a sync of a directory, or, without context and
// path, of all.
type SyncContextRequest struct {
	SessionID string `query:"sessionId" json:"-"`
	ContextID string `query:"contextId,omitempty" json:"-"`
	Path      string `query:"path,omitempty" json:"-"`
	Mode      string `query:"mode,omitempty" json:"-"`
}

// ContextInfoRequest asks for the tasks of syncs. Each field that is not empty
// narrows them down.
type ContextInfoRequest struct {
	SessionID string `query:"sessionId" json:"-"`
	ContextID string `query:"contextId,omitempty" json:"-"`
	Path      string `query:"path,omitempty" json:"-"`
	TaskType  string `query:"taskType,omitempty" json:"-"`
}

// ContextInfoResponse is the tasks of syncs, as JSON inside JSON inside JSON.
type ContextInfoResponse struct {
	Status JSONText[[]ContextStatus] `json:"contextStatus"`
}

// ContextStatus is a part of what there is to tell; that of type [StatusData] is
// of tasks.
type ContextStatus struct {
	Type string                  `json:"type"`
	Data JSONText[[]ContextTask] `json:"data"`
}

// StatusData is a type of [ContextStatus].
const StatusData = "data"

// ContextTask is a sync of a directory.
type ContextTask struct {
	ContextID string `json:"contextId"`
	Path      string `json:"path"`
	Error     string `json:"errorMessage"`
	Status    string `json:"status"`
	Started   int64  `json:"startTime"`  // seconds since 1970
	Finished  int64  `json:"finishTime"` // seconds since 1970
	Type      string `json:"taskType"`
}

// Statuses of a [ContextTask] that is over; any other means that it is not.
const (
	TaskSuccess = "Success"
	TaskFailed  = "Failed"
)
