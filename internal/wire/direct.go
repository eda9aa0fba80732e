package wire

import (
	"cmp"
	"encoding/json"
	"strings"
)

// Routes B and C of AGB: besides [CallTool] a session may offer, in its
// [SessionHandle], to be called directly, and over a WebSocket. Either needs no
// key but the session's token.

// HeaderAccessToken carries a session's token.
const HeaderAccessToken = "X-Access-Token"

// Paths below a session's URLs.
const (
	// DirectCallPath follows [SessionHandle.LinkURL].
	DirectCallPath = "/callTool"
	// DirectStreamPath is where the engine's [SessionHandle.WSURL] leads.
	DirectStreamPath = "/stream"
)

// ToolList is which server of a session has which tool. It travels as JSON text.
type ToolList []ToolEntry

// MarshalJSON implements [json.Marshaler].
func (l ToolList) MarshalJSON() ([]byte, error) { return TextOf([]ToolEntry(l)).MarshalJSON() }

// UnmarshalJSON implements [json.Unmarshaler]. It takes an array, too, and the
// other names that AGB's clients take. A list that is not understood is empty:
// the session it came with is there all the same.
func (l *ToolList) UnmarshalJSON(b []byte) error {
	var list JSONText[[]struct {
		Name       string `json:"name"`
		Server     string `json:"server"`
		ServerName string `json:"serverName"`
	}]
	*l = nil
	if list.UnmarshalJSON(b) != nil {
		return nil //nolint:nilerr // as said above
	}
	for _, tool := range list.V {
		*l = append(*l, ToolEntry{Name: tool.Name, Server: cmp.Or(tool.Server, tool.ServerName)})
	}
	return nil
}

// DirectCall calls a tool of the session that the URL is of. Its path is below
// [SessionHandle.LinkURL].
var DirectCall = Op[DirectCallRequest, DirectCallResponse]{Name: "DirectCall", Pattern: "POST " + DirectCallPath}

// DirectCallRequest is [CallToolRequest] by the direct route: Args is an object
// and no text, and the token travels here, too.
type DirectCallRequest struct {
	Args      json.RawMessage `json:"args"`
	Server    string          `json:"server"` // that the tool list names for the tool
	RequestID string          `json:"requestId"`
	Tool      string          `json:"tool"`
	Token     string          `json:"token"`
}

// DirectCallResponse is the answer, HTTP 200. Failures of the call itself are
// an [Envelope] with another status.
type DirectCallResponse struct {
	Code      int            `json:"code"` // 200
	RequestID string         `json:"requestId,omitempty"`
	Data      DirectCallData `json:"data"`
}

// DirectCallData holds what the tool said: one item of content.
type DirectCallData struct {
	RequestID string            `json:"requestId"`
	Result    *CallToolResponse `json:"result"`
}

// DirectResult returns what the tool said, of an answer as any of AGB's servers
// gives it: data may be an object or its text, and an item of content a mere
// string, or an object without a type. It is nil when the answer has no result.
func DirectResult(body []byte) (resp *CallToolResponse, requestID string, err error) {
	var answer struct {
		RequestID string `json:"requestId"`
		Data      *JSONText[struct {
			RequestID string          `json:"requestId"`
			Result    json.RawMessage `json:"result"`
		}] `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, "", err
	}
	requestID = answer.RequestID
	if answer.Data == nil {
		return nil, requestID, nil
	}
	if id := answer.Data.V.RequestID; id != "" {
		requestID = id
	}
	if !strings.HasPrefix(string(answer.Data.V.Result), "{") {
		return nil, requestID, nil
	}
	type object CallToolResponse // without the method that finds objects in text
	var result struct {
		object
		Content []directContent `json:"content"` // instead of the embedded
	}
	if err := json.Unmarshal(answer.Data.V.Result, &result); err != nil {
		return nil, requestID, err
	}
	resp = (*CallToolResponse)(&result.object)
	for _, c := range result.Content {
		resp.Content = append(resp.Content, Content(c))
	}
	return resp, requestID, nil
}

// directContent is a [Content] as direct answers have it.
type directContent Content

// UnmarshalJSON implements [json.Unmarshaler].
func (c *directContent) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		c.Type = "text"
		return json.Unmarshal(b, &c.Text)
	}
	type plain directContent
	if err := json.Unmarshal(b, (*plain)(c)); err != nil {
		return err
	}
	switch {
	case c.Type != "":
	case c.Text == "" && c.Data+c.Blob != "":
		c.Type = "image"
	default:
		c.Type = "text"
	}
	return nil
}
