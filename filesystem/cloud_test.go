package filesystem_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/filesystem"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

const sessionID = "s-1"

// cloud is a hosted service as far as files go: it tells by text alone what the
// engine tells by data, and it can be made to misbehave.
type cloud struct {
	mu    sync.Mutex
	files map[string][]byte
	dirs  map[string]bool
	calls []string // tools called
	delay time.Duration
	// running is how many calls are under way; peak is the most there were.
	running, peak int
	// tools override what a tool does.
	tools map[string]func(args map[string]any) answer
}

// answer is what a tool says; it is an error when failed.
type answer struct {
	text   string
	failed bool
}

func said(format string, args ...any) answer { return answer{text: fmt.Sprintf(format, args...)} }
func failed(text string) answer              { return answer{text, true} }

// newCloud returns a service and a Client for a session of it.
func newCloud(t *testing.T) (*cloud, *filesystem.Client) {
	t.Helper()
	c := &cloud{files: map[string][]byte{}, dirs: map[string]bool{}, tools: map[string]func(map[string]any) answer{}}
	mock := httpmock.NewMockTransport()
	mock.RegisterResponder(http.MethodPost, `=~/mcp$`, c.respond)
	return c, filesystem.New(transport.New(transport.Config{
		BaseURL: "http://cloud.invalid", APIKey: "key", Transport: mock, Logger: slog.New(slog.DiscardHandler),
		UserAgent: "test", Timeout: time.Minute, Attempts: 1,
	}), sessionID)
}

func (c *cloud) respond(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	var call wire.CallToolRequest
	if err := json.Unmarshal(body, &call); err != nil {
		return nil, err
	}
	var args map[string]any
	if err := json.Unmarshal([]byte(call.Args), &args); err != nil {
		return nil, err
	}
	if call.SessionID != sessionID {
		return nil, fmt.Errorf("session %q", call.SessionID)
	}
	if err := c.wait(req.Context()); err != nil {
		return nil, err
	}
	a := c.do(call.Name, args)
	return httpmock.NewJsonResponse(http.StatusOK, map[string]any{
		"requestId": "r-" + call.Name, "success": true, "code": "ok", "httpStatusCode": 200,
		"data": map[string]any{"isError": a.failed, "content": []any{map[string]any{"type": "text", "text": a.text}}},
	})
}

// wait takes the time that a call takes.
func (c *cloud) wait(ctx context.Context) error {
	if c.delay == 0 {
		return nil
	}
	c.count(+1)
	defer c.count(-1)
	select {
	case <-time.After(c.delay):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *cloud) count(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running += n
	c.peak = max(c.peak, c.running)
}

func (c *cloud) do(tool string, args map[string]any) answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, tool)
	if do := c.tools[tool]; do != nil {
		return do(args)
	}
	switch tool {
	case "get_file_info":
		return c.info(args["path"].(string))
	case "read_file":
		return c.read(args)
	case "write_file":
		return c.write(args["path"].(string), args["mode"].(string), args["content"].(string))
	case "shell":
		return c.shell(args)
	case "list_directory":
		return c.list(args["path"].(string))
	case "read_multiple_files":
		return said("a file:\nnot exact\n---\n")
	default:
		return failed("unknown tool")
	}
}

func (c *cloud) info(name string) answer {
	if c.dirs[name] {
		return said("path: %s\nisDirectory: true\nsize: 4096\n", name)
	}
	b, ok := c.files[name]
	if !ok {
		return failed("File not found: " + name)
	}
	return said("path: %s\nsize: %d\nisDirectory: false\npermissions: 640\n", name, len(b))
}

func (c *cloud) read(args map[string]any) answer {
	b := c.files[args["path"].(string)]
	from := min(int(args["offset"].(float64)), len(b))
	to := min(from+int(args["length"].(float64)), len(b))
	return said("%s", base64.StdEncoding.EncodeToString(b[from:to]))
}

func (c *cloud) write(name, mode, content string) answer {
	switch _, exists := c.files[name]; {
	case mode == "append":
		c.files[name] = append(c.files[name], content...)
	case mode == "create_new" && exists:
		return failed("File exists: " + name)
	default:
		c.files[name] = []byte(content)
	}
	return said("ok")
}

// shell understands the one command that there is.
func (c *cloud) shell(args map[string]any) answer {
	text := strings.Split(args["command"].(string), "'")[1]
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return failed(err.Error())
	}
	name := args["envs"].(map[string]any)["AGB_FILE"].(string)
	c.files[name] = append(c.files[name], b...)
	return said(`{"stdout":"","stderr":"","exit_code":0}`)
}

func (c *cloud) list(dir string) answer {
	var lines []string
	for name := range c.files {
		if path.Dir(name) == dir {
			lines = append(lines, "[FILE] "+path.Base(name))
		}
	}
	for name := range c.dirs {
		if path.Dir(name) == dir && name != dir {
			lines = append(lines, "[DIR] "+path.Base(name))
		}
	}
	slices.Sort(lines)
	return said("Contents of %s:\n%s\n", dir, strings.Join(lines, "\n"))
}

// override makes the service answer a tool with what do returns.
func (c *cloud) override(tool string, do func(args map[string]any) answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tools[tool] = do
}

// called returns the tools called since the last time.
func (c *cloud) called() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := c.calls
	c.calls = nil
	return calls
}

// put makes a file that no call has to make.
func (c *cloud) put(name string, content []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.files[name] = content
}

// content returns what is in a file.
func (c *cloud) content(t *testing.T, name string) []byte {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	require.Contains(t, c.files, name)
	return slices.Clone(c.files[name])
}
