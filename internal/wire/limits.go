package wire

import (
	"encoding/json"
	"maps"
	"slices"
)

// Limits bound what a session may use. In a request a field that is absent, or
// zero, leaves that limit to the server.
type Limits struct {
	Processes   int64 `json:"processes,omitempty"`
	OpenFiles   int64 `json:"openFiles,omitempty"` // of one process
	FileBytes   int64 `json:"fileBytes,omitempty"` // of one file
	DataBytes   int64 `json:"dataBytes,omitempty"` // of one process
	DiskBytes   int64 `json:"diskBytes,omitempty"`
	DiskInodes  int64 `json:"diskInodes,omitempty"`
	MemoryBytes int64 `json:"memoryBytes,omitempty"`
	MilliCPU    int64 `json:"milliCpu,omitempty"`
}

// Each calls fn with the name and place of every limit.
func (l *Limits) Each(fn func(name string, value *int64)) {
	fn("processes", &l.Processes)
	fn("openFiles", &l.OpenFiles)
	fn("fileBytes", &l.FileBytes)
	fn("dataBytes", &l.DataBytes)
	fn("diskBytes", &l.DiskBytes)
	fn("diskInodes", &l.DiskInodes)
	fn("memoryBytes", &l.MemoryBytes)
	fn("milliCpu", &l.MilliCPU)
}

// UnmarshalJSON implements [json.Unmarshaler]. Unlike other fields, a limit
// that is unknown is an error: whoever asks for it must not get a session
// without it.
func (l *Limits) UnmarshalJSON(b []byte) error {
	var read map[string]json.RawMessage
	err := json.Unmarshal(b, &read)
	l.Each(func(name string, value *int64) {
		if text, ok := read[name]; ok && err == nil {
			err = formatError("limits."+name, json.Unmarshal(text, (*whole)(value)))
		}
		delete(read, name)
	})
	if err == nil && len(read) > 0 {
		err = &FormatError{Field: "limits." + slices.Min(slices.Collect(maps.Keys(read))), Fault: "unknown limit"}
	}
	return err
}
