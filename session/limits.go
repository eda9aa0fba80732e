package session

import (
	"math"

	"github.com/agb-go/sdk/internal/wire"
)

// Limits bound what a session may use. Where they ask, a zero field leaves that
// limit to the service; where they tell, it means that the service does not
// say.
type Limits struct {
	Processes  int   // processes and threads at once
	OpenFiles  int   // file descriptors of one process
	FileBytes  int64 // size of one file
	DataBytes  int64 // ordinary data of one process, see RLIMIT_DATA in getrlimit(2)
	DiskBytes  int64 // all writable places together
	DiskInodes int64 // files and directories in all writable places

	MemoryBytes int64 // memory of all processes together, with what the writable places hold
	MilliCPU    int   // processor time, in thousandths of one core's
}

// limitsOf returns limits that a server told, which may be absent.
func limitsOf(l *wire.Limits) Limits {
	if l == nil {
		return Limits{}
	}
	return Limits{
		Processes: number(l.Processes), OpenFiles: number(l.OpenFiles), FileBytes: l.FileBytes, DataBytes: l.DataBytes,
		DiskBytes: l.DiskBytes, DiskInodes: l.DiskInodes, MemoryBytes: l.MemoryBytes, MilliCPU: number(l.MilliCPU),
	}
}

// number returns a number that a server sent as an int, the nearest there is.
func number(n int64) int { return int(max(math.MinInt, min(n, math.MaxInt))) }
