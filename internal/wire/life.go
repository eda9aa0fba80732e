package wire

import (
	"encoding/json"
	"time"
)

// Operations of ours on the life of a session.
var (
	ExtendSession = Op[ExtendSessionRequest, ExtendSessionResponse]{Name: "ExtendSession", Pattern: "POST /v1/sessions/extend", Repeatable: true, Ours: true}
	PauseSession  = Op[SessionRequest, Empty]{Name: "PauseSession", Pattern: "POST /v1/sessions/pause", Repeatable: true, Ours: true}
	ResumeSession = Op[SessionRequest, Empty]{Name: "ResumeSession", Pattern: "POST /v1/sessions/resume", Repeatable: true, Ours: true}
	// SessionUsage does not count as activity.
	SessionUsage = Op[SessionQuery, Usage]{Name: "SessionUsage", Pattern: "GET /v1/sessions/usage", Repeatable: true, Ours: true}
)

// ExtendSessionRequest asks for a session to live that much longer, from when
// the request is performed.
type ExtendSessionRequest struct {
	SessionID  string `json:"sessionId"`
	LifetimeMS int64  `json:"lifetimeMs"`
}

// Milliseconds returns d as it travels, rounded up.
func Milliseconds(d time.Duration) int64 {
	ms := int64(d / time.Millisecond)
	if d%time.Millisecond > 0 {
		ms++
	}
	return ms
}

// UnmarshalJSON implements [json.Unmarshaler].
func (r *ExtendSessionRequest) UnmarshalJSON(b []byte) error {
	type plain ExtendSessionRequest
	v := struct {
		*plain
		LifetimeMS roundedUp `json:"lifetimeMs"`
	}{plain: (*plain)(r)}
	err := json.Unmarshal(b, &v)
	r.LifetimeMS = int64(v.LifetimeMS)
	return err
}

// ExtendSessionResponse is when the session ends.
type ExtendSessionResponse struct {
	Ends
}

// Usage is what a session has used, by the kernel's account.
type Usage struct {
	CPUMicros       int64 `json:"cpuUs"`                     // user and system time
	MemoryBytes     int64 `json:"memoryBytes"`               // now
	PeakMemoryBytes int64 `json:"peakMemoryBytes,omitempty"` // absent where the kernel does not say
	Processes       int   `json:"processes"`                 // and threads, now
	OOMKills        int64 `json:"oomKills"`                  // processes killed because memory was used up
}
