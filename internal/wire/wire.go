// Package wire is the protocol: every operation and tool of the service, the
// path or name it answers to, and the data that goes in and comes out.
//
// The client (internal/transport) and the server (engine/internal/httpapi) are
// both written against the [Op] and [Tool] values of this package, so they
// cannot disagree. The protocol's oddities live here too, as types: which
// fields travel in the query, which are JSON inside a string, which results
// are text that only looks like data.
//
// One exchange, a shell command:
//
//	C: POST /mcp?autoGenSession=false
//	   {"sessionId":"s-1","name":"shell","args":"{\"command\":\"ls\",\"timeout_ms\":60000}"}
//	S: 200
//	   {"requestId":"r-1","success":true,"code":"ok","message":"","httpStatusCode":200,
//	    "data":{"isError":false,"content":[{"type":"text","text":"{\"stdout\":\"…\",…}"}]}}
//
// docs/protocol.md describes all of it, and marks what is ours and not AGB's:
// both ends ignore fields that they do not know.
package wire

// Headers.
const (
	HeaderRequestID      = "X-Request-Id"
	HeaderIdempotencyKey = "Idempotency-Key"
)

// An Op is one operation of the control plane. Fields of Req tagged
// `query:"name"` travel in the query string, the others in a JSON body, which
// a GET does not have.
type Op[Req, Resp any] struct {
	// Name is what errors and logs call the operation, such as "CreateSession".
	Name string
	// Pattern is a [net/http.ServeMux] pattern: method, space, path.
	Pattern string
	// Repeatable reports that performing the operation twice is as good as
	// once, so that the client may send it again when it cannot know whether
	// the server has seen it.
	Repeatable bool
	// Ours marks an operation that AGB's service does not have: a client asks
	// for it only where [Capabilities] lists its name.
	Ours bool
	// Keyed, when not empty, is the name in [Capabilities] of servers that
	// perform the operation once for each idempotency key, however often they
	// are asked, so that with them it is as good as repeatable.
	Keyed string
}

// A Tool is something a session can do, asked for through [CallTool].
type Tool[Args, Out any] struct {
	// Name is the tool's name on the wire.
	Name string
	// Description is what [ListTools] says of it.
	Description string
	// Repeatable is as in [Op].
	Repeatable bool
	// Format and Parse convert a result to and from the text that AGB's own
	// clients read. When nil the text is Out as JSON. Besides lossy text the
	// engine sends the result as structured data, which our client prefers.
	Format func(Out) string
	Parse  func(string) (Out, error)
	// Plain keeps results from travelling as data too, where text is exact.
	Plain bool
	// Failed, when not nil, reports that a result is a failure that still
	// carries all of Out: it travels with isError set.
	Failed func(Out) bool
}
