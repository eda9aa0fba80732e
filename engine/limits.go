package engine

import (
	"cmp"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/driver"
)

// Limits bound what a session may use. A zero field means its default.
//
// MemoryBytes and MilliCPU are kept only where the layers "memory limit" and
// "cpu limit" are active, see [Config.Require]. All writable places are in
// memory: what files hold counts as memory, too. The guest has 16 MiB of its
// own on top, which commands can use up as well.
type Limits struct {
	Processes  int   // processes and threads at once; default 128, at least 16
	OpenFiles  int   // file descriptors of one process; default 1024, at least 64
	FileBytes  int64 // size of one file; default 512 MiB, at least 4 KiB
	DataBytes  int64 // ordinary data of one process, see RLIMIT_DATA in getrlimit(2); default 1 GiB, at least 192 MiB
	DiskBytes  int64 // all writable places together; default 512 MiB, at least 1 MiB
	DiskInodes int64 // files and directories in all writable places; default 100,000, at least 64

	MemoryBytes int64 // memory of all processes together, files included; default 512 MiB, at least 32 MiB
	MilliCPU    int   // processor time, in thousandths of one core's; default 1000, at least 10
}

var (
	defaultLimits = Limits{
		Processes: 128, OpenFiles: 1024, FileBytes: 512 << 20, DataBytes: 1 << 30, DiskBytes: 512 << 20, DiskInodes: 100_000,
		MemoryBytes: 512 << 20, MilliCPU: 1000,
	}
	// leastLimits leave room for the guest and a shell.
	leastLimits = driver.Limits{
		Processes: 16, OpenFiles: 64, FileBytes: 4 << 10, DataBytes: 192 << 20, DiskBytes: 1 << 20, DiskInodes: 64,
		MemoryBytes: 32 << 20, MilliCPU: 10,
	}
)

// driver returns l with its zero fields taken from fallback.
func (l Limits) driver(fallback Limits) driver.Limits {
	return orLimits(driver.Limits(l), driver.Limits(fallback))
}

// orLimits returns l with its zero fields taken from fallback.
func orLimits(l, fallback driver.Limits) driver.Limits {
	return driver.Limits{
		Processes: cmp.Or(l.Processes, fallback.Processes), OpenFiles: cmp.Or(l.OpenFiles, fallback.OpenFiles),
		FileBytes: cmp.Or(l.FileBytes, fallback.FileBytes), DataBytes: cmp.Or(l.DataBytes, fallback.DataBytes),
		DiskBytes: cmp.Or(l.DiskBytes, fallback.DiskBytes), DiskInodes: cmp.Or(l.DiskInodes, fallback.DiskInodes),
		MemoryBytes: cmp.Or(l.MemoryBytes, fallback.MemoryBytes), MilliCPU: cmp.Or(l.MilliCPU, fallback.MilliCPU),
	}
}

// limitNames name what numbers returns.
var limitNames = [...]string{
	"processes", "open files", "file bytes", "data bytes", "disk bytes", "disk inodes", "memory bytes", "thousandths of a processor",
}

// numbers returns the limits one by one.
func numbers(l driver.Limits) [len(limitNames)]int64 {
	return [...]int64{
		int64(l.Processes), int64(l.OpenFiles), l.FileBytes, l.DataBytes, l.DiskBytes, l.DiskInodes, l.MemoryBytes, int64(l.MilliCPU),
	}
}

// checkLimits refuses limits, all of them set, that are less than least or more
// than most.
func checkLimits(l, least, most driver.Limits) error {
	asked, low, high := numbers(l), numbers(least), numbers(most)
	for i, name := range limitNames {
		switch {
		case asked[i] < low[i]:
			return apierr.Errorf(apierr.InvalidArgument, "limit of %s: %d is too little, it has to be at least %d", name, asked[i], low[i])
		case asked[i] > high[i]:
			return apierr.Errorf(apierr.InvalidArgument, "limit of %s: %d is too much, it may be at most %d", name, asked[i], high[i]).
				WithHint("the engine's Config.MaxLimits say how much may be asked for")
		}
	}
	return nil
}

// limitLayers returns the layers that keep the limits which are set in l: who
// asks for a limit is not to be given a session that does not have it.
func limitLayers(l driver.Limits) []string {
	var layers []string
	for _, limit := range []struct {
		asked bool
		layer string
	}{
		{l.MemoryBytes != 0, driver.MemoryLimit},
		{l.Processes != 0, driver.ProcessLimit},
		{l.MilliCPU != 0, driver.CPULimit},
		{l.DiskBytes != 0 || l.DiskInodes != 0, driver.DiskLimit},
	} {
		if limit.asked {
			layers = append(layers, limit.layer)
		}
	}
	return layers
}
