package wire

import (
	"encoding/json"
	"slices"
	"strings"
)

// StreamCode is [RunCode] with output as it comes: the server sends
// [FrameStdout] and [FrameStderr], what the client asks for besides, then the
// result, without output, as JSON in data, and its end. A client leaves by
// ending the stream or hanging up.
var StreamCode = Stream[StreamCodeRequest]{Name: "StreamCode", Pattern: "POST /v1/code/run"}

// Names by which [CapabilitiesResponse] lists what a [StreamCodeRequest] may ask
// for.
const (
	CodeResults   = "StreamCode.results"   // [StreamCodeRequest.Results]
	CodeFunctions = "StreamCode.functions" // [StreamCodeRequest.Functions]
)

// Frames of a run of code. Each carries a part of some JSON, of which one
// without content is the end.
const (
	FrameResult = FrameStdinEnd + 1 + iota // by the server, a [CodeItem]
	FrameCall                              // by the server, a [CodeCall]
	FrameReturn                            // by the client, a [CodeReturn]
)

// Bounds of the functions that code can call.
const (
	MaxFunctions    = 64
	MaxFunctionName = 64      // bytes
	MaxCallBytes    = 1 << 20 // of a call, and of what it returns, as JSON
)

// StreamCodeRequest says what to run.
type StreamCodeRequest struct {
	SessionID string      `json:"sessionId"`
	Args      RunCodeArgs `json:"args"`
	Results   bool        `json:"results,omitempty"`   // as they come, and not in the result
	Functions []string    `json:"functions,omitempty"` // of the client, that the code can call
}

// CodeCall is a call of one of the client's functions.
type CodeCall struct {
	ID   int64           `json:"id"` // of the call in its run
	Name string          `json:"name"`
	Args json.RawMessage `json:"args"`
}

// CodeReturn is what a call came to.
type CodeReturn struct {
	ID    int64           `json:"id"`
	Value json.RawMessage `json:"value,omitempty"`
	Error string          `json:"error,omitempty"` // empty: there was none
}

// words are those of Python and JavaScript that cannot be names.
var words = strings.Fields(`
	False None True and as assert async await break class continue def del elif else except finally for from global if import in is
	lambda nonlocal not or pass raise return try while with yield
	case catch const debugger default delete do enum export extends false function instanceof new null super switch this throw true
	typeof var void let static implements interface package private protected public arguments eval`)

// ValidFunctionName reports whether code can call a function by that name, as
// one of Python's and JavaScript's.
func ValidFunctionName(name string) bool {
	if slices.Contains(words, name) {
		return false
	}
	for i, r := range name {
		switch {
		case r == '_', 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z':
		case i > 0 && '0' <= r && r <= '9':
		default:
			return false
		}
	}
	return name != "" && len(name) <= MaxFunctionName
}
