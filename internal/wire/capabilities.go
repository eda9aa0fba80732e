package wire

// Capabilities tells what a server can do beyond AGB's protocol. AGB's own
// service does not have it, so that a client asks at most once, when it first
// needs something of ours, and takes "no such operation" for "nothing".
var Capabilities = Op[Empty, CapabilitiesResponse]{Name: "Capabilities", Pattern: "GET /v1/capabilities", Repeatable: true}

// Version is the version of what is ours. It grows when something changes its
// meaning; what is added has a name of its own in [CapabilitiesResponse].
const Version = 1

// Names by which [CapabilitiesResponse] lists what servers of ours take in
// AGB's own operations and tools. Operations of ours are listed by [Op.Name].
const (
	CreateLifetime  = "CreateSession.lifetime"       // [CreateSessionRequest.LifetimeMS]
	CreateLimits    = "CreateSession.limits"         // [CreateSessionRequest.Limits]
	CreateKey       = "CreateSession.idempotencyKey" // the header Idempotency-Key
	ShellCPUTimeout = "shell.cpuTimeout"             // [ShellArgs.CPUTimeoutMS]
	CodeCPUTimeout  = "run_code.cpuTimeout"          // [RunCodeArgs.CPUTimeoutMS]
	CodeFresh       = "run_code.fresh"               // [RunCodeArgs.Fresh]
	CodeStdin       = "run_code.stdin"               // [RunCodeArgs.Stdin]
)

// Bounds of what a client takes from a [CapabilitiesResponse].
const (
	MaxCapabilities   = 256
	MaxCapabilityName = 64 // bytes
)

// CapabilitiesResponse is what a server can do beyond AGB's protocol.
type CapabilitiesResponse struct {
	Version    int      `json:"version"`
	Operations []string `json:"operations"`
}
