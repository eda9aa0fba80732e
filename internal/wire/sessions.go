package wire

import (
	"encoding/json"
	"time"
)

// Operations on sessions.
var (
	CreateSession = Op[CreateSessionRequest, CreateSessionResponse]{Name: "CreateSession", Pattern: "POST /mcp/createSession", Keyed: CreateKey}
	GetSession    = Op[SessionRequest, GetSessionResponse]{Name: "GetSession", Pattern: "POST /mcp/getSession", Repeatable: true}
	// SessionStatus does not count as activity.
	SessionStatus  = Op[SessionRequest, SessionStatusResponse]{Name: "SessionStatus", Pattern: "POST /mcp/getSessionInfo", Repeatable: true}
	ListSessions   = Op[ListSessionsRequest, ListSessionsResponse]{Name: "ListSessions", Pattern: "GET /sdk/ListSession", Repeatable: true}
	DeleteSession  = Op[SessionRequest, Empty]{Name: "DeleteSession", Pattern: "POST /mcp/releaseSessionAsync", Repeatable: true}
	ReleaseSession = Op[SessionRequest, Empty]{Name: "ReleaseSession", Pattern: "POST /mcp/releaseSession", Repeatable: true}
	KeepAlive      = Op[SessionQuery, Empty]{Name: "KeepAlive", Pattern: "POST /mcp/refreshSessionIdleTime", Repeatable: true}
	SetLabels      = Op[SetLabelsRequest, Empty]{Name: "SetLabels", Pattern: "POST /sdk/SetLabel", Repeatable: true}
	GetLabels      = Op[SessionQuery, GetLabelsResponse]{Name: "GetLabels", Pattern: "GET /sdk/GetLabel", Repeatable: true}
	SessionInfo    = Op[SessionRequest, SessionInfoResponse]{Name: "SessionInfo", Pattern: "POST /mcp/getMcpResource", Repeatable: true}
	GetLink        = Op[GetLinkRequest, GetLinkResponse]{Name: "GetLink", Pattern: "GET /internet/getLink", Repeatable: true}
	// GetLinkAsync is the path that the asynchronous client uses for [GetLink].
	GetLinkAsync = Op[GetLinkRequest, GetLinkResponse]{Name: "GetLink", Pattern: "GET /mcp/getLink", Repeatable: true}
)

// Statuses of a session.
const (
	StatusRunning = "RUNNING"
	StatusPaused  = "PAUSED" // ours
	StatusFinish  = "FINISH"
	StatusDeleted = "DELETED"
)

// Empty is a request or response with nothing in it.
type Empty struct{}

// SessionRequest names a session in the body.
type SessionRequest struct {
	SessionID string `json:"sessionId"`
}

// SessionQuery names a session in the query.
type SessionQuery struct {
	SessionID string `query:"sessionId" json:"-"`
}

// CreateSessionRequest asks for a session.
type CreateSessionRequest struct {
	ImageID string                       `query:"imageId" json:"-"`
	Stats   *JSONText[Stats]             `query:"sdkStats,omitempty" json:"-"`
	Labels  *JSONText[map[string]string] `json:"labels,omitempty"`
	Policy  string                       `json:"mcpPolicyId,omitempty"`
	Timeout int                          `json:"timeout,omitempty"` // idle release, seconds
	// Contexts are mounts of persistent storage.
	Contexts []ContextMount `json:"persistenceDataList,omitempty"`

	// Ours. Absent they are left to the server.
	LifetimeMS *int64  `json:"lifetimeMs,omitempty"` // of the session
	Limits     *Limits `json:"limits,omitempty"`
}

// ContextMount mounts a context at a path of a session.
type ContextMount struct {
	ContextID string          `json:"contextId"`
	Path      string          `json:"path"`
	Policy    json.RawMessage `json:"policy,omitempty"`
}

// Stats says which SDK asks.
type Stats struct {
	Source    string `json:"source"`
	Language  string `json:"sdk_language"`
	Version   string `json:"sdk_version"`
	IsRelease bool   `json:"is_release"`
}

// SessionHandle is what a server says of a session that it made or found.
type SessionHandle struct {
	SessionID     string   `json:"sessionId,omitempty"`
	AppInstanceID string   `json:"appInstanceId,omitempty"`
	ResourceID    string   `json:"resourceId,omitempty"`
	ResourceURL   string   `json:"resourceUrl,omitempty"`
	LinkURL       string   `json:"linkUrl,omitempty"`
	WSURL         string   `json:"wsUrl,omitempty"`
	Token         string   `json:"token,omitempty"`
	ToolList      ToolList `json:"toolList,omitempty"`
	ImageID       string   `json:"imageId,omitempty"` // ours
}

// CreateSessionResponse describes the new session, or says in ErrMsg why there
// is none: AGB's clients look at nothing else.
type CreateSessionResponse struct {
	SessionHandle
	Success *bool  `json:"success,omitempty"`
	ErrMsg  string `json:"errMsg,omitempty"`
}

// Fail makes r say that there is no session, and why.
func (r *CreateSessionResponse) Fail(why string) {
	no := false
	*r = CreateSessionResponse{Success: &no, ErrMsg: why}
}

// GetSessionResponse describes a session.
type GetSessionResponse struct {
	SessionHandle
	Status string `json:"status,omitempty"`
}

// SessionStatusResponse is a session's status.
type SessionStatusResponse struct {
	Status string `json:"status"`
}

// ListSessionsRequest asks for a page of sessions.
type ListSessionsRequest struct {
	Labels     *JSONText[map[string]string] `query:"labels" json:"-"`
	MaxResults int                          `query:"maxResults" json:"-"`
	NextToken  string                       `query:"nextToken,omitempty" json:"-"`
	// Selector is ours. A server that honours it echoes it in
	// [Page.Selector]; from another the client must not take the answer.
	Selector string `query:"labelSelector,omitempty" json:"-"`
}

// ListSessionsResponse is a page of sessions.
type ListSessionsResponse struct {
	Sessions []SessionEntry
	Page     Page
}

// SessionEntry is a session in a list.
type SessionEntry struct {
	SessionID string `json:"sessionId"`
	Status    string `json:"sessionStatus"`
}

func (r *ListSessionsResponse) page() *Page { return &r.Page }

// MarshalJSON implements [json.Marshaler]: the data is the bare array.
func (r ListSessionsResponse) MarshalJSON() ([]byte, error) {
	if r.Sessions == nil {
		return []byte("[]"), nil
	}
	return json.Marshal(r.Sessions)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (r *ListSessionsResponse) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &r.Sessions)
}

// SetLabelsRequest replaces a session's labels.
type SetLabelsRequest struct {
	SessionID string                      `query:"sessionId" json:"-"`
	Labels    JSONText[map[string]string] `query:"Labels" json:"-"` // capital L
}

// GetLabelsResponse holds a session's labels.
type GetLabelsResponse struct {
	Labels *JSONText[map[string]string] `json:"labels,omitempty"`
}

// SessionInfoResponse says where a session can be looked at.
type SessionInfoResponse struct {
	SessionID   string   `json:"sessionId"`
	ResourceURL string   `json:"resourceUrl"`
	Desktop     *Desktop `json:"desktopInfo,omitempty"`
	IsError     bool     `json:"isError,omitempty"`
	ErrMsg      string   `json:"errMsg,omitempty"`

	// Ours.
	ImageID     string     `json:"imageId,omitempty"`
	Runtime     string     `json:"runtime,omitempty"` // what kind of sandbox it is
	Status      string     `json:"status,omitempty"`
	CreatedAt   *time.Time `json:"createdAt,omitempty"`
	IdleTimeout int        `json:"idleTimeout,omitempty"` // seconds
	Ends
	Limits    *Limits `json:"limits,omitempty"` // in force
	Isolation []Layer `json:"isolation,omitempty"`
}

// Ends are the times at which a session ends, absent when there is no such end.
type Ends struct {
	ExpiresAt     *time.Time `json:"expiresAt,omitempty"`     // of the whole life
	IdleExpiresAt *time.Time `json:"idleExpiresAt,omitempty"` // if nothing happens until then
}

// Layer is a layer of a session's isolation, or a limit that is enforced.
type Layer struct {
	Name   string `json:"name"`
	Active bool   `json:"active"` // verified to be
	Detail string `json:"detail,omitempty"`
}

// Desktop is the streaming access of sessions that have a screen.
type Desktop struct {
	AppID                string `json:"appId,omitempty"`
	AuthCode             string `json:"authCode,omitempty"`
	ConnectionProperties string `json:"connectionProperties,omitempty"`
	ResourceID           string `json:"resourceId,omitempty"`
	ResourceType         string `json:"resourceType,omitempty"`
	Ticket               string `json:"ticket,omitempty"`
}

// GetLinkRequest asks for a URL of a port of a session.
type GetLinkRequest struct {
	SessionID string `query:"sessionId" json:"-"`
	Protocol  string `query:"protocolType,omitempty" json:"-"`
	Port      *int   `query:"port,omitempty" json:"-"`
}

// GetLinkResponse is that URL.
type GetLinkResponse struct {
	URL string `json:"url"`
}
