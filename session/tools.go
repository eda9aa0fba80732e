package session

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"time"

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

// ToolsOptions are the options of [Session.Tools]. Nil is ready to use.
type ToolsOptions struct {
	// ImageID is the image whose tools to list. Empty means the session's. A
	// handle of a session of the hosted service that came from an id knows no
	// image.
	ImageID string
}

// Tools lists the tools of the session's image. When the hosted service would
// have to be asked and there is no image to ask for, the error has code
// [apierr.InvalidArgument].
func (s *Session) Tools(ctx context.Context, opts *ToolsOptions) (*ToolsResult, error) {
	image := s.ImageID
	if opts != nil && opts.ImageID != "" {
		image = opts.ImageID
	}
	if image == "" && !s.t.Embedded() {
		return nil, s.fail(apierr.Errorf(apierr.InvalidArgument, "there is no image id").WithHint("set ToolsOptions.ImageID"), "Tools")
	}
	resp, meta, err := transport.Do(ctx, s.t, wire.ListTools, wire.ListToolsRequest{ImageID: image})
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

// DefaultToolTimeout is how long a tool may take when [CallToolOptions] does
// not say.
const DefaultToolTimeout = time.Minute

// CallToolOptions are the options of [Session.CallTool]. Nil and the zero value
// are ready to use.
type CallToolOptions struct {
	// Timeout is how long the tool may take; 0 means [DefaultToolTimeout]. The
	// answer is waited for that long and the client's own timeout besides. The
	// tool does not learn of it: many have a timeout among their arguments.
	Timeout time.Duration
}

// CallTool calls a tool by its name, for tools that have no method of their
// own. args is encoded as a JSON object; nil means no arguments. As it travels
// in JSON a call has at most 4 MiB. It is never sent twice if it may have been
// performed.
//
// When the tool itself fails, the error says why and the result is there
// beside it; with every other error the result is nil.
func (s *Session) CallTool(ctx context.Context, name string, args any, opts *CallToolOptions) (*ToolResult, error) {
	text, err := argumentText(name, args)
	if err != nil {
		return nil, s.fail(err, "CallTool")
	}
	timeout := DefaultToolTimeout
	switch {
	case opts == nil || opts.Timeout == 0:
	case opts.Timeout < 0:
		return nil, s.fail(apierr.Errorf(apierr.InvalidArgument, "timeout %v is negative", opts.Timeout), "CallTool")
	default:
		timeout = opts.Timeout
	}
	resp, meta, err := transport.CallRaw(ctx, s.t, s.ID, name, text, false, timeout)
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
