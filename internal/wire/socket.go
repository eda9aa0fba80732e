package wire

import "encoding/json"

// Route C of AGB: a WebSocket at [SessionHandle.WSURL], on which code runs with
// output as it comes. Each text message is one JSON object, a [SocketFrame]. A
// client's names in its target the server that has the tool and holds a
// [SocketCall]; the server's have the same id and hold an event each, then an
// end or a failure. What has no id or is no JSON is ignored by both. Nothing is
// said of a call that is given up: it ends with the connection.

// SocketLimit is how many bytes a message of a client's may have.
const SocketLimit = BodyLimit

// SocketClient is what a client calls itself.
const SocketClient = "SDK"

// CodeServer is the server that runs code where a session's tool list does not
// name another.
const CodeServer = "wuying_codespace"

// SocketFrame is a message of either side.
type SocketFrame[Data any] struct {
	InvocationID string            `json:"invocationId"`
	RequestID    string            `json:"requestId,omitempty"` // the id, from some servers
	Source       string            `json:"source"`
	Target       string            `json:"target"`
	Data         *JSONObject[Data] `json:"data"`
}

// ID returns the id of the invocation, "" when there is none.
func (f SocketFrame[Data]) ID() string {
	if f.InvocationID != "" {
		return f.InvocationID
	}
	return f.RequestID
}

// JSONObject is a T that travels as it is, and of which reading takes its text,
// too.
type JSONObject[T any] struct{ V T }

// MarshalJSON implements [json.Marshaler].
func (o JSONObject[T]) MarshalJSON() ([]byte, error) { return marshal(o.V) }

// UnmarshalJSON implements [json.Unmarshaler].
func (o *JSONObject[T]) UnmarshalJSON(b []byte) error {
	var t JSONText[T]
	err := t.UnmarshalJSON(b)
	o.V = t.V
	return err
}

// SocketCall asks to run code: the one method there is.
type SocketCall struct {
	Method string           `json:"method"` // [RunCode]'s name
	Mode   string           `json:"mode"`   // SocketStream
	Params SocketCallParams `json:"params"`
}

// SocketStream is the mode of a [SocketCall].
const SocketStream = "stream"

// SocketCallParams are [RunCodeArgs] by this route.
type SocketCallParams struct {
	Language string `json:"language"`
	TimeoutS int64  `json:"timeoutS,omitempty"`
	Code     string `json:"code"`
}

// UnmarshalJSON implements [json.Unmarshaler].
func (p *SocketCallParams) UnmarshalJSON(b []byte) error {
	type plain SocketCallParams
	v := struct {
		*plain
		TimeoutS roundedUp `json:"timeoutS"`
	}{plain: (*plain)(p)}
	err := json.Unmarshal(b, &v)
	p.TimeoutS = int64(v.TimeoutS)
	return err
}

// Phases of what a server sends.
const (
	PhaseEvent = "event"
	PhaseEnd   = "end"
	PhaseError = "error" // the call failed; the code did not run, or not to its end
)

// Types of events.
const (
	EventStdout = "stdout"
	EventStderr = "stderr"
	EventResult = "result"
	EventError  = "error"
)

// Statuses of an end.
const (
	SocketFinished = "finished"
	SocketFailed   = "failed" // with an error in the code
)

// SocketOutput is an event of output: whole characters.
type SocketOutput struct {
	Phase     string `json:"phase"`
	EventType string `json:"eventType"`
	Chunk     string `json:"chunk"`
}

// SocketResult is an event of a result. Clients look for its representations in
// two places: in Result itself, beside the marks of a main result, and in an
// object under [ItemMIME].
type SocketResult struct {
	Phase     string   `json:"phase"`
	EventType string   `json:"eventType"`
	Result    CodeItem `json:"result"`
}

// ItemMIME is the key of a [CodeItem] that holds its representations.
const ItemMIME = "mime"

// SocketError is an event of an error in the code.
type SocketError struct {
	Phase     string            `json:"phase"`
	EventType string            `json:"eventType"`
	Error     SocketErrorDetail `json:"error"` // a string would be a failure of the call
}

// SocketErrorDetail is that error.
type SocketErrorDetail struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	TraceID string `json:"traceId,omitempty"`
}

// SocketEnd is the end of code that ran.
type SocketEnd struct {
	Phase          string  `json:"phase"`
	Status         string  `json:"status"`
	ExecutionCount int     `json:"executionCount"`
	ExecutionTime  float64 `json:"executionTime"` // seconds
	ExecutionError *string `json:"executionError"`
	SocketNotes
}

// SocketNotes are what an end says besides, as [RunCodeResult] does. They are
// ours.
type SocketNotes struct {
	ResultsDropped int    `json:"resultsDropped,omitempty"`
	Ended          bool   `json:"contextEnded,omitempty"`
	Restarted      string `json:"contextRestarted,omitempty"`
	LateStdout     string `json:"lateStdout,omitempty"`
	LateStderr     string `json:"lateStderr,omitempty"`
	LateDropped    int64  `json:"lateDropped,omitempty"`
}

// SocketFailure is the end of a call that failed.
type SocketFailure struct {
	Phase string `json:"phase"`
	Error string `json:"error"`
	// Ours, as in [CallToolResponse].
	ErrorCode string `json:"errorCode,omitempty"`
	ErrorHint string `json:"errorHint,omitempty"`
}

// SocketAnswer is what any of AGB's servers sends: an event, an end or a
// failure.
type SocketAnswer struct {
	Phase          string          `json:"phase"`
	EventType      string          `json:"eventType"`
	Chunk          string          `json:"chunk"`
	Result         json.RawMessage `json:"result"`
	Error          json.RawMessage `json:"error"`
	Status         string          `json:"status"`
	ExecutionCount *float64        `json:"executionCount"`
	ExecutionTime  *float64        `json:"executionTime"`
	ExecutionError string          `json:"executionError"`
	ErrorCode      string          `json:"errorCode"`
	ErrorHint      string          `json:"errorHint"`
	SocketNotes
}
