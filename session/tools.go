package session

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

// Tool is something that sessions of an image can do.
type Tool struct {
	Name        string
	Description string
	InputSchema json.RawMessage // a JSON schema of the arguments; may be nil
	Server      string          // that provides the tool; may be empty
}

// ToolsResult is the outcome of [Session.Tools].
type ToolsResult struct {
	Tools     []Tool
	RequestID string
}

// Tools lists the tools of the session's image.
func (s *Session) Tools(ctx context.Context) (*ToolsResult, error) {
	resp, meta, err := transport.Do(ctx, s.t, wire.ListTools, wire.ListToolsRequest{ImageID: s.ImageID})
	if err != nil {
		return nil, s.fail(err, "Tools")
	}
	res := &ToolsResult{Tools: make([]Tool, len(resp.Tools)), RequestID: meta.RequestID}
	for i, t := range resp.Tools {
		res.Tools[i] = Tool{Name: t.Name, Description: t.Description, InputSchema: t.InputSchema, Server: t.Server}
	}
	return res, nil
}

// Content is a part of what a tool said.
type Content struct {
	Type     string // "text" or "image"
	Text     string
	Data     []byte // of an image
	MIMEType string
}

// ToolResult is what a tool said.
type ToolResult struct {
	// Text is all text, the parts a line each.
	Text string
	// Content are the parts.
	Content []Content
	// Structured is the result as data, when the server sent it, else nil.
	Structured json.RawMessage
	RequestID  string
}

// CallTool calls a tool by its name, for tools that have no method of their
// own. args is encoded as a JSON object; nil means no arguments. The call is
// never sent twice if it may have been performed. The tool has the time of the
// client's request timeout.
//
// When the tool itself fails, the error says why and the result is there
// beside it; with every other error the result is nil.
func (s *Session) CallTool(ctx context.Context, name string, args any) (*ToolResult, error) {
	text, err := argumentText(name, args)
	if err != nil {
		return nil, s.fail(err, "CallTool")
	}
	resp, meta, err := transport.CallRaw(ctx, s.t, s.ID, name, text, false, 0)
	if err != nil {
		return nil, s.fail(err, "CallTool")
	}
	res := &ToolResult{Text: resp.Text(), Structured: resp.Structured, RequestID: meta.RequestID}
	for _, c := range resp.Content {
		part := Content{Type: c.Type, Text: c.Text, MIMEType: c.MIMEType}
		if encoded := c.Data + c.Blob; encoded != "" {
			if part.Data, err = base64.StdEncoding.DecodeString(encoded); err != nil {
				return nil, s.fail(&apierr.Error{
					Code: apierr.MalformedResponse, RequestID: meta.RequestID, Message: "an image is not base64", Cause: err,
				}, "CallTool")
			}
		}
		res.Content = append(res.Content, part)
	}
	if resp.IsError {
		return res, s.fail(transport.Failure(s.t, s.ID, name, meta, &resp), "CallTool")
	}
	return res, nil
}

// argumentText returns args as the text of a JSON object.
func argumentText(name string, args any) (string, error) {
	if name == "" {
		return "", apierr.Errorf(apierr.InvalidArgument, "the tool has no name")
	}
	if args == nil {
		return "{}", nil
	}
	b, err := wire.TextOf(args).MarshalText()
	if err != nil {
		return "", apierr.Errorf(apierr.InvalidArgument, "encode arguments: %w", err)
	}
	if !bytes.HasPrefix(b, []byte("{")) {
		return "", apierr.Errorf(apierr.InvalidArgument, "the arguments are not an object but %T", args)
	}
	return string(b), nil
}
