package session

import (
	"context"
	"math"
	"time"

	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

// Usage is what all processes of a session together have used since it was
// made, by the kernel's account.
type Usage struct {
	CPU             time.Duration // user and system time
	MemoryBytes     int64         // now
	PeakMemoryBytes int64         // most memory at any time; 0 where the kernel does not say
	Processes       int           // processes and threads now
	OOMKills        int64         // processes killed because memory was used up
}

// UsageOf is for package agb.
func UsageOf(u wire.Usage) Usage {
	return Usage{
		CPU:         time.Duration(max(0, min(u.CPUMicros, math.MaxInt64/int64(time.Microsecond)))) * time.Microsecond,
		MemoryBytes: u.MemoryBytes, PeakMemoryBytes: u.PeakMemoryBytes, Processes: u.Processes, OOMKills: u.OOMKills,
	}
}

// UsageResult is the outcome of [Session.Usage].
type UsageResult struct {
	Usage
	RequestID string
}

// Usage tells what the session has used. Asking does not count as activity.
// AGB's hosted service does not have it, and some machines keep no such
// account: the error has code [apierr.Unsupported]. See [Session.Metrics] for
// what is measured from inside.
func (s *Session) Usage(ctx context.Context) (*UsageResult, error) {
	resp, meta, err := transport.Do(ctx, s.t, wire.SessionUsage, wire.SessionQuery{SessionID: s.ID})
	if err != nil {
		return nil, s.fail(err, "Usage")
	}
	return &UsageResult{Usage: UsageOf(resp), RequestID: meta.RequestID}, nil
}
