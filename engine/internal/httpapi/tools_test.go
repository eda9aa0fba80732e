package httpapi_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/internal/wire"
)

func TestShell(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)

	r := shell(t, p, id, wire.ShellArgs{Command: "echo hi; echo err >&2; pwd; echo \"$X\"", Dir: "/tmp", Env: map[string]string{"X": "a b\nc"}})
	require.Equal(t, wire.ShellResult{Stdout: "hi\n/tmp\na b\nc\n", Stderr: "err\n", ExecUsage: r.ExecUsage}, r)
	require.Positive(t, r.DurationUS)
	require.Positive(t, r.CPUTimeUS)
	require.Positive(t, r.MaxRSS)

	r = shell(t, p, id, wire.ShellArgs{Command: "echo no >&2; exit 3"})
	require.Equal(t, 3, r.ExitCode)
	require.Equal(t, 3, *r.ErrorCode)
	require.Equal(t, "no\n", r.Stderr)
	require.NotEmpty(t, r.TraceID)

	r = shell(t, p, id, wire.ShellArgs{Command: "echo partial; sleep 60 & sleep 60", TimeoutMS: 300})
	require.True(t, r.TimedOut)
	require.NotZero(t, r.ExitCode)
	require.Equal(t, "partial\n", r.Stdout)

	r = shell(t, p, id, wire.ShellArgs{Command: "echo partial; while :; do :; done", CPUTimeoutMS: 200})
	require.True(t, r.CPULimited)
	require.False(t, r.TimedOut)
	require.NotZero(t, r.ExitCode)
	require.Equal(t, "partial\n", r.Stdout)
	require.GreaterOrEqual(t, r.CPUTimeUS, int64(150_000))

	r = shell(t, p, id, wire.ShellArgs{Command: `printf 'a\377b'`})
	require.Equal(t, "a\uFFFDb", r.Stdout)
	require.Equal(t, []byte("a\xffb"), r.StdoutBytes)

	r = shell(t, p, id, wire.ShellArgs{Command: "echo out; echo err >&2", Output: wire.OutputBytes})
	require.Equal(t, []string{"out\n", "err\n", "", ""}, []string{string(r.StdoutBytes), string(r.StderrBytes), r.Stdout, r.Stderr})

	start := time.Now()
	r = shell(t, p, id, wire.ShellArgs{Command: "nohup sleep 30 >/dev/null 2>&1 & echo started"})
	require.Equal(t, "started\n", r.Stdout)
	require.Less(t, time.Since(start), 10*time.Second, "a background child held the call")
	require.Eventually(t, func() bool { // once it is sleep, and not the shell that becomes it
		return strings.Contains(shell(t, p, id, wire.ShellArgs{Command: "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"}).Stdout, "sleep 30")
	}, 5*time.Second, 20*time.Millisecond)
}

func TestShellRefuses(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	for name, args := range map[string]wire.ShellArgs{
		"no command":              {},
		"negative timeout":        {Command: "true", TimeoutMS: -1},
		"endless timeout":         {Command: "true", TimeoutMS: 24*60*60*1000 + 1},
		"negative processor time": {Command: "true", CPUTimeoutMS: -1},
		"endless processor time":  {Command: "true", CPUTimeoutMS: 24*60*60*1000 + 1},
		"variable with =":         {Command: "true", Env: map[string]string{"A=B": "x"}},
		"variable with NUL":       {Command: "true", Env: map[string]string{"A": "\x00"}},
		"no name":                 {Command: "true", Env: map[string]string{"": "x"}},
		"NUL in command":          {Command: "true\x00"},
		"unknown output":          {Command: "true", Output: "xml"},
	} {
		require.Equal(t, "InvalidParameter", refuse(t, p, id, wire.Shell, args).ErrorCode, name)
	}
	require.NotEmpty(t, refuse(t, p, id, wire.Shell, wire.ShellArgs{Command: "true", Dir: "/nowhere"}).ErrorCode)
}

// TestLargeOutputs checks that what a command writes never makes an answer
// that clients refuse, and that nothing is left out silently.
func TestLargeOutputs(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfBytes)
	p := newPeer(t)
	id := p.create(t, nil)
	for name, c := range map[string]struct {
		command string
		output  string
		total   int64 // of both streams
		kept    int   // at least
	}{
		"text beyond":     {"head -c 10485770 /dev/zero | tr '\\0' x", "", 10<<20 + 10, 10 << 20},
		"both":            {"head -c 10485760 /dev/zero | tr '\\0' x | tee /dev/stderr", "", 20 << 20, 13 << 20},
		"shortest lines":  {"yes | head -c 9000000", "", 9_000_000, 7 << 20},
		"control bytes":   {"head -c 10485760 /dev/zero", "", 10 << 20, 2 << 20},
		"bytes, not text": {"head -c 10485760 /dev/zero | tr '\\0' '\\377'", "", 10 << 20, 5 << 19},
		"asked for, one":  {"head -c 10485770 /dev/zero", wire.OutputBytes, 10<<20 + 10, 10 << 20},
		"asked for, both": {"head -c 10485760 /dev/zero | tee /dev/stderr", wire.OutputBytes, 20 << 20, 10 << 20},
	} {
		text, err := json.Marshal(wire.ShellArgs{Command: c.command, Output: c.output})
		require.NoError(t, err)
		resp, a := ask(t, p, wire.CallTool, wire.CallToolRequest{SessionID: id, Name: wire.Shell.Name, Args: string(text)})
		require.LessOrEqual(t, len(a.body), 16<<20, name)
		r, err := wire.Shell.Decode(&resp)
		require.NoError(t, err, name)
		kept := len(r.Stdout) + len(r.Stderr)
		if r.StdoutBytes != nil {
			kept = len(r.StdoutBytes) + len(r.StderrBytes)
		}
		require.Equal(t, c.total, int64(kept)+r.StdoutDropped+r.StderrDropped, name)
		require.GreaterOrEqual(t, kept, c.kept, name)
	}
}

func TestToolErrors(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	call := func(name, args string) *wire.CallToolResponse {
		resp, a := ask(t, p, wire.CallTool, wire.CallToolRequest{SessionID: id, Name: name, Args: args})
		require.True(t, a.Success)
		require.Empty(t, a.Message, "a message would hide the tool's own text")
		require.True(t, resp.IsError, name)
		require.Len(t, resp.Content, 1)
		return &resp
	}
	require.Contains(t, call("no_such_tool", "").Text(), "unknown tool")
	require.Equal(t, "Unsupported", call("click_mouse", `{"x":1}`).ErrorCode)
	require.Equal(t, "Unsupported", call("page_use_navigate", "").ErrorCode)
	tools := must(t, p, wire.ListTools, wire.ListToolsRequest{ImageID: "host"})
	for _, tool := range tools.Tools {
		if tool.Name != wire.GetMetrics.Name {
			require.Equal(t, "InvalidParameter", call(tool.Name, "").ErrorCode, tool.Name)
		}
		for _, args := range []string{"[]", "{", "{} {}", `"x"`, strings.Repeat(`[`, 1000), `{"a":` + strings.Repeat(`[`, 33) + strings.Repeat(`]`, 33) + `}`} {
			require.Equal(t, "InvalidParameter", call(tool.Name, args).ErrorCode, "%s %s", tool.Name, args)
		}
	}
}

func TestArgumentsMayBeFloats(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	call := func(name, args string) *wire.CallToolResponse {
		resp := must(t, p, wire.CallTool, wire.CallToolRequest{SessionID: id, Name: name, Args: args})
		return &resp
	}
	get(t, p, id, wire.WriteFile, wire.WriteFileArgs{Path: "/tmp/f", Content: "text"})
	require.Equal(t, "ex", call(wire.ReadFile.Name, `{"path":"/tmp/f","offset":1.0,"length":2.0}`).Text())
	require.False(t, call(wire.Shell.Name, `{"command":"true","timeout_ms":10000.0}`).IsError)
	require.False(t, call(wire.RunCode.Name, `{"code":"true","language":"bash","timeout_s":60.0}`).IsError)
	wrong := call(wire.Shell.Name, `{"command":"true","timeout_ms":"1s"}`)
	require.True(t, wrong.IsError)
	require.Equal(t, "shell: invalid arguments: timeout_ms: want an integer", wrong.Text())
}

func TestFiles(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	read := func(path string) string { return get(t, p, id, wire.ReadFile, wire.ReadFileArgs{Path: path}).Text }

	get(t, p, id, wire.WriteFile, wire.WriteFileArgs{Path: "/tmp/d/a.txt", Content: "one\n"})
	get(t, p, id, wire.WriteFile, wire.WriteFileArgs{Path: "/tmp/d/a.txt", Content: "two\n", Mode: wire.WriteAppend})
	require.Equal(t, "one\ntwo\n", read("/tmp/d/a.txt"))
	require.Equal(t, "AlreadyExists", refuse(t, p, id, wire.WriteFile, wire.WriteFileArgs{Path: "/tmp/d/a.txt", Mode: wire.WriteCreateNew}).ErrorCode)
	require.Equal(t, "InvalidParameter", refuse(t, p, id, wire.WriteFile, wire.WriteFileArgs{Path: "/tmp/d/a.txt", Mode: "w"}).ErrorCode)

	edits := []wire.FileEdit{{OldText: "one", NewText: "1"}}
	require.Equal(t, "1\ntwo\n", get(t, p, id, wire.EditFile, wire.EditFileArgs{Path: "/tmp/d/a.txt", Edits: edits, DryRun: true}).Content)
	require.Equal(t, "one\ntwo\n", read("/tmp/d/a.txt"))
	get(t, p, id, wire.EditFile, wire.EditFileArgs{Path: "/tmp/d/a.txt", Edits: edits})
	require.Equal(t, "1\ntwo\n", read("/tmp/d/a.txt"))
	require.Equal(t, "FailedPrecondition", refuse(t, p, id, wire.EditFile, wire.EditFileArgs{Path: "/tmp/d/a.txt", Edits: edits}).ErrorCode)

	for range 2 { // once more on what exists
		get(t, p, id, wire.CreateDirectory, wire.PathArgs{Path: "/tmp/d/e/f/"})
	}
	info := get(t, p, id, wire.GetFileInfo, wire.PathArgs{Path: "/tmp/d/a.txt"})
	require.EqualValues(t, 6, info.Size)
	require.False(t, info.IsDir)
	require.True(t, get(t, p, id, wire.GetFileInfo, wire.PathArgs{Path: "/tmp/d/e"}).IsDir)
	listing := use(t, p, id, wire.ListDirectory, wire.PathArgs{Path: "/tmp/d"})
	require.Equal(t, "[FILE] a.txt\n[DIR] e\n", listing.Text())

	get(t, p, id, wire.MoveFile, wire.MoveFileArgs{Source: "/tmp/d/a.txt", Destination: "/tmp/d/e/b.txt"})
	search := func(args string) string {
		return must(t, p, wire.CallTool, wire.CallToolRequest{SessionID: id, Name: wire.SearchFiles.Name, Args: args}).Content[0].Text
	}
	require.Equal(t, "/tmp/d/e/b.txt", search(`{"path":"/tmp/d","pattern":"*.txt"}`))
	require.Equal(t, "No matches found", search(`{"path":"/tmp/d","pattern":"*.txt","excludePatterns":["e"]}`))
	require.Equal(t, "No matches found", search(`{"path":"/tmp/d","pattern":"*.txt","exclude_patterns":["b.*"]}`))

	get(t, p, id, wire.DeleteFile, wire.PathArgs{Path: "/tmp/d"})
	missing := wire.PathArgs{Path: "/tmp/d"}
	for _, resp := range []*wire.CallToolResponse{
		refuse(t, p, id, wire.GetFileInfo, missing), refuse(t, p, id, wire.ListDirectory, missing), refuse(t, p, id, wire.DeleteFile, missing),
		refuse(t, p, id, wire.ReadFile, wire.ReadFileArgs{Path: "/tmp/d"}),
		refuse(t, p, id, wire.MoveFile, wire.MoveFileArgs{Source: "/tmp/d", Destination: "/tmp/x"}),
		refuse(t, p, id, wire.EditFile, wire.EditFileArgs{Path: "/tmp/d", Edits: edits}),
	} {
		require.Equal(t, "NotFound", resp.ErrorCode)
		require.Contains(t, resp.Text(), "not found")
	}
	require.Equal(t, "Forbidden", refuse(t, p, id, wire.WriteFile, wire.WriteFileArgs{Path: "/usr/x", Content: "x"}).ErrorCode)
}

// TestReadsInChunks reads as AGB's clients do, 50 × 1024 bytes at a time.
func TestReadsInChunks(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	whole := func(path string, size int, format string) string {
		var b strings.Builder
		for offset := 0; offset < size; offset += wire.ChunkSize {
			text := get(t, p, id, wire.ReadFile, wire.ReadFileArgs{
				Path: path, Offset: int64(offset), Length: int64(min(wire.ChunkSize, size-offset)), Format: format,
			}).Text
			if format == wire.FormatBinary {
				raw, err := base64.StdEncoding.DecodeString(text)
				require.NoError(t, err)
				text = string(raw)
			}
			b.WriteString(text)
		}
		return b.String()
	}
	euros := strings.Repeat("€", 40_000)
	for i := 0; i < len(euros); i += 3 * 30_000 {
		get(t, p, id, wire.WriteFile, wire.WriteFileArgs{Path: "/tmp/e", Content: euros[i:min(len(euros), i+3*30_000)], Mode: wire.WriteAppend})
	}
	require.Equal(t, euros, whole("/tmp/e", len(euros), ""))
	require.Equal(t, euros, whole("/tmp/e", len(euros), wire.FormatBinary))
	require.Equal(t, euros, get(t, p, id, wire.ReadFile, wire.ReadFileArgs{Path: "/tmp/e"}).Text)

	random := make([]byte, 200_000)
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	encoded := base64.StdEncoding.EncodeToString(random)
	get(t, p, id, wire.WriteFile, wire.WriteFileArgs{Path: "/tmp/r.b64", Content: encoded})
	require.Zero(t, shell(t, p, id, wire.ShellArgs{Command: "base64 -d /tmp/r.b64 >/tmp/r"}).ExitCode)
	require.Equal(t, string(random), whole("/tmp/r", len(random), wire.FormatBinary))
	require.Equal(t, string([]rune(string(random))), whole("/tmp/r", len(random), ""))

	for _, bad := range []wire.ReadFileArgs{
		{Path: "/tmp/e", Offset: -1}, {Path: "/tmp/e", Length: -1}, {Path: "/tmp/e", Offset: 1<<63 - 1, Length: 1<<63 - 1}, {Path: "/tmp/e", Format: "x"},
	} {
		require.Equal(t, "InvalidParameter", refuse(t, p, id, wire.ReadFile, bad).ErrorCode)
	}
	require.Empty(t, get(t, p, id, wire.ReadFile, wire.ReadFileArgs{Path: "/tmp/e", Offset: 1 << 40, Length: 10}).Text)
	require.Zero(t, shell(t, p, id, wire.ShellArgs{Command: "truncate -s 9M /tmp/big"}).ExitCode)
	for _, length := range []int64{0, 9 << 20, 1 << 62} {
		require.Equal(t, "Throttling", refuse(t, p, id, wire.ReadFile, wire.ReadFileArgs{Path: "/tmp/big", Length: length}).ErrorCode)
	}
}

func TestReadMultipleFiles(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfBytes)
	p := newPeer(t)
	id := p.create(t, nil)
	get(t, p, id, wire.WriteFile, wire.WriteFileArgs{Path: "/tmp/a", Content: "A\nB"})
	require.Zero(t, shell(t, p, id, wire.ShellArgs{Command: "head -c 5000000 /dev/zero | tr '\\0' x >/tmp/big; printf '\\377' >/tmp/b"}).ExitCode)
	files := get(t, p, id, wire.ReadMultipleFiles, wire.PathsArgs{Paths: []string{"/tmp/a", "/tmp/none", "/tmp/big", "/tmp/big", "/tmp/b"}}).Files
	require.Equal(t, wire.NamedContent{Path: "/tmp/a", Content: []byte("A\nB")}, files[0])
	require.Equal(t, "NotFound", files[1].ErrorCode)
	require.Len(t, files[2].Content, 5_000_000)
	require.Equal(t, "Throttling", files[3].ErrorCode)
	require.Equal(t, []byte{0xff}, files[4].Content)
	require.Equal(t, "/tmp/a:\nA\nB\n---\n/tmp/a:\nA\nB",
		use(t, p, id, wire.ReadMultipleFiles, wire.PathsArgs{Paths: []string{"/tmp/a", "/tmp/a"}}).Text())
	require.Equal(t, "InvalidParameter", refuse(t, p, id, wire.ReadMultipleFiles, wire.PathsArgs{Paths: make([]string, 1001)}).ErrorCode)
}

func TestFileChanges(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	get(t, p, id, wire.CreateDirectory, wire.PathArgs{Path: "/tmp/w"})
	changes := func() []wire.FileChange { return get(t, p, id, wire.GetFileChange, wire.PathArgs{Path: "/tmp/w"}) }
	require.Empty(t, changes())
	get(t, p, id, wire.WriteFile, wire.WriteFileArgs{Path: "/tmp/w/a", Content: "x"})
	require.Contains(t, changes(), wire.FileChange{EventType: wire.ChangeCreate, Path: "/tmp/w/a", PathType: wire.PathFile})
	get(t, p, id, wire.WriteFile, wire.WriteFileArgs{Path: "/tmp/w/a", Content: "xyz"})
	require.Contains(t, changes(), wire.FileChange{EventType: wire.ChangeModify, Path: "/tmp/w/a", PathType: wire.PathFile})
	get(t, p, id, wire.DeleteFile, wire.PathArgs{Path: "/tmp/w/a"})
	require.Contains(t, changes(), wire.FileChange{EventType: wire.ChangeDelete, Path: "/tmp/w/a", PathType: wire.PathFile})
	require.Equal(t, "[]", use(t, p, id, wire.GetFileChange, wire.PathArgs{Path: "/tmp/w"}).Text())
}

func TestMetrics(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	for range 2 {
		m := get(t, p, id, wire.GetMetrics, wire.Empty{})
		require.Positive(t, m.CPUCount)
		require.Positive(t, m.MemTotal)
		require.Positive(t, m.DiskTotal)
		require.GreaterOrEqual(t, m.RxRate, 0.0)
		_, err := time.Parse(time.RFC3339, m.Timestamp)
		require.NoError(t, err)
	}
}

// TestCallsAreBounded fills a session with calls and deletes it under them.
func TestCallsAreBounded(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	args, err := json.Marshal(wire.ShellArgs{Command: "sleep 60"})
	require.NoError(t, err)
	const calls = 100
	codes := make(chan string, calls)
	for range calls {
		later(t.Context(), p, wire.CallTool, wire.CallToolRequest{SessionID: id, Name: wire.Shell.Name, Args: string(args)}, codes)
	}
	// 16 work and 64 wait; the others are told at once.
	for range calls - 16 - 64 {
		require.Equal(t, "Throttling", <-codes)
	}
	must(t, p, wire.DeleteSession, wire.SessionRequest{SessionID: id})
	for range 16 + 64 {
		require.Contains(t, []string{gone, "Throttling"}, <-codes)
	}
}

func TestConcurrentDeletes(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	const deletes = 50
	codes := make(chan string, deletes)
	for range deletes {
		later(t.Context(), p, wire.DeleteSession, wire.SessionRequest{SessionID: id}, codes)
	}
	deleted := 0
	for range deletes {
		code := <-codes
		require.Contains(t, []string{wire.CodeOK, gone}, code)
		if code == wire.CodeOK {
			deleted++
		}
	}
	require.Positive(t, deleted)
}

func TestEveryAnswerIsBounded(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfBytes)
	p := newPeer(t)
	id := p.create(t, nil)
	name := strings.Repeat("\x01", 200)
	script := fmt.Sprintf("import os\nos.mkdir('/tmp/m')\nfor i in range(20000): open('/tmp/m/%%s%%05d' %% (%q, i), 'w').close()", name)
	get(t, p, id, wire.RunCode, wire.RunCodeArgs{Code: script, Language: "python"})
	for _, tool := range []struct{ name, args string }{
		{wire.ListDirectory.Name, `{"path":"/tmp/m"}`}, {wire.SearchFiles.Name, `{"path":"/tmp","pattern":"*"}`},
	} {
		_, a := ask(t, p, wire.CallTool, wire.CallToolRequest{SessionID: id, Name: tool.name, Args: tool.args})
		require.LessOrEqual(t, len(a.body), 16<<20, tool.name)
	}
	require.True(t, bytes.Contains([]byte(p.raw(t, "GET", "/sdk/ListSession", "").body), []byte(id)))
}
