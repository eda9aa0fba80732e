package wire

// StreamProtocol is what the headers Upgrade of a stream's request and of its
// answer, 101, say. From there on both sides send frames, see [FrameWriter].
const StreamProtocol = "agb-stream"

// A Stream is an operation of ours whose answer is a stream in both directions.
// Until it begins it is like any [Op]: the request is JSON, and what fails is
// told in an envelope.
type Stream[Req any] struct {
	// Name is as in [Op]; [Capabilities] lists it.
	Name string
	// Pattern is as in [Op].
	Pattern string
}

// Op returns the part of s before the stream begins.
func (s Stream[Req]) Op() Op[Req, Empty] {
	return Op[Req, Empty]{Name: s.Name, Pattern: s.Pattern, Ours: true}
}

// StreamFault is what a [FrameFault] carries, as JSON: fields are those of an
// [Envelope].
type StreamFault struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// DialPort connects to a port, or a socket, inside a session. Both sides send
// data, and an end when they have sent all. A fault of the server's means that
// the connection was reset or that the session is over, one of the client's
// that it is given up.
var DialPort = Stream[DialPortRequest]{Name: "DialPort", Pattern: "POST /v1/ports/dial"}

// DialPortRequest says what to connect to.
type DialPortRequest struct {
	SessionID string `json:"sessionId"`
	Network   string `json:"network"` // "tcp" or "unix"
	Address   string `json:"address"` // a port of the loopback, or a path
}

// ListenPort listens at an address inside a session until the client ends the
// stream. The server sends one frame, [FrameListening].
var ListenPort = Stream[ListenPortRequest]{Name: "ListenPort", Pattern: "POST /v1/ports/listen"}

// ListenPortRequest says where to listen.
type ListenPortRequest struct {
	SessionID string `json:"sessionId"`
	Network   string `json:"network"` // "tcp" or "unix"
	Address   string `json:"address"` // a port of the loopback, 0 for any that is free, or a path
}

// FrameListening carries a [Listening], as JSON.
const FrameListening = FrameOwn

// Listening is what listens.
type Listening struct {
	ListenerID string `json:"listenerId"`
	Address    string `json:"address"` // with the port that was free
}

// AcceptPort waits for a connection to what listens. The client sends nothing
// until the server has sent one frame, [FrameAccepted]; from then on the stream
// is as that of [DialPort].
var AcceptPort = Stream[AcceptPortRequest]{Name: "AcceptPort", Pattern: "POST /v1/ports/accept"}

// AcceptPortRequest says at what a connection is waited for.
type AcceptPortRequest struct {
	SessionID  string `json:"sessionId"`
	ListenerID string `json:"listenerId"`
}

// FrameAccepted says that there is a connection.
const FrameAccepted = FrameOwn
