package httpapi

import (
	"cmp"
	"context"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// Servers that tools belong to. Clients use them to route calls and take any
// name; these are AGB's.
const (
	serverShell = "wuying_shell"
	serverCode  = wire.CodeServer
	serverFiles = "wuying_filesystem"
	serverOther = "mcp-server"
)

// resultLimit bounds what a tool's result is as JSON. Clients of this module
// take answers of up to 16 MiB.
const resultLimit = 15 << 20

// argsDepth bounds the nesting of a tool's arguments.
const argsDepth = 32

// toolset is the tools, in the order in which they are listed.
type toolset struct {
	byName  map[string]toolFunc
	entries []wire.ToolEntry
}

// servers returns which server has which tool.
func (ts *toolset) servers() wire.ToolList {
	list := make(wire.ToolList, len(ts.entries))
	for i, entry := range ts.entries {
		list[i] = wire.ToolEntry{Name: entry.Name, Server: entry.Server}
	}
	return list
}

// toolFunc performs a tool. Its errors are the tool's.
type toolFunc func(ctx context.Context, ws *Workspace, args string) (*wire.CallToolResponse, error)

// tool makes t callable and has fn answer.
func tool[Args, Out any](a *API, server string, t wire.Tool[Args, Out], fn func(context.Context, *Workspace, Args) (Out, error)) {
	if a.tools.byName == nil {
		a.tools.byName = map[string]toolFunc{}
	}
	a.tools.entries = append(a.tools.entries, wire.ToolEntry{
		Name: t.Name, Description: t.Description, InputSchema: wire.SchemaOf[Args](), Server: server, Tool: t.Name,
	})
	a.tools.byName[t.Name] = func(ctx context.Context, ws *Workspace, raw string) (*wire.CallToolResponse, error) {
		args, err := decodeArgs[Args](t.Name, raw)
		if err != nil {
			return nil, err
		}
		out, err := fn(ctx, ws, args)
		if err != nil {
			return nil, err
		}
		resp, err := t.Encode(out)
		if err != nil {
			return nil, err
		}
		size := len(resp.Structured)
		for _, c := range resp.Content {
			size += encodedLen(c.Text)
		}
		if size > resultLimit {
			return nil, apierr.Errorf(apierr.ResourceExhausted, "%s: the result is too large: %d bytes, at most %d are sent", t.Name, size, resultLimit).
				WithHint("ask for less at a time")
		}
		return &resp, nil
	}
}

// decodeArgs reads a tool's arguments. No text is an empty object.
func decodeArgs[Args any](name, raw string) (args Args, err error) {
	b := []byte(cmp.Or(raw, "{}"))
	if err := wire.CheckDepth(b, argsDepth); err != nil {
		return args, apierr.Errorf(apierr.InvalidArgument, "%s: invalid arguments: %w", name, err)
	}
	if err := wire.Unmarshal(b, &args); err != nil {
		return args, apierr.Errorf(apierr.InvalidArgument, "%s: invalid arguments: %w", name, err)
	}
	return args, nil
}

// callTool performs a tool in a session. What the tool could not do is a
// result of the call; the call itself fails only when it never reached the
// tool, or the session ended.
func (a *API) callTool(ctx context.Context, by caller, req wire.CallToolRequest) (*wire.CallToolResponse, error) {
	var resp *wire.CallToolResponse
	err := a.cfg.Engine.Do(ctx, by.tenant, req.SessionID, func(inner context.Context, ws *Workspace) error {
		out, err := a.perform(inner, ws, req)
		resp = out
		return err
	})
	if err == nil {
		return resp, nil
	}
	if e := toolError(err); e != nil {
		return failedTool(e), nil
	}
	return nil, err
}

// perform finds and calls the tool.
func (a *API) perform(ctx context.Context, ws *Workspace, req wire.CallToolRequest) (*wire.CallToolResponse, error) {
	fn, ok := a.tools.byName[req.Name]
	switch {
	case ok:
	case unsupportedTools[req.Name] != "":
		return nil, asTool(apierr.Errorf(apierr.Unsupported, "tool %q is unsupported: this engine has no %s", req.Name, unsupportedTools[req.Name]))
	default:
		return nil, asTool(apierr.Errorf(apierr.Unsupported, "unknown tool %q", req.Name))
	}
	resp, err := fn(ctx, ws, req.Args)
	if err != nil {
		return nil, asTool(err)
	}
	return resp, nil
}

// failedTool is the answer of a tool that failed.
func failedTool(e *apierr.Error) *wire.CallToolResponse {
	code, _ := wire.Fault(e.Code)
	text := e.Message
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return &wire.CallToolResponse{
		IsError: true, Content: []wire.Content{{Type: "text", Text: text}}, ErrorCode: code, ErrorHint: e.Hint,
	}
}

func (a *API) listTools(_ context.Context, _ caller, _ wire.ListToolsRequest) (*wire.ListToolsResponse, error) {
	return &wire.ListToolsResponse{Tools: a.tools.entries}, nil
}

// Kinds of tools that the engine does not have.
const (
	forBrowsers = "browser sessions"
	forDesktops = "desktop sessions"
)

// unsupportedTools are AGB's tools that the engine does not have.
var unsupportedTools = func() map[string]string {
	m := map[string]string{}
	for _, name := range []string{
		"stopChrome", "page_use_navigate", "page_use_screenshot", "page_use_act_async", "page_use_get_act_result",
		"page_use_observe", "page_use_extract_async", "page_use_get_extract_result", "page_use_close_session",
	} {
		m[name] = forBrowsers
	}
	for _, name := range []string{
		"click_mouse", "move_mouse", "drag_mouse", "scroll", "get_cursor_position", "input_text", "press_keys", "release_keys",
		"get_screen_size", "system_screenshot", "screenshot", "list_root_windows", "get_active_window", "activate_window",
		"close_window", "maximize_window", "minimize_window", "restore_window", "fullscreen_window", "resize_window", "focus_mode",
		"start_app", "stop_app_by_pname", "stop_app_by_pid", "stop_app_by_cmd", "get_installed_apps", "list_visible_apps",
	} {
		m[name] = forDesktops
	}
	return m
}()
