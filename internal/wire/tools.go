package wire

import "encoding/json"

// Operations on tools.
var (
	CallTool  = Op[CallToolRequest, CallToolResponse]{Name: "CallTool", Pattern: "POST /mcp"}
	ListTools = Op[ListToolsRequest, ListToolsResponse]{Name: "ListTools", Pattern: "POST /mcp/listTools", Repeatable: true}
)

// CallToolRequest calls a tool. Args is the tool's own argument object, as
// JSON text.
type CallToolRequest struct {
	AutoGenSession bool   `query:"autoGenSession" json:"-"`
	ImageID        string `query:"imageId,omitempty" json:"-"`
	SessionID      string `json:"sessionId"`
	Name           string `json:"name"`
	Args           string `json:"args"`
	Server         string `json:"server,omitempty"`
}

// CallToolResponse is what a tool said.
type CallToolResponse struct {
	Content []Content `json:"content"`
	IsError bool      `json:"isError"`

	// Ours: the result as data, and what a failure is.
	Structured json.RawMessage `json:"structuredContent,omitempty"`
	ErrorCode  string          `json:"errorCode,omitempty"`
	ErrorHint  string          `json:"errorHint,omitempty"`

	Holes []Hole `json:"-"` // of what was encoded
}

// UnmarshalJSON implements [json.Unmarshaler]. AGB sends an object, or an
// object as text.
func (r *CallToolResponse) UnmarshalJSON(b []byte) error {
	type plain CallToolResponse
	var t JSONText[plain]
	if err := t.UnmarshalJSON(b); err != nil {
		return err
	}
	*r = CallToolResponse(t.V)
	return nil
}

// Content is a part of what a tool said.
type Content struct {
	Type     string `json:"type"` // text or image
	Text     string `json:"text,omitempty"`
	Data     string `json:"data,omitempty"` // of an image, base64
	Blob     string `json:"blob,omitempty"` // the same, from some servers
	MIMEType string `json:"mimeType,omitempty"`
}

// MarshalJSON implements [json.Marshaler]. A text has its text, even if that is
// empty.
func (c Content) MarshalJSON() ([]byte, error) {
	type plain Content
	if c.Type != "text" {
		return marshal(plain(c))
	}
	return marshal(struct {
		plain
		Text string `json:"text"`
	}{plain(c), c.Text})
}

// Text returns all that was said: the texts, a line each, else the first image
// in base64.
func (r *CallToolResponse) Text() string {
	var text string
	found := false
	for _, c := range r.Content {
		if c.Type == "text" {
			if found {
				text += "\n"
			}
			text += c.Text
			found = true
		}
	}
	if found {
		return text
	}
	for _, c := range r.Content {
		if c.Type == "image" {
			return c.Data + c.Blob
		}
	}
	return ""
}

// ListToolsRequest asks for the tools of an image.
type ListToolsRequest struct {
	ImageID string `query:"imageId" json:"-"`
}

// ListToolsResponse are the tools: data is JSON text.
type ListToolsResponse struct {
	Tools []ToolEntry
}

// MarshalJSON implements [json.Marshaler].
func (r ListToolsResponse) MarshalJSON() ([]byte, error) {
	if r.Tools == nil {
		r.Tools = []ToolEntry{}
	}
	return TextOf(r.Tools).MarshalJSON()
}

// UnmarshalJSON implements [json.Unmarshaler].
func (r *ListToolsResponse) UnmarshalJSON(b []byte) error {
	var t JSONText[[]ToolEntry]
	err := t.UnmarshalJSON(b)
	r.Tools = t.V
	return err
}

// ToolEntry describes a tool.
type ToolEntry struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	InputSchema json.RawMessage `json:"inputSchema,omitempty"`
	Server      string          `json:"server,omitempty"`
	Tool        string          `json:"tool,omitempty"`
}
