package agbtest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// Bounds of what is kept to be shown when a test fails.
const (
	scriptLimit = 256 << 10 // bytes; the oldest go first
	bodyLimit   = 64 << 10  // bytes of one request or answer
	shownLimit  = 4 << 10   // bytes of what a tool was asked, and of what it said
)

// transcript collects the engine's log and what tools were called and said, in
// the order of events. It is safe for concurrent use.
type transcript struct {
	mu      sync.Mutex
	text    []byte
	dropped int
}

// Write implements [io.Writer].
func (s *transcript) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = append(s.text, p...)
	if over := len(s.text) - scriptLimit; over > 0 {
		s.text = append(s.text[:0], s.text[over:]...)
		s.dropped += over
	}
	return len(p), nil
}

// String returns what was collected.
func (s *transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	head := "agbtest: engine log and session output:\n"
	if s.dropped > 0 {
		head += fmt.Sprintf("(%d bytes before this are left out)\n", s.dropped)
	}
	return head + string(s.text)
}

// wrap returns rt, listened to. Like rt it may lead to one place only.
func (s *transcript) wrap(rt http.RoundTripper) http.RoundTripper {
	l := listener{rt, s}
	if e, ok := rt.(interface{ Endpoint() string }); ok {
		return embeddedListener{l, e.Endpoint}
	}
	return l
}

// listener is a transport that tells what tools are called.
type listener struct {
	http.RoundTripper
	script *transcript
}

// embeddedListener is a listener to an engine.
type embeddedListener struct {
	listener
	endpoint func() string
}

// Endpoint tells the client that the transport leads to one place only.
func (l embeddedListener) Endpoint() string { return l.endpoint() }

// RoundTrip implements [http.RoundTripper].
func (l listener) RoundTrip(r *http.Request) (*http.Response, error) {
	called := strings.HasSuffix(r.URL.Path, "/mcp") || strings.HasSuffix(r.URL.Path, "/callTool")
	if !called || r.Body == nil {
		return l.RoundTripper.RoundTrip(r)
	}
	asked := &tee{ReadCloser: r.Body}
	r = r.WithContext(r.Context())
	r.Body = asked
	resp, err := l.RoundTripper.RoundTrip(r)
	if err != nil {
		l.tell(asked.bytes(), []byte(err.Error()))
		return nil, err
	}
	resp.Body = &tee{ReadCloser: resp.Body, closed: func(answer []byte) { l.tell(asked.bytes(), answer) }}
	return resp, nil
}

// tell writes what a tool was asked and what it said.
func (l listener) tell(asked, answer []byte) {
	name, args := "tool", string(asked)
	var call struct {
		Name, Tool string          // of a session called directly it is the tool
		Args       json.RawMessage // text, or then an object
	}
	if json.Unmarshal(asked, &call) == nil {
		name, args = call.Name+call.Tool, string(call.Args)
		_ = json.Unmarshal(call.Args, &args) // it fails when they are an object
	}
	var env struct {
		Data struct {
			content
			Result content // of a session called directly
		}
	}
	said := string(answer)
	if json.Unmarshal(answer, &env) == nil {
		if all := append(env.Data.Content, env.Data.Result.Content...); len(all) > 0 {
			said = readable(all[0].Text)
		}
	}
	_, _ = fmt.Fprintf(l.script, "%s %s\n    %s\n", name, short(args), strings.ReplaceAll(short(said), "\n", "\n    "))
}

// content is what a tool said.
type content struct{ Content []struct{ Text string } }

// readable returns a command's result with the output that came as bytes as
// text.
func readable(said string) string {
	var result map[string]any
	if json.Unmarshal([]byte(said), &result) != nil {
		return said // the result of another tool
	}
	for _, stream := range []string{"stdout", "stderr"} {
		encoded, _ := result[stream+"_bytes"].(string)
		if output, err := base64.StdEncoding.DecodeString(encoded); err == nil && encoded != "" {
			result[stream] = string(output)
			delete(result, stream+"_bytes")
		}
	}
	text, err := json.Marshal(result)
	if err != nil {
		return said
	}
	return string(text)
}

func short(s string) string {
	if len(s) > shownLimit {
		return strings.ToValidUTF8(s[:shownLimit], "") + "…"
	}
	return s
}

// tee keeps the beginning of what is read through it.
type tee struct {
	io.ReadCloser
	closed func([]byte) // on the first Close, if not nil

	mu   sync.Mutex
	kept bytes.Buffer
	once sync.Once
}

// Read implements [io.Reader].
func (t *tee) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept.Write(p[:min(n, max(bodyLimit-t.kept.Len(), 0))])
	return n, err
}

// Close implements [io.Closer].
func (t *tee) Close() error {
	if t.closed != nil {
		t.once.Do(func() { t.closed(t.bytes()) })
	}
	return t.ReadCloser.Close()
}

func (t *tee) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.kept.Bytes())
}
