package wire_test

import (
	"encoding/json"
	"io/fs"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

// survives checks that out comes back as it was, through all of the JSON that
// it travels in.
func survives[Args, Out any](t *testing.T, tool wire.Tool[Args, Out], out Out) *wire.CallToolResponse {
	t.Helper()
	resp, err := tool.Encode(out)
	require.NoError(t, err)
	env := &wire.Envelope{Success: true}
	require.NoError(t, wire.Seal(env, &resp))
	b, err := json.Marshal(env)
	require.NoError(t, err)
	var arrived wire.Envelope
	require.NoError(t, json.Unmarshal(b, &arrived))
	opened, err := wire.Open[wire.CallToolResponse](&arrived)
	require.NoError(t, err)
	got, err := tool.Decode(&opened)
	require.NoError(t, err)
	require.Equal(t, out, got)
	return &opened
}

func TestToolsRoundTrip(t *testing.T) {
	odd := "a\nb: <>&\"\\ü\u2028\n---\n"
	when := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	file := wire.FileInfo{Path: odd, Size: 1 << 40, Mode: uint32(fs.ModeSymlink | 0o640), Modified: when, Target: odd}
	one := 1

	require.False(t, survives(t, wire.Shell, wire.ShellResult{Stdout: odd, Stderr: odd, StdoutBytes: []byte{0xff}}).IsError)
	require.True(t, survives(t, wire.Shell, wire.ShellResult{ExitCode: 1, ErrorCode: &one, TraceID: odd}).IsError)
	require.True(t, survives(t, wire.Shell, wire.ShellResult{TimedOut: true, StdoutDropped: 1, StderrDropped: 2}).IsError)
	require.True(t, survives(t, wire.Shell, wire.ShellResult{
		CPULimited: true, OOMKilled: true, ExecUsage: wire.ExecUsage{DurationUS: 5, CPUTimeUS: 6, MaxRSS: 7},
	}).IsError)
	code := wire.RunCodeResult{
		Results: []wire.JSONText[wire.CodeItem]{{V: wire.CodeItem{"text/plain": odd, wire.ItemMain: true}}},
		Stdout:  []string{odd}, Stderr: []string{}, ExecutionError: odd, Error: &wire.CodeError{Name: odd, Value: odd, Traceback: odd},
	}
	code.SetExecution(3, 1500*time.Millisecond)
	survives(t, wire.RunCode, code)
	survives(t, wire.GetMetrics, wire.Metrics{CPUCount: 2, CPUUsedPct: 1.5, MemTotal: 1 << 40, RxRate: 0.25, Timestamp: odd})
	survives(t, wire.ReadFile, wire.FileContent{Text: odd})
	survives(t, wire.EditFile, wire.EditResult{Content: odd})
	for _, tool := range []wire.Tool[wire.PathArgs, wire.Done]{wire.CreateDirectory, wire.DeleteFile} {
		survives(t, tool, wire.Done{Message: odd})
	}
	survives(t, wire.WriteFile, wire.Done{Message: odd})
	survives(t, wire.MoveFile, wire.Done{Message: odd})
	survives(t, wire.GetFileInfo, file)
	survives(t, wire.ListDirectory, wire.Listing{Entries: []wire.FileInfo{file, {Path: "d", IsDir: true, Modified: when}}})
	survives(t, wire.SearchFiles, wire.SearchResult{Paths: []string{odd, "/x"}, Truncated: true})
	survives(t, wire.ReadMultipleFiles, wire.MultipleFiles{Files: []wire.NamedContent{
		{Path: odd, Content: []byte{0, 0xff}}, {Path: "/x", Error: odd, ErrorCode: "NotFound"},
	}})
	survives(t, wire.GetFileChange, []wire.FileChange{{EventType: wire.ChangeCreate, Path: odd, PathType: wire.PathDir}})
}

// text returns what AGB's own clients are given.
func text[Args, Out any](t *testing.T, tool wire.Tool[Args, Out], out Out) string {
	t.Helper()
	resp, err := tool.Encode(out)
	require.NoError(t, err)
	return resp.Text()
}

// onlyText decodes what a server that has no more than AGB's text would send.
func onlyText[Args, Out any](t *testing.T, tool wire.Tool[Args, Out], s string) Out {
	t.Helper()
	out, err := tool.Decode(&wire.CallToolResponse{Content: []wire.Content{{Type: "text", Text: s}}})
	require.NoError(t, err)
	return out
}

func TestTextForms(t *testing.T) {
	when := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	info := text(t, wire.GetFileInfo, wire.FileInfo{Path: "/d/a", Size: 7, Mode: 0o640, Modified: when})
	require.Equal(t, "path: /d/a\nname: a\nsize: 7\nisDirectory: false\ntype: file\npermissions: 640\nmode: 640\n"+
		"modified: 2026-01-02T03:04:05Z\nmodTime: 2026-01-02T03:04:05Z\n", info)
	require.Equal(t, wire.FileInfo{Path: "/d/a", Size: 7, Mode: 0o640, Modified: when}, onlyText(t, wire.GetFileInfo, info))
	require.Equal(t, wire.FileInfo{Size: 7, Mode: 0o600, Modified: when}, onlyText(t, wire.GetFileInfo, "size: 7\nmode: 600\nmodTime: 2026-01-02T03:04:05Z\n"))

	entries := []wire.FileInfo{{Path: "d", IsDir: true}, {Path: "a\nb"}}
	require.Equal(t, "[DIR] d\n[FILE] a\\nb\n", text(t, wire.ListDirectory, wire.Listing{Entries: entries}))
	require.Len(t, onlyText(t, wire.ListDirectory, "total 2\n[DIR] d\n[FILE] f\r\n\n").Entries, 2)

	require.Equal(t, "No matches found", text(t, wire.SearchFiles, wire.SearchResult{}))
	require.Empty(t, onlyText(t, wire.SearchFiles, "No matches found").Paths)
	require.Equal(t, "/a\n/b", text(t, wire.SearchFiles, wire.SearchResult{Paths: []string{"/a", "/b"}}))
	require.Equal(t, []string{"/a", "/b"}, onlyText(t, wire.SearchFiles, "/a\n/b").Paths)

	files := []wire.NamedContent{{Path: "/a", Content: []byte("x\ny")}, {Path: "/b", Error: "not found"}}
	several := text(t, wire.ReadMultipleFiles, wire.MultipleFiles{Files: files})
	require.Equal(t, "/a:\nx\ny\n---\n/b:\nError: not found", several)
	require.Equal(t, []byte("x\ny"), onlyText(t, wire.ReadMultipleFiles, several).Files[0].Content)

	require.JSONEq(t, `[{"eventType":"modify","path":"/a","pathType":"file"}]`,
		text(t, wire.GetFileChange, []wire.FileChange{{EventType: wire.ChangeModify, Path: "/a", PathType: wire.PathFile}}))
}

func TestRunCodeTravelsInFormatThree(t *testing.T) {
	r := wire.RunCodeResult{Results: []wire.JSONText[wire.CodeItem]{{V: wire.CodeItem{wire.ItemMain: true}}}, Stdout: []string{}, Stderr: []string{}}
	r.SetExecution(1, time.Second)
	var m map[string]any
	require.NoError(t, json.Unmarshal([]byte(text(t, wire.RunCode, r)), &m))
	require.Equal(t, []any{`{"isMainResult":true}`}, m["result"])
	for _, key := range []string{"execution_count", "executionCount", "execution_time", "executionTime"} {
		require.EqualValues(t, 1, m[key], key)
	}
}

func TestDecodeRefuses(t *testing.T) {
	_, err := wire.RunCode.Decode(&wire.CallToolResponse{})
	require.Error(t, err)
	_, err = wire.GetFileInfo.Decode(&wire.CallToolResponse{Content: []wire.Content{{Type: "text", Text: "size: many\n"}}})
	require.Error(t, err)
}

func TestResponseText(t *testing.T) {
	r := &wire.CallToolResponse{Content: []wire.Content{
		{Type: "image", Data: "aW1n"}, {Type: "text", Text: ""}, {Type: "text", Text: "b"},
	}}
	require.Equal(t, "\nb", r.Text())
	r.Content = r.Content[:1]
	require.Equal(t, "aW1n", r.Text())
	require.Empty(t, (&wire.CallToolResponse{}).Text())
}

func TestNothingIsEscapedForHTML(t *testing.T) {
	env := &wire.Envelope{}
	require.NoError(t, wire.Seal(env, &wire.GetLabelsResponse{Labels: wire.TextOf(map[string]string{"<": "&>"})}))
	require.NotContains(t, string(env.Data), `\u00`)
}
